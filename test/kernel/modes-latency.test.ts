import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentSocket } from '../support/kernel-agent.js';
import {
  both,
  connect,
  disconnect,
  expectOnly,
  expectOnlyRecords,
  onlyOnRealMachines,
  ping,
  refusal,
  takesFunctions,
  watch,
} from '../support/kernel-modes.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const PORT = 8401;
const UDP_PORT = 8402;
const CLOSED_PORT = 8403;
/** So long an application leaves its data alone: far more than any other step takes. */
const WAIT_MS = 60;
const LIMIT_US = 40_000;
const LATENCY_LINE = /^\[\d+\.\d{6}\] \[(\w+) *\]\[(\w+) -> (\w+) *\] \S+: .* latency: (\d+\.\d{3})ms$/;

let stage: Stage;
let nets: string;

beforeAll(async () => {
  stage = await buildStage();
  nets = stage.net.nets.join(',');
});
afterAll(() => stage?.net.close());

/** The time is what is tested here: an application that does something else meanwhile. */
async function pause(): Promise<void> {
  const end = performance.now() + WAIT_MS;
  await until('the pause is over', () => performance.now() >= end);
}

/** A message that is read at once, and one that waits in the queue. */
async function readOnceSoonAndOnceLate(send: (text: string) => Promise<unknown>, receiver: AgentSocket): Promise<void> {
  await send('soon');
  expect(await receiver.call('recv', 100)).toBe('soon');
  await send('late!');
  await pause();
  expect(await receiver.call('recv', 100)).toBe('late!');
}

