import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SocketEvent } from '../../src/types.js';
import { CLI_PROGRAM } from '../support/kernel-cli.js';
import {
  both,
  connect,
  converse,
  counter,
  disconnect,
  expectOnly,
  expectOnlyRecords,
  knock,
  type Output,
  onlyOnRealMachines,
  ping,
  TRACEPOINTS_ONLY,
  watch,
} from '../support/kernel-modes.js';
import { until } from '../support/kernel-topology.js';
import { SHORTENED } from '../support/machine.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const PORT = 8301;
const OTHER_PORT = 8302;
const SOCKET_LINE = new RegExp(
  String.raw`^\[\d+\.\d{6}\] \[\w+ *\] TCP: \S+:\d+ -> \S+:\d+ [A-Z_0-9]+ CA_[A-Z]\w+ out:\(p\d+ r\d+\) unack:\d+ ` +
    String.raw`mem:\(w\d+ r\d+\)( timer:\(\w+, -?\d+\.\d{3}s\))?( accept:\(\d+ of \d+\))?( \*[^*]+\*)* owner:`,
);
/** Milliseconds on both ends of the link: the round trip of a connection that is not on a loopback. */
const DELAY_MS = 20;
const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;
const RTT_LINE = /\[(tcp_ack_update_rtt|tcp_probe_rtt) +\] .* \*rtt:\d+\.\d{3}ms, rtt_min:\d+\.\d{3}ms\*$/;

let stage: Stage;
let nets: string;

beforeAll(async () => {
  stage = await buildStage();
  nets = stage.net.nets.join(',');
});
afterAll(() => stage?.net.close());

function changesOf(events: readonly SocketEvent[], from: { saddr: string; sport: number }): string[] {
  return events
    .filter(({ tuple }) => tuple.saddr === from.saddr && tuple.sport === from.sport)
    .flatMap(({ notes }) =>
      notes.map(({ text }) => /changed: (.*)$/.exec(text)?.[1]).filter((text) => text !== undefined),
    );
}

const LISTEN_BOUND = `
import socket, sys
for device in sys.argv[2:]:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind((sys.argv[1], 0))
    one.listen()
    one.close()
`;

describe('nettrace --sock --ifname', () => {
  it('shows sockets with a route over the interface or bound to it, and no others; so does show', async () => {
    const { client, net, address } = stage;
    const words = ['--sock', '--netns', net.namespace('client'), '-t', 'inet_sock_set_state', '--json'];
    const play = async () => {
      await converse(stage, PORT);
      const listener = await client.listen(address('1.1'), PORT);
      const near = await client.bound('127.0.0.1', 0);
      await near.call('connect', [address('1.1'), PORT]);
      await (await listener.accept()).close();
      await near.close();
      await listener.close();
      const { status, stderr } = await client.run([
        '/usr/bin/python3',
        '-E',
        '-c',
        LISTEN_BOUND,
        '0.0.0.0',
        'c0',
        'c1',
      ]);
      expect(status, stderr).toBe(0);
    };
    const { all, one } = await watch({ all: words, one: [...words, '--ifname', 'c0'] }, play);
    const sockets = one.of('socket');
    expect(sockets.every(({ ifname, ifindex }) => ifname === 'c0' && ifindex !== undefined)).toBe(true);
    const changes = sockets.flatMap(({ tuple, notes }) => notes.map(({ text }) => [tuple.daddr, text]));
    const change = (text: string) => `TCP socket state has changed: ${text}`;
    expect(changes).toContainEqual([address('1.2'), change('SYN_SENT -> ESTABLISHED')]);
    expect(changes).toContainEqual(['0.0.0.0', change('CLOSE -> LISTEN')]);
    expect(new Set(all.of('socket').map(({ ifname }) => ifname))).toEqual(new Set(['c0', 'c1', 'lo', undefined]));
    const show = [CLI_PROGRAM, 'show', '--sock', '--ifname', 'c0', '--json', '-'];
    const again = spawnSync(process.execPath, show, { input: all.stdout, encoding: 'utf8' });
    const places = (lines: string) =>
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as SocketEvent)
        .map(({ func, tuple, notes }) => [func, tuple, notes]);
    expect(places(again.stdout)).toEqual(places(one.stdout));
  });
});

