import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI_PROGRAM } from '../support/kernel-cli.js';
import {
  beginToConnect,
  connect,
  converse,
  counter,
  disconnect,
  expectOnly,
  expectOnlyRecords,
  knock,
  Output,
  ping,
  watch,
} from '../support/kernel-modes.js';
import { kernelFrom } from '../support/kernel-recording.js';
import { until } from '../support/kernel-topology.js';
import { EMULATED } from '../support/machine.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

/** The modes by themselves, in the files beside this one, need a start of the program each. */
const PORT = 8601;
const CLOSED = 8602;
const FILTERED = 8603;
const FULL = 8604;
const NOBODY = '1.99';
const PINGS = 4;
/** Of the client's link, and of an application that leaves its data alone. */
const DELAY_MS = 20;
const MIN_SRTT_MS = 10;
/** More than any other step takes on a machine that does several things at once. */
const WAIT_MS = 1500;
/** The pause begins when the data is sent; in the queue it is later, by the link's delay at least. */
const IN_QUEUE_MS = WAIT_MS - 10 * DELAY_MS;
/** Dropped by a rule; of the larger one nftables tells by which. */
const FAIL_LARGE = ['ping', '-c', '1', '-W', '1', '-s', '600'];
const FAIL_TRACED = ['ping', '-c', '1', '-W', '1', '-s', '900'];

/** A run of the program: what is asked for, and how it is shown. */
interface Run {
  show: readonly string[];
  words: readonly string[];
}

const NAMES = ['drop', 'monitor', 'basic', 'sock', 'rtt', 'rtts', 'latency', 'times', 'acks', 'stats', 'diag'] as const;
type Name = (typeof NAMES)[number];

let stage: Stage;
/** As it ran, and the same for people. */
let jsons: Partial<Record<Name, Output>>;
let texts: Partial<Record<Name, Output>>;

/** Newer kernels have it in its callers only. */
const ACKS_ARE_SEEN = /\btcp_rate_skb_delivered$/m.test(readFileSync('/proc/kallsyms', 'utf8'));

/** Few functions for each run: on old kernels each costs time at the end. Of two names a kernel has one. */
function runs(nets: string): Partial<Record<Name, Run>> {
  const mine = ['--addr', nets];
  const port = [...mine, '-p', 'tcp', '-P', String(PORT)];
  const pings = [...mine, '-p', 'icmp'];
  const queue = 'tcp_queue_rcv,tcp_data_queue_ofo';
  const waited = ['-t', queue, '--trace-matcher', queue, '--latency-free'];
  const [sent, acked] = ['skb_entail,tcp_skb_entail', 'tcp_rate_skb_delivered'];
  const acks = ['-t', `${sent},${acked}`, '--trace-matcher', sent, '--trace-free', acked];
  const sockets = 'inet_listen,tcp_connect,tcp_rcv_state_process,inet_sock_set_state,tcp_close,__tcp_transmit_skb';
  const hooks = 'nf_hook_slow,nft_do_chain,nft_trace_notify,icmp_rcv';
  return {
    drop: { show: ['--drop', '--drop-stack'], words: [...mine, '-p', 'tcp', '-P', `${CLOSED},${FILTERED}`] },
    monitor: { show: ['--monitor'], words: mine },
    basic: { show: ['--basic'], words: [...pings, '-t', 'icmp_rcv,icmp_echo'] },
    sock: { show: ['--sock'], words: [...port, '-t', sockets] },
    rtt: { show: ['--rtt-detail', '--filter-srtt', String(MIN_SRTT_MS)], words: port },
    rtts: { show: ['--rtt'], words: port },
    latency: { show: ['--latency', '--min-latency', String(IN_QUEUE_MS * 1000)], words: [...port, ...waited] },
    times: { show: ['--latency-summary'], words: [...port, ...waited] },
    ...(ACKS_ARE_SEEN
      ? { acks: { show: ['--latency', '--min-latency', String(DELAY_MS * 1000)], words: [...port, ...acks] } }
      : {}),
    stats: { show: ['--func-stats'], words: [...pings, '-t', 'icmp_rcv,icmp_echo,netif_receive_skb'] },
    diag: {
      show: ['--diag', '--diag-keep', '--hooks', '--ret'],
      words: [...pings, '--trace-stack', 'icmp_rcv', '-t', hooks],
    },
  };
}

function mapRuns<From, To>(
  from: Partial<Record<Name, From>>,
  change: (one: From, name: Name) => To,
): Partial<Record<Name, To>> {
  return Object.fromEntries(NAMES.flatMap((name) => (from[name] ? [[name, change(from[name], name)]] : [])));
}