describe('nettrace --latency', () => {
  it('prints one line for each packet: from where to where, and how long', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both('--latency', '--addr', nets, '-p', 'icmp'), async () => {
      await ping(stage, 3);
      await disconnect(await connect(stage, PORT));
    });
    expectOnly(text, 'ICMP');
    expectOnlyRecords(json, 'icmp');
    expect(text.lines).toHaveLength(6);
    const records = json.of('latency');
    expect(records).toHaveLength(6);
    for (const line of text.lines) expect(line).toMatch(LATENCY_LINE);
    for (const { from, to, latencyUs, event, skbAddress } of records) {
      expect(from).toMatch(/^(net_dev_queue|__ip_local_out)$/);
      expect(to).not.toBe(event.func);
      expect(skbAddress).toMatch(/^[0-9a-f]{16}$/);
      expect(latencyUs).toBeGreaterThan(0);
      expect(latencyUs).toBeLessThan(5e6);
    }
  });

  it('takes the time between two functions of choice, and shows only what is slow', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--latency', '--addr', nets, '-p', 'tcp', '-P', String(PORT), '-t', 'netif_receive_skb'];
    const ends = ['--trace-matcher', 'netif_receive_skb', '--trace-free', 'skb_copy_datagram_iovec'];
    const runs = {
      ...both(...words, ...ends, '--min-latency', String(LIMIT_US)),
      all: [...words, ...ends, '--json'],
    };
    const { text, json, all } = await watch(runs, async () => {
      const connection = await connect(stage, PORT);
      await readOnceSoonAndOnceLate((data) => connection.near.call('sendall', data), connection.far);
      await disconnect(connection);
    });
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(all, 'tcp', PORT);
    expect(all.of('latency').length).toBe(2);
    expect(json.of('latency')).toEqual([
      expect.objectContaining({ from: 'netif_receive_skb', to: 'skb_copy_datagram_iovec' }),
    ]);
    expect(json.of('latency')[0]?.latencyUs).toBeGreaterThanOrEqual(WAIT_MS * 1000);
    const [, func, from, to, ms] = LATENCY_LINE.exec(text.lines[0] ?? '') ?? [];
    expect({ func, from, to }).toEqual({
      func: 'skb_copy_datagram_iovec',
      from: 'netif_receive_skb',
      to: 'skb_copy_datagram_iovec',
    });
    expect(Number(ms)).toBeGreaterThanOrEqual(WAIT_MS);
  });

  it('--latency-free counts the time up to the free', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--latency', '--json', '--addr', nets, '-p', 'udp', '-P', `${UDP_PORT}-${CLOSED_PORT}`];
    const place = ['-t', 'net_dev_queue,netif_receive_skb', '--trace-matcher', 'net_dev_queue'];
    const runs = { last: [...words, ...place], free: [...words, ...place, '--latency-free'] };
    const { last, free } = await watch(runs, async (clis) => {
      const { client, server, address } = stage;
      const receiver = await server.bound(address('1.2'), UDP_PORT, 'SOCK_DGRAM');
      const sender = await client.bound(address('1.1'), 0, 'SOCK_DGRAM');
      // freed at once by the one, and after a pause with the socket by the other
      await sender.call('sendto', 'soon', [address('1.2'), CLOSED_PORT]);
      await sender.call('sendto', 'late', [address('1.2'), UDP_PORT]);
      await pause();
      await receiver.close();
      await sender.close();
      // a closed socket is taken apart, and its packets are freed, some time later
      for (const cli of [clis.last, clis.free]) await until('both frees', () => cli.lines().length === 2);
    });
    const [soon, late] = free.of('latency');
    const times = last.of('latency').map(({ to, latencyUs }) => ({ to, isSlow: latencyUs > LIMIT_US }));
    expect(times).toEqual([1, 2].map(() => ({ to: 'netif_receive_skb', isSlow: false })));
    expect(soon?.latencyUs).toBeLessThan(LIMIT_US);
    expect(late?.latencyUs).toBeGreaterThan(LIMIT_US);
    for (const one of [soon, late]) expect(one?.to).toBe(one?.event.func);
  });

  it('takes the time that a segment waits in the receive queue, as in the manual', async (ctx) => {
    onlyOnRealMachines(ctx);
    const queue = 'tcp_queue_rcv,tcp_data_queue_ofo';
    const words = ['--latency', '--addr', nets, '-p', 'tcp', '-P', String(PORT), '-t', queue, '--trace-matcher', queue];
    if (!(await takesFunctions())) {
      // it would have nothing to wait for
      const { code, stdout, stderr } = await refusal(...words);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^nettrace: nothing of what is to be traced is here: tcp_queue_rcv, tcp_data_queue_ofo$/m);
      ctx.skip('tcp_queue_rcv is a function, and this kernel gives tracepoints only');
    }
    const { text } = await watch(
      { text: [...words, '--latency-free', '--min-latency', String(LIMIT_US)] },
      async () => {
        const connection = await connect(stage, PORT);
        await readOnceSoonAndOnceLate((data) => connection.near.call('sendall', data), connection.far);
        await disconnect(connection);
      },
    );
    expect(text.lines).toHaveLength(1);
    const [, func, from, to] = LATENCY_LINE.exec(text.lines[0] ?? '') ?? [];
    expect({ from, to }).toEqual({ from: 'tcp_queue_rcv', to: func });
  });

  it('shows how long a qdisc keeps a packet', async (ctx) => {
    onlyOnRealMachines(ctx);
    if (!(await takesFunctions())) ctx.skip('both are functions, and this kernel gives tracepoints only');
    const { status, stderr } = await stage.client.run('tc qdisc add dev c0 root netem delay 30ms'.split(' '));
    if (status !== 0) ctx.skip(`no delay on a link here: ${stderr.trim()}`);
    const place = ['-t', '__ip_queue_xmit,dev_hard_start_xmit', '--trace-matcher', '__ip_queue_xmit'];
    const words = ['--latency', '--addr', nets, '-p', 'tcp', '-D', String(PORT), ...place];
    const { text } = await watch({ text: [...words, '--trace-free', 'dev_hard_start_xmit'] }, async () => {
      await disconnect(await connect(stage, PORT));
    });
    await must(stage.client, 'tc qdisc del dev c0 root');
    expect(text.lines.length).toBeGreaterThanOrEqual(3);
    for (const line of text.lines) {
      const [, , from, to, ms] = LATENCY_LINE.exec(line) ?? [];
      expect({ from, to }).toEqual({ from: '__ip_queue_xmit', to: 'dev_hard_start_xmit' });
      expect(Number(ms)).toBeGreaterThanOrEqual(30);
    }
  });
});