describe('nettrace --sock', () => {
  let text: Output;
  let json: Output;
  let expressed: Output;
  let clientPort = 0;

  beforeAll(async () => {
    if (SHORTENED) return;
    const words = ['--sock', '--addr', nets, '-p', 'tcp', '-P', String(PORT)];
    const expression = ['--sock', '--json', '--addr', nets, `tcp port ${PORT} and not host 192.0.2.1`];
    ({ text, json, expressed } = await watch({ ...both(...words), expressed: expression }, async () => {
      clientPort = await converse(stage, PORT);
      await converse(stage, OTHER_PORT);
      await ping(stage);
      await knock(stage, OTHER_PORT);
    }));
  });

  it('prints a line for each step of the sockets of that port, and of no other', (ctx) => {
    onlyOnRealMachines(ctx);
    expect(text.code).toBe(0);
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    for (const line of text.lines) expect(line).toMatch(SOCKET_LINE);
    expect(json.of('socket').map(({ mode }) => mode)).toEqual(json.records.map(() => 'sock'));
  });

  it('shows the same for an expression on ports and addresses', (ctx) => {
    onlyOnRealMachines(ctx);
    const seen = (output: Output) =>
      output.of('socket').map(({ func, tuple, socket: { state } }) => JSON.stringify([func, tuple, state]));
    expect(seen(expressed).length).toBeGreaterThan(0);
    expect(seen(expressed)).toEqual(seen(json));
  });

  it('shows the listener: its queue, and that it begins to listen', (ctx) => {
    onlyOnRealMachines(ctx);
    const begin = text.lines.find((line) => /begin to listen|CLOSE -> LISTEN/.test(line));
    expect(begin).toContain(`TCP: ${stage.address('1.2')}:${PORT} -> 0.0.0.0:0 CLOSE CA_Open out:(p0 r0) unack:0 `);
    const listening = json.of('socket').filter(({ socket }) => socket.state === 'LISTEN');
    expect(listening.length).toBeGreaterThan(0);
    for (const { socket } of listening)
      expect(socket).toMatchObject({ acceptLimit: 16, acceptQueue: expect.any(Number) });
  });

  it('shows the states of both ends up to the close', (ctx) => {
    onlyOnRealMachines(ctx);
    const events = json.of('socket');
    const client = changesOf(events, { saddr: stage.address('1.1'), sport: clientPort });
    const server = changesOf(events, { saddr: stage.address('1.2'), sport: PORT });
    expect(client).toEqual([
      'SYN_SENT -> ESTABLISHED',
      'ESTABLISHED -> FIN_WAIT1',
      'FIN_WAIT1 -> FIN_WAIT2',
      'FIN_WAIT2 -> CLOSE',
    ]);
    expect(server).toEqual([
      'CLOSE -> LISTEN',
      'LISTEN -> SYN_RECV',
      'SYN_RECV -> ESTABLISHED',
      'ESTABLISHED -> CLOSE_WAIT',
      'CLOSE_WAIT -> LAST_ACK',
      'LAST_ACK -> CLOSE',
      'LISTEN -> CLOSE',
    ]);
  });

  it('names the process that owns the socket', (ctx) => {
    onlyOnRealMachines(ctx);
    const owners = (saddr: string) =>
      new Set(
        json
          .of('socket')
          .filter((e) => e.tuple.saddr === saddr)
          .flatMap(({ owner }) => (owner ? [owner.pid] : [])),
      );
    expect(owners(stage.address('1.1'))).toEqual(new Set([stage.client.pid]));
    expect(owners(stage.address('1.2'))).toEqual(new Set([stage.server.pid]));
    expect(text.stdout).toContain(` owner:python3-${stage.client.pid}\n`);
  });

  it('names the owner in the last line of a socket, too', (ctx) => {
    onlyOnRealMachines(ctx);
    const ends = json.of('socket').filter(({ func }) => /^tcp_(v4_)?destroy_sock$/.test(func));
    expect(ends.length).toBeGreaterThanOrEqual(3);
    for (const { tuple, owner } of ends)
      expect(owner?.pid).toBe((tuple.saddr === stage.address('1.1') ? stage.client : stage.server).pid);
  });

  it('has timers that may be true: of a known kind, and at most as long as TCP waits', (ctx) => {
    onlyOnRealMachines(ctx);
    const timers = json.of('socket').flatMap(({ socket }) => (socket.timer ? [socket.timer] : []));
    expect(timers.length).toBeGreaterThan(0);
    for (const { kind, left } of timers) {
      expect(['retrans', 'loss_probe', 'keepalive', 'reo_timeout', 'probe0']).toContain(kind);
      // a timer that is due, and FIN_WAIT2's
      expect(left).toBeGreaterThan(-1);
      expect(left).toBeLessThanOrEqual(kind === 'keepalive' ? 60 : 3.1);
    }
  });

  it('says at its start what is missing where there are tracepoints only', (ctx) => {
    onlyOnRealMachines(ctx);
    if (text.hasFunctions) ctx.skip('functions can be attached here');
    expect(text.stderr).toMatch(TRACEPOINTS_ONLY);
  });
});