/** What was recorded, as people read it; how it ended is what the run itself said. */
function shown({ show }: Run, { stdout, stderr, code }: Output): Output {
  const words = [CLI_PROGRAM, 'show', ...show, '-'];
  const again = spawnSync(process.execPath, words, { input: stdout, encoding: 'utf8', maxBuffer: 64 << 20 });
  expect(again.status, again.stderr).toBe(0);
  expect(again.stderr).not.toContain('skipped');
  return new Output({ code, stdout: again.stdout, stderr });
}

async function prepare(): Promise<void> {
  const { client, server } = stage;
  // with conntrack's there are two functions at the hook
  const chain = 'type filter hook input priority 0';
  const traced = 'meta length > 800 meta nftrace set 1';
  const rules = `ct state related accept; ${traced}; tcp dport ${FILTERED} drop; ip protocol icmp meta length > 500 drop`;
  await must(server, 'nft -f -', `table inet t { chain in { ${chain}; ${rules}; }; }`);
  await must(client, `tc qdisc add dev c0 root netem delay ${DELAY_MS}ms`);
  await must(client, 'sysctl -q -w net.ipv4.neigh.c0.retrans_time_ms=100 net.ipv4.neigh.c0.mcast_solicit=1');
}

async function waitInQueue(): Promise<void> {
  const connection = await connect(stage, PORT);
  await connection.near.call('sendall', 'soon');
  expect(await connection.far.call('recv', 100)).toBe('soon');
  await connection.near.call('sendall', 'late!');
  // the link delays it: the pause begins when it is in the queue
  expect(await connection.far.call('recv', 100, 'MSG_PEEK')).toBe('late!');
  const end = performance.now() + WAIT_MS;
  await until('the pause is over', () => performance.now() >= end);
  expect(await connection.far.call('recv', 100)).toBe('late!');
  await disconnect(connection);
}

/** The same on the client's loopback. */
function converseNearby(): Promise<number> {
  const { client, address } = stage;
  return converse({ ...stage, server: client, address: (end) => address(end === '1.2' ? '1.1' : end) }, PORT);
}

async function overflow(): Promise<void> {
  const { client, server, address } = stage;
  const listener = await server.bound(address('1.2'), FULL);
  await listener.call('listen', 0);
  const first = await client.socket('AF_INET', 'SOCK_STREAM');
  await first.call('connect', [address('1.2'), FULL]);
  const second = await beginToConnect(stage, FULL);
  const overflows = () => counter(server, 'netstat', 'TcpExt ListenOverflows');
  await until('a SYN is turned away', async () => (await overflows()) > 0);
  for (const socket of [second, first, listener]) await socket.close();
}

async function play(): Promise<void> {
  const { client, address } = stage;
  const lost = await beginToConnect(stage, FILTERED);
  await waitInQueue();
  await converseNearby();
  await knock(stage, CLOSED);
  await overflow();
  await ping(stage, PINGS);
  for (const words of [FAIL_LARGE, FAIL_TRACED]) expect((await client.run([...words, address('1.2')])).status).toBe(1);
  expect((await client.run(['ping', '-c', '1', '-W', '20', address(NOBODY)])).status).toBe(1);
  await until('a SYN is sent again', async () => (await counter(client, 'netstat', 'TcpExt TCPSynRetrans')) > 0);
  await lost.close();
}

beforeAll(async () => {
  if (!EMULATED) return;
  stage = await buildStage();
  await prepare();
  const all = runs(`${stage.net.v4}.0.0/16`);
  jsons = await watch(
    mapRuns(all, ({ show, words }) => ['--json', ...show, ...words]) as Record<Name, readonly string[]>,
    play,
  );
  texts = mapRuns(all, (run, name) => shown(run, jsons[name]!));
}, 900_000);
afterAll(() => stage?.net.close());

const OTHER_LOSSES = /events lost|packets not traced|not attributed|malformed|without a trace|not delivered/;

/** A test over what the run of that name said, for people and for programs. */
function says(name: Name, what: string, check: (text: Output, json: Output) => void): void {
  it(what, (ctx) => {
    if (!EMULATED) ctx.skip('the other files ask each mode by itself');
    ctx.skip(name === 'acks' && !ACKS_ARE_SEEN, 'this kernel has no function tcp_rate_skb_delivered');
    const [text, json] = [texts[name]!, jsons[name]!];
    expect(json.code).toBe(0);
    // interrupts come on top of eleven tracers' programs, with packets of whomever
    expect(json.stderr, 'nothing was lost').toMatch(/^nothing lost$|^ +\d+ {2}hits not looked at/m);
    expect(json.stderr).not.toMatch(OTHER_LOSSES);
    // each by the schema
    expect(json.records.length).toBeGreaterThan(0);
    check(text, json);
  });
}

