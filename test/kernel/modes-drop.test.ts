import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  both,
  connect,
  converse,
  expectOnly,
  expectOnlyRecords,
  knock,
  type Output,
  onlyOnRealMachines,
  ping,
  watch,
} from '../support/kernel-modes.js';
import { kernelFrom } from '../support/kernel-recording.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const CLOSED = 8101;
const OPEN = 8102;
const FILTERED = 8103;
const MSG_PEEK = 2;
const TIME = String.raw`^\[\d+\.\d{6}\] `;

let stage: Stage;
let mine: string[];

beforeAll(async () => {
  stage = await buildStage();
  mine = ['--drop', '--addr', stage.net.nets.join(',')];
  await must(
    stage.server,
    'nft -f -',
    `table inet t { chain in { type filter hook input priority 0; udp dport ${FILTERED} drop; }; }`,
  );
});
afterAll(() => stage?.net.close());

async function sendDatagram(port: number): Promise<void> {
  const socket = await stage.client.bound(stage.address('1.1'), 0, 'SOCK_DGRAM');
  await socket.call('sendto', 'x', [stage.address('1.2'), port]);
  await socket.close();
}

/** An application that closes before it has read all answers with a reset. */
async function closeUnread(): Promise<void> {
  const { listener, near, far } = await connect(stage, OPEN);
  await near.call('sendall', 'nobody reads this');
  await until('it has arrived', async () => (await far.call('recv', 100, MSG_PEEK)) !== '');
  await far.close();
  await expect(near.call('recv', 100)).rejects.toThrow('ConnectionReset');
  await near.close();
  await listener.close();
}

function expectEnd({ code, stdout }: Output): void {
  expect(code).toBe(0);
  expect(stdout).toMatch(/^begin trace\.\.\.\n/);
  expect(stdout).toMatch(/end trace\.\.\.\n$/);
}