describe('round-trip times where the peer waits with its ACKs', () => {
  const PEER_WAITS_MS = 20;

  /** Data in one direction: the receiver, told so, acknowledges after 40 ms (TCP_DELACK_MIN). */
  async function sendSlowly(port: number): Promise<void> {
    const connection = await connect(stage, port);
    const { near, far } = connection;
    const before = await counter(stage.server, 'netstat', 'TcpExt DelayedACKs');
    for (let i = 1; i <= 8; i++) {
      await far.call('setsockopt', IPPROTO_TCP, TCP_QUICKACK, 0);
      await near.call('sendall', 'x');
      expect(await far.call('recv', 100)).toBe('x');
      await until(
        'the ACK was sent late',
        async () => (await counter(stage.server, 'netstat', 'TcpExt DelayedACKs')) >= before + i,
      );
    }
    await disconnect(connection);
  }

  it('--rtt-detail prints one line for each ACK, and the smoothed time grows', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--rtt-detail', '--addr', nets, '-P', String(PORT)];
    const runs = { ...both(...words), slow: [...words, '--json', '--filter-srtt', '15'] };
    const { text, json, slow } = await watch(runs, async () => {
      await converse(stage, OTHER_PORT);
      await sendSlowly(PORT);
    });
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    for (const line of text.lines) expect(line).toMatch(RTT_LINE);
    const rtts = (output: Output) =>
      output.of('socket').flatMap(({ tuple, rtt }) => (tuple.dport === PORT && rtt ? [rtt] : []));
    expect(rtts(json).at(-1)?.us).toBeGreaterThan(PEER_WAITS_MS * 1000);
    expect(rtts(json).at(-1)?.us).toBeLessThan(10 * PEER_WAITS_MS * 1000);
    for (const { us, minUs } of rtts(json)) expect(us).toBeGreaterThanOrEqual(minUs);
    // --filter-srtt lets through just those that are not faster
    expect(rtts(slow).length).toBeGreaterThan(0);
    expect(rtts(slow)).toEqual(rtts(json).filter(({ us }) => us >= 15_000));
  });

  it('--filter-minrtt keeps out connections that were ever faster', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--rtt-detail', '--json', '--addr', nets, '-P', String(PORT)];
    const runs = { some: [...words, '--filter-minrtt', '0.000001'], none: [...words, '--filter-minrtt', '15'] };
    const { some, none } = await watch(runs, () => sendSlowly(PORT));
    expectOnlyRecords(some, 'tcp', PORT);
    expect(none.stdout).toBe('');
  });

  it('--rtt counts them, in the kernel: as many as --rtt-detail prints', async (ctx) => {
    onlyOnRealMachines(ctx);
    const filter = ['--addr', nets, '-P', String(PORT)];
    const runs = { ...both('--rtt', ...filter), detail: ['--rtt-detail', '--json', ...filter] };
    const { text, json, detail } = await watch(runs, async () => {
      await converse(stage, OTHER_PORT);
      await sendSlowly(PORT);
    });
    const last = json.of('histogram').at(-1);
    expect(last).toMatchObject({ name: 'rtt', unit: 'us' });
    expect(last?.total).toBe(detail.of('socket').length);
    for (const { low, high, count } of last?.buckets ?? []) {
      const inside = detail.of('socket').filter(({ rtt }) => rtt !== undefined && rtt.us >= low && rtt.us < high);
      expect(inside.length, `${low} to ${high}`).toBe(count);
    }
    expect(text.stdout).toMatch(/^begin trace\.\.\.\n/);
    const picture = text.stdout.slice(text.stdout.lastIndexOf('rtt distribution:')).split('\n').slice(0, -2);
    expect(picture[0]).toMatch(new RegExp(`^rtt distribution: +${last?.total}$`));
    for (const row of picture.slice(1)) expect(row).toMatch(/^ +\d+ - +\d+us: \d+ +[01]\.\d{4}$/);
  });
});