describe('nettrace --latency-summary', () => {
  it('counts as many packets as --latency prints, and each in its row', async (ctx) => {
    onlyOnRealMachines(ctx);
    const filter = ['--addr', nets, '-p', 'icmp'];
    const runs = { ...both('--latency-summary', ...filter), latency: ['--latency', '--json', ...filter] };
    const { text, json, latency } = await watch(runs, async () => {
      await ping(stage, 4);
      await disconnect(await connect(stage, PORT));
    });
    const last = json.of('histogram').at(-1);
    expect(last).toMatchObject({ name: 'latency', unit: 'us', total: 8 });
    expect(last?.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(8);
    expect(latency.records).toHaveLength(8);
    for (const row of last?.buckets ?? []) expect(row.low).toBeLessThan(row.high);
    const picture = text.stdout.slice(text.stdout.lastIndexOf('latency distribution:')).split('\n').slice(0, -2);
    expect(picture[0]).toMatch(/^latency distribution: +8$/);
    for (const row of picture.slice(1)) expect(row).toMatch(/^ +\d+ - +\d+us: \d+ +[01]\.\d{4}$/);
    // it has looked at times, not at drops
    expect(text.stderr).not.toContain('drops');
  });
});

describe('nettrace --func-stats', () => {
  it('counts each function for the packets of the filter', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--func-stats', '--addr', nets, '-p', 'icmp', '-t', 'net_dev_queue,netif_receive_skb'];
    const { text, json } = await watch(both(...words), async () => {
      await ping(stage, 5);
      await disconnect(await connect(stage, PORT));
    });
    expect(text.stdout).toMatch(/^begin trace\.\.\.\nnet_dev_queue +10\nnetif_receive_skb +10\nend trace\.\.\.\n$/);
    expect(json.records).toEqual([
      expect.objectContaining({
        type: 'functions',
        functions: [
          { func: 'net_dev_queue', stage: 'device-out', hits: 10 },
          { func: 'netif_receive_skb', stage: 'device-in', hits: 10 },
        ],
      }),
    ]);
    expect(text.stderr).not.toContain('drops');
  });

  it('says so where no function was called', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--func-stats', '--addr', nets, '-P', String(UDP_PORT), '-t', 'net_dev_queue'];
    const { text } = await watch({ text: words }, () => ping(stage));
    expect(text.stdout).toBe('begin trace...\nno function was called\nend trace...\n');
  });
});

describe('times in the default mode', () => {
  it('--latency-show prints the time of each step, and of the whole way', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--latency-show', '--addr', nets, '-p', 'icmp'] }, () => ping(stage, 2));
    expectOnly(text, 'ICMP');
    expect(text.blocks).toHaveLength(4);
    for (const block of text.blocks) {
      const [, first, ...lines] = block.split('\n').filter((line) => /^(\[|\*{17} )/.test(line));
      expect(first).not.toContain('latency:');
      const steps = lines.map((line) => Number(/ latency: (\d+\.\d{3})ms( \*[^*]+\*)*$/.exec(line)?.[1]));
      expect(steps).not.toContain(Number.NaN);
      const total = Number(/^total latency: (\d+\.\d{3})ms$/m.exec(block)?.[1]);
      // the free comes after the packet has done its work
      expect(total).toBeLessThanOrEqual(steps.reduce((sum, ms) => sum + ms, 0) + 0.001 * steps.length);
      expect(total).toBeGreaterThanOrEqual(steps.slice(0, -2).reduce((sum, ms) => sum + ms, 0) - 0.001 * steps.length);
    }
  });

  it('--min-latency shows only packets that took so long', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--min-latency', String(LIMIT_US), '--addr', nets, '-p', 'tcp', '-P', String(PORT)];
    const { text, json } = await watch(both(...words), async () => {
      const connection = await connect(stage, PORT);
      await readOnceSoonAndOnceLate((data) => connection.near.call('sendall', data), connection.far);
      await disconnect(connection);
      await ping(stage);
    });
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    expect(text.blocks).toHaveLength(1);
    expect(Number(/^total latency: (\d+\.\d{3})ms$/m.exec(text.stdout)?.[1])).toBeGreaterThanOrEqual(WAIT_MS);
    expect(json.of('trace').map(({ durationUs }) => durationUs >= WAIT_MS * 1000)).toEqual([true]);
  });
});