describe('all modes at once', () => {
  says('drop', '--drop: the SYNs that nobody wants and that a rule drops, each with the way there', (text, json) => {
    expectOnlyRecords(json, 'tcp');
    const drops = json.of('packet');
    const at = (port: number) => drops.filter(({ tuple }) => tuple?.dport === port).map(({ event }) => event);
    expect(at(CLOSED).map(({ drop }) => drop?.location)).toEqual([expect.stringMatching(/^tcp_v4_rcv\+0x/)]);
    expect(at(FILTERED).length).toBeGreaterThanOrEqual(2);
    for (const { drop } of at(FILTERED)) expect(drop?.location).toMatch(/^(nft_do_chain|nf_hook_slow)\+0x/);
    if (kernelFrom(5, 19)) expect(at(CLOSED)[0]?.drop?.reason).toBe('NO_SOCKET');
    expect(drops.every(({ event }) => event.drop)).toBe(true);
    expect(at(CLOSED).length + at(FILTERED).length).toBe(drops.length);
    expectOnly(text, 'TCP');
    expect(text.lines).toHaveLength(drops.length);
    for (const line of text.lines)
      expect(line).toMatch(/ seq:\d+, ack:\d+, flags:S \*(reason: \w+, )?\w+\+0x[0-9a-f]+( \[\w+\])?\* /);
    expect(text.stdout.match(/^Call Stack:$/gm)).toHaveLength(drops.length);
    for (const { stack = [] } of at(CLOSED)) {
      const symbols = stack.map(({ symbol }) => symbol);
      expect(symbols[0]).toMatch(/^(kfree_skb\w*|sk_skb_reason_drop|tcp_v4_rcv)\+0x/);
      expect(symbols.join('\n')).toMatch(/^tcp_v4_rcv\+0x/m);
      // beyond the interrupt there is what the task was doing: bpf(2), for one
      const interrupt = symbols.findIndex((symbol) => /^(asm_|irq_exit|sysvec_)/.test(symbol));
      const own = symbols.slice(0, interrupt < 0 ? undefined : interrupt);
      expect(own.join('\n')).not.toMatch(/bpf|__traceiter|kprobe|fprobe|ftrace/);
    }
  });

  says('monitor', '--monitor: what went wrong, each thing as itself, and nothing of what went well', (output, json) => {
    expect(json.records).toHaveLength(output.lines.length);
    const of = (func: RegExp) => output.lines.filter((line) => func.test(line));
    expect(of(new RegExp(`:${PORT} `))).toEqual([]);
    expect(of(/\[kfree_skb +\] TCP: /).length).toBeGreaterThanOrEqual(3);
    const sent = of(
      /\[tcp_(v4_)?send_reset +\] TCP: .*state: no socket\*.*\*connection reset initiated by the TCP stack\*$/,
    );
    expect(sent.filter((line) => line.includes(' flags:S '))).toEqual([expect.stringContaining(`:${CLOSED} `)]);
    // a reset is not answered by another
    expect(sent.filter((line) => /flags:A?R/.test(line))).toEqual([]);
    expect(of(/\[tcp_receive_reset +\] TCP: .* SYN_SENT .*\*connection is reset by the peer\*$/)).toEqual([
      expect.stringContaining(`:${CLOSED} `),
    ]);
    const again = of(/\[(__)?tcp_retransmit_skb *\] TCP: .* flags:S .*\*packet is retransmitted\*/);
    expect(again.length).toBeGreaterThan(0);
    for (const line of again) expect(line).toMatch(new RegExp(`:(${FILTERED}|${FULL}) `));
    expect(of(/\[tcp_conn_request +\] TCP: .* flags:S .*\*accept queue is full: 1 of 0\*/).length).toBeGreaterThan(0);
    expect(of(/\[neigh_timer_handler +\] .*\*the neighbour does not answer\*$/)).toEqual([
      expect.stringContaining(stage.address(NOBODY)),
    ]);
  });

  says('sock', '--sock: listen, connect, states and timers, and whose sockets they are', (text, json) => {
    expectOnlyRecords(json, 'tcp', PORT);
    expectOnly(text, 'TCP', PORT);
    const events = json.of('socket');
    expect(text.lines).toHaveLength(events.length);
    const by = (name: string) => events.filter(({ func }) => func === name);
    const { client, server } = stage;
    expect(by('inet_listen')[0]).toMatchObject({ socket: { state: 'CLOSE' }, owner: { pid: server.pid } });
    expect(by('tcp_connect')[0]).toMatchObject({ socket: { state: 'SYN_SENT' }, owner: { pid: client.pid } });
    const states = new Set(events.map(({ socket }) => socket.state));
    for (const state of ['LISTEN', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED', 'FIN_WAIT1', 'LAST_ACK'])
      expect(states).toContain(state);
    const changes = events.flatMap(({ notes }) => notes.map(({ text }) => text));
    for (const change of ['CLOSE -> SYN_SENT', 'SYN_RECV -> ESTABLISHED', 'LAST_ACK -> CLOSE'])
      expect(changes).toContain(`TCP socket state has changed: ${change}`);
    const timers = events.flatMap(({ socket }) => (socket.timer ? [socket.timer] : []));
    expect(timers.length).toBeGreaterThan(0);
    for (const { kind, left } of timers) {
      expect(['retrans', 'loss_probe', 'keepalive', 'reo_timeout', 'probe0']).toContain(kind);
      expect(left).toBeGreaterThan(-1);
      expect(left).toBeLessThanOrEqual(60);
    }
  });

  says('rtt', '--rtt-detail: the delay of the link, and nothing faster than asked for', (output, json) => {
    expectOnly(output, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    for (const line of output.lines) {
      const rtt = Number(/ \*rtt:(\d+\.\d{3})ms, rtt_min:\d+\.\d{3}ms\*$/.exec(line)?.[1]);
      // an emulated machine may be slower than the filter asks for on its loopback, too
      const overTheLink = line.includes(stage.address('1.2'));
      expect(rtt, line).toBeGreaterThanOrEqual(overTheLink ? DELAY_MS : MIN_SRTT_MS);
    }
    expect(output.lines.some((line) => line.includes(stage.address('1.2')))).toBe(true);
  });

  says('latency', '--latency: the segment that waited in the receive queue, and how long', (output, json) => {
    expectOnly(output, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    expect(output.lines).toHaveLength(1);
    const [, func, to, ms] =
      /\[(\w+) *\]\[tcp_queue_rcv -> (\w+) *\] .* latency: (\d+\.\d{3})ms$/.exec(output.lines[0] ?? '') ?? [];
    expect(to).toBe(func);
    expect(Number(ms)).toBeGreaterThanOrEqual(IN_QUEUE_MS);
    expect(Number(ms)).toBeLessThan(20 * WAIT_MS);
  });

  says(
    'acks',
    '--latency from the transmit queue to the ACK: whose segment, and no faster than the link',
    (output, json) => {
      expectOnly(output, 'TCP', PORT);
      expectOnlyRecords(json, 'tcp', PORT);
      const between = `${stage.address('1.1')}:\\d+ -> ${stage.address('1.2')}:${PORT}`.replaceAll('.', '\\.');
      const line = new RegExp(
        `\\[tcp_rate_skb_delivered\\]\\[tcp_skb_entail -> tcp_rate_skb_delivered\\] TCP: ${between} seq:(\\d+), ack:(\\d+), flags:A\\w* latency: (\\d+\\.\\d{3})ms$`,
      );
      const found = output.lines.map((text) => line.exec(text)).filter((match) => match !== null);
      const seqs = found.map(([, seq]) => Number(seq));
      expect(seqs, output.stdout).toHaveLength(2);
      // one after the other, 'soon' and 'late!'
      expect((seqs[1]! - seqs[0]! + 2 ** 32) % 2 ** 32).toBe('soon'.length);
      for (const [, , ack, ms] of found) {
        expect(Number(ack)).toBeGreaterThan(0);
        expect(Number(ms)).toBeGreaterThanOrEqual(DELAY_MS);
      }
    },
  );

  says('basic', '--basic: each hit by itself, without a life-cycle', (text, json) => {
    expectOnly(text, 'ICMP');
    expectOnlyRecords(json, 'icmp');
    const hits = json.of('packet').map(({ event }) => event.func);
    const of = (name: string) => hits.filter((func) => func === name).length;
    if (of('icmp_echo') > 0) expect(of('icmp_echo')).toBe(PINGS);
    expect(of('icmp_rcv')).toBe(2 * PINGS + 1);
    expect(text.lines.map((line) => /\[(icmp_\w+) *\] ICMP: /.exec(line)?.[1])).toEqual(hits);
  });

  says('rtts', '--rtt: a histogram with the delay of the link', (text, json) => {
    const last = json.of('histogram').at(-1)!;
    expect(last).toMatchObject({ name: 'rtt', unit: 'us' });
    expect(last.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(last.total);
    const slow = last.buckets.filter(({ high }) => high > DELAY_MS * 1000);
    expect(slow.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0);
    expect(text.stdout).toMatch(new RegExp(`^rtt distribution: +${last.total}$`, 'm'));
  });

  says('times', '--latency-summary: how long the segments waited in the receive queue', (text, json) => {
    const last = json.of('histogram').at(-1)!;
    expect(last).toMatchObject({ name: 'latency', unit: 'us' });
    const waited = last.buckets.filter(({ high }) => high > IN_QUEUE_MS * 1000);
    expect(waited.map(({ count }) => count)).toEqual([1]);
    expect(text.stdout).toMatch(new RegExp(`^latency distribution: +${last.total}$`, 'm'));
  });

  says('stats', '--func-stats: exactly so many', (output, json) => {
    const hits = new Map([...output.stdout.matchAll(/^(\w+) +(\d+)$/gm)].map(([, func, n]) => [func, Number(n)]));
    const counted = json
      .of('functions')
      .at(-1)!
      .functions.filter(({ hits: n }) => n > 0);
    expect(new Map(counted.map(({ func, hits: n }) => [func, n]))).toEqual(new Map([...hits].filter(([, n]) => n > 0)));
    // requests and replies; the large ones are dropped before icmp_rcv; the last is its own host's error
    expect(hits.get('icmp_echo')).toBe(PINGS);
    expect(hits.get('netif_receive_skb')).toBe(2 * PINGS + 3);
    expect(hits.get('icmp_rcv')).toBe(2 * PINGS + 1);
  });

  says(
    'diag',
    '--diag --hooks --ret --trace-stack: who dropped the large pings, by which rule, and where the others went',
    (output, json) => {
      expectOnly(output, 'ICMP');
      expectOnlyRecords(json, 'icmp');
      const blamed = json
        .of('trace')
        .flatMap(({ findings = [] }) => findings.filter(({ func }) => func === 'nf_hook_slow'));
      expect(blamed).toHaveLength(2);
      for (const { level, group, hooks } of blamed)
        expect({ level, group, hooks }).toMatchObject({ level: 'error', group: 'netfilter', hooks: expect.any(Array) });
      const dropped = output.blocks.filter((block) => block.includes('ERROR happens in nf_hook_slow(netfilter):'));
      expect(dropped).toHaveLength(2);
      const large = 'handle \\d+: ip protocol icmp meta length > 500 drop';
      expect(dropped[0]).toMatch(
        new RegExp(`\\n\\tone of 2 rules dropped it: handle \\d+: tcp dport ${FILTERED} drop; ${large}\\n`),
      );
      expect(dropped[1]).toMatch(new RegExp(`\\[nft_trace_notify {4}\\] ICMP: .* \\*dropped by rule ${large}\\*\\n`));
      expect(dropped[1]).toMatch(
        new RegExp(
          `\\] ERROR happens in nft_trace_notify\\(netfilter\\):\\n\\tdropped by rule ${large}\\n {4}fix advice:\\n`,
        ),
      );
      expect(dropped[0]).toMatch(
        /\[nf_hook_slow {8}\] .* ret:-1 .*\*ipv4 in chain: INPUT\*.*\*packet is dropped by netfilter \(NF_DROP\)\*/,
      );
      expect(dropped[0]).toMatch(
        /\n\n {4}following hook functions are blamed:\n\tnft_do_chain_inet( \[\w+\])? <- returned the verdict\n\t\w+.*\n\n {4}fix advice:\n/,
      );
      expect(dropped[0]).toMatch(
        /\[\d\] ERROR happens in kfree_skb\(life\):\n\tpacket is dropped by kernel\n {4}location:\n\t\w+\+0x/,
      );
      const stacks = [...output.stdout.matchAll(/\[icmp_rcv +\] .*\nCall Stack:\n((?: {4}-> .*\n)+)/g)];
      expect(stacks.length).toBeGreaterThanOrEqual(2 * PINGS);
      for (const [, frames = ''] of stacks) {
        expect(frames).toMatch(/^ {4}-> \[[0-9a-f]{16}\](icmp_rcv|ip_protocol_deliver_rcu)\+0x/);
        // further out there may be what the interrupted task was doing: bpf(2), for one
        const inner = frames.split('\n').slice(0, 4).join('\n');
        expect(inner).not.toMatch(/bpf|kprobe|fprobe|ftrace|rethook/);
      }
    },
  );
});