describe('round-trip times on a link with delay', () => {
  const slow = DELAY_MS;
  let missing: string | undefined;

  beforeAll(async () => {
    const { status, stderr } = await stage.client.run(`tc qdisc add dev c0 root netem delay ${slow}ms`.split(' '));
    if (status !== 0) missing = `no delay on a link here: ${stderr.trim()}`;
  });
  afterAll(async () => {
    if (!missing) await must(stage.client, 'tc qdisc del dev c0 root');
  });

  /** The same conversation over the link, and on the client's loopback, where answers come at once. */
  async function converseTwice(port: number): Promise<void> {
    await converse(stage, port);
    const { client, address } = stage;
    await converse({ ...stage, server: client, address: (end) => address(end === '1.2' ? '1.1' : end) }, port);
  }

  it('--rtt counts none that is shorter than the delay', async (ctx) => {
    onlyOnRealMachines(ctx);
    if (missing) ctx.skip(missing);
    const words = ['--rtt', '--json', '--addr', `${stage.address('1.2')}/32`, '-P', String(PORT)];
    const { json } = await watch({ json: words }, () => converseTwice(PORT));
    const last = json.of('histogram').at(-1);
    expect(last?.total).toBeGreaterThanOrEqual(2);
    expect(last?.buckets.filter(({ high, count }) => high <= slow * 1000 && count > 0)).toEqual([]);
  });

  it('--rtt-detail prints each, and --filter-srtt keeps those of the loopback out', async (ctx) => {
    onlyOnRealMachines(ctx);
    if (missing) ctx.skip(missing);
    const words = ['--rtt-detail', '--addr', nets, '-P', String(PORT)];
    const runs = { ...both(...words, '--filter-srtt', '15'), all: [...words, '--json'] };
    const { text, json, all } = await watch(runs, () => converseTwice(PORT));
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    for (const line of text.lines) expect(line).toMatch(RTT_LINE);
    const local = (one: SocketEvent) => one.tuple.saddr === one.tuple.daddr;
    expect(json.of('socket').length).toBe(text.lines.length);
    for (const one of json.of('socket')) {
      expect(local(one)).toBe(false);
      expect(one).toMatchObject({ mode: 'rtt', rtt: { us: expect.any(Number), minUs: expect.any(Number) } });
      expect(one.rtt?.us).toBeGreaterThanOrEqual(slow * 1000);
      expect(one.rtt?.us).toBeLessThan(10 * slow * 1000);
    }
    expect(all.of('socket').some(local)).toBe(true);
    for (const one of all.of('socket').filter(local)) expect(one.rtt?.us).toBeLessThan(slow * 1000);
  });

  it('--filter-minrtt keeps out what was ever faster', async (ctx) => {
    onlyOnRealMachines(ctx);
    if (missing) ctx.skip(missing);
    const words = ['--rtt-detail', '--addr', nets, '-P', String(PORT), '--filter-minrtt', '15', '--json'];
    const { json } = await watch({ json: words }, () => converseTwice(PORT));
    expect(json.of('socket').length).toBeGreaterThan(0);
    for (const { rtt } of json.of('socket')) expect(rtt?.minUs).toBeGreaterThanOrEqual(15_000);
  });
});

it('--rtt-detail sees a connection that was there before', async (ctx) => {
  onlyOnRealMachines(ctx);
  const connection = await connect(stage, PORT);
  const words = ['--rtt-detail', '--addr', nets, '-P', String(PORT)];
  const { text } = await watch({ text: words }, async () => {
    await connection.near.call('sendall', 'x');
    expect(await connection.far.call('recv', 100)).toBe('x');
    await disconnect(connection);
  });
  expectOnly(text, 'TCP', PORT);
  expect(text.stdout).toContain(`:${connection.clientPort} `);
});