describe('nettrace --drop', () => {
  it('prints one line for a SYN to a closed port: the packet, why and where, and whose it was', async (ctx) => {
    onlyOnRealMachines(ctx);
    let from = 0;
    const { text, json } = await watch(both(...mine, '-p', 'tcp', '-P', String(CLOSED)), async () => {
      from = await knock(stage, CLOSED);
      await knock(stage, CLOSED + 100);
      await sendDatagram(FILTERED);
    });
    expectEnd(text);
    const way = `TCP: ${stage.address('1.1')}:${from} -> ${stage.address('1.2')}:${CLOSED}`;
    const reason = kernelFrom(5, 17) ? 'NO_SOCKET, ' : '';
    expect(text.lines).toEqual([
      expect.stringMatching(
        new RegExp(
          String.raw`${TIME}${way} seq:\d+, ack:0, flags:S \*(reason: )?${reason}tcp_v4_rcv\+0x[0-9a-f]+\* ` +
            String.raw`\*packet is dropped by kernel\* owner:no owner$`,
        ),
      ),
    ]);
    expect(text.stderr).toMatch(/^1 event\n1 drop:\n +1 {2}\S+( reason given)? at tcp_v4_rcv\+0x[0-9a-f]+\n/m);
    expect(json.records).toEqual([
      expect.objectContaining({
        type: 'packet',
        mode: 'drop',
        proto: 'tcp',
        tuple: expect.objectContaining({ sport: from, dport: CLOSED }),
        event: expect.objectContaining({
          func: 'kfree_skb',
          ifname: 's0',
          drop: { location: expect.stringMatching(/^tcp_v4_rcv\+0x/), ...(reason ? { reason: 'NO_SOCKET' } : {}) },
        }),
      }),
    ]);
  });

  it('names the place where a rule of nftables drops', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '-p', 'udp'), async () => {
      await sendDatagram(FILTERED);
      await knock(stage, CLOSED);
    });
    expectOnly(text, 'UDP', FILTERED);
    expectOnlyRecords(json, 'udp', FILTERED);
    expect(text.lines).toHaveLength(1);
    expect(text.lines[0]).toMatch(/nft_do_chain\+0x[0-9a-f]+( \[nf_tables\])?\* \*packet is dropped by kernel\*/);
    if (kernelFrom(5, 19)) expect(text.lines[0]).toContain('*reason: NETFILTER_DROP, ');
  });

  it('prints nothing for namespaces where nothing is dropped', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine), async () => {
      await converse(stage, OPEN);
      await ping(stage, 2);
    });
    expectEnd(text);
    expect(text.stdout).toBe('begin trace...\nend trace...\n');
    expect(text.stderr).toMatch(/no drops\nnothing lost\n$/);
    expect(json.stdout).toBe('');
  });

  it('counts frees that are no loss only with --drop-all: data unread, a reset, ARP', async (ctx) => {
    onlyOnRealMachines(ctx);
    const runs = { some: mine, all: [...mine, '--drop-all'], json: [...mine, '--drop-all', '--json'] };
    const { some, all, json } = await watch(runs, async () => {
      stage.net.ip('client', 'neigh flush all');
      await ping(stage);
      await closeUnread();
      await knock(stage, CLOSED);
    });
    expect(some.lines).toEqual([expect.stringContaining(`:${CLOSED} `)]);
    expect(all.lines.length).toBeGreaterThan(some.lines.length);
    const drops = json.of('packet');
    expect(drops).toHaveLength(all.lines.length);
    const noLoss = drops.filter(({ event }) => event.drop?.noLoss !== undefined);
    expect(noLoss).toHaveLength(drops.length - 1);
    for (const line of all.lines.filter((one) => !one.includes(`:${CLOSED} `)))
      expect(line).toMatch(/\*no loss: [^*]+\*/);
    // the summary of both counts losses alone
    for (const { stderr } of [some, all, json]) expect(stderr).toMatch(/^1 drop:$/m);
  });

  it('ends after -c drops, whatever is freed in between', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '-c', '2'), async (clis) => {
      await knock(stage, CLOSED);
      await closeUnread();
      await knock(stage, CLOSED + 1);
      await Promise.all([clis.text.ended, clis.json.ended]);
      await knock(stage, CLOSED + 2);
    });
    expectEnd(text);
    expect(text.lines.map((line) => /:(\d+) seq/.exec(line)?.[1])).toEqual([String(CLOSED), String(CLOSED + 1)]);
    expect(json.records).toHaveLength(2);
    expect(json.stderr).toMatch(/^2 drops:$/m);
  });

  it('shows how the kernel got there with --drop-stack', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '--drop-stack', '-P', String(CLOSED)), async () => {
      await knock(stage, CLOSED);
    });
    expect(text.lines).toHaveLength(1);
    const frames = text.stdout.split('Call Stack:\n')[1]?.split('\n\n')[0]?.split('\n') ?? [];
    expect(frames.length).toBeGreaterThan(3);
    for (const frame of frames) expect(frame).toMatch(/^ {4}-> \[[0-9a-f]{16}\]\S+( \[\w+\])?$/);
    const symbols = json.of('packet')[0]?.event.stack?.map(({ symbol }) => symbol) ?? [];
    expect(frames.map((frame) => frame.slice('    -> [0123456789abcdef]'.length))).toEqual(symbols);
    // the function that frees, then its callers down to the system call
    expect(symbols[0]).toMatch(/^(__)?(kfree_skb|sk_skb_reason_drop)/);
    expect(symbols[1]).toMatch(/^tcp_v4_rcv\+0x/);
    expect(symbols.join('\n')).not.toMatch(/bpf_|trace_call_bpf|\bon_\w+/);
  });

  it('says nothing of missing functions: the tracepoint is all that it needs', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: mine }, async () => {});
    expect(text.hasFunctions).toBe(true);
    expect(text.stderr).toMatch(/^0 events\nno drops\nnothing lost\n$/);
  });
});
