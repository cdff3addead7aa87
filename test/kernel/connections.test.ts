import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connections, type InetSocket } from '../../dist/index.js';
import { CLI_PROGRAM, Cli } from '../support/kernel-cli.js';
import { onlyOnRealMachines } from '../support/kernel-modes.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const OPEN = 8401;
const BACKLOG = 8402;
const UDP = 8403;
const V6 = 8404;
const CLIENT = '1.77';
const SYN_PORT = 42001;
const VANISHING = 8405;
const STANDING = 8406;
const TCP_REPAIR = 19;
const SOL_TCP = 6;
/** ss(8) has names of its own for some states. */
const SS_STATES: Readonly<Record<string, string>> = {
  ESTAB: 'ESTABLISHED',
  'FIN-WAIT-1': 'FIN_WAIT1',
  'FIN-WAIT-2': 'FIN_WAIT2',
};

const NO_RAW = 'this kernel does not list raw sockets (raw_diag)';

let stage: Stage;
let hasRaw = true;
let namespace: string;

/** What ss prints of a socket, in our words. */
interface Row {
  state: string;
  recvQueue: number;
  sendQueue: number;
  local: string;
  peer: string;
  timer: string | undefined;
}

function rowOf(line: string): Row {
  const [state = '', recvQueue, sendQueue, local = '', peer = ''] = line.trim().split(/\s+/);
  return {
    state: SS_STATES[state] ?? state.replace('-', '_'),
    recvQueue: Number(recvQueue),
    sendQueue: Number(sendQueue),
    local,
    peer,
    timer: /timer:\((\w+),/.exec(line)?.[1],
  };
}

async function ss(...words: string[]): Promise<Row[]> {
  const text = await must(stage.server, ['ss', '-Hno', ...words].join(' '));
  return sorted(text.split('\n').filter(Boolean).map(rowOf));
}

function endpoint(address: string, port: number | undefined): string {
  const plain = address.replace(/^::ffff:.*/, (mapped) => `[${mapped}]`);
  const shown = plain.includes(':') && !plain.startsWith('[') ? `[${plain}]` : plain;
  return `${shown}:${port || '*'}`;
}

function ownRow({ state, recvQueue, sendQueue, tuple, timer }: InetSocket): Row {
  return {
    state,
    recvQueue,
    sendQueue,
    local: endpoint(tuple.saddr, tuple.sport),
    peer: endpoint(tuple.daddr, tuple.dport),
    timer: timer?.kind,
  };
}

function sorted(rows: Row[]): Row[] {
  return rows.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

function find(sockets: readonly InetSocket[], wanted: { sport?: number; dport?: number; state?: string }): InetSocket {
  const found = sockets.find(
    ({ tuple, state }) =>
      tuple.sport === (wanted.sport ?? tuple.sport) &&
      tuple.dport === (wanted.dport ?? tuple.dport) &&
      state === (wanted.state ?? state),
  );
  return found ?? expect.fail(`no socket has ${JSON.stringify(wanted)}: ${JSON.stringify(sockets)}`);
}

beforeAll(async () => {
  stage = await buildStage();
  const { net, client, server, address, address6 } = stage;
  namespace = net.namespace('server');
  // the last ACK of this handshake never comes
  const link = JSON.parse(await must(client, 'ip -j link show c0')) as [{ address: string }];
  net.ip('server', `neighbour replace ${address(CLIENT)} lladdr ${link[0].address} dev s0 nud permanent`);
  const listener = await server.listen(address('1.2'), OPEN);
  // accepted, with data that nobody reads, and keepalive
  const first = await client.bound(address('1.1'), 42010);
  await first.call('connect', [address('1.2'), OPEN]);
  const accepted = await listener.accept();
  await accepted.call('setsockopt', 'SOL_SOCKET', 'SO_KEEPALIVE', 1);
  await first.call('send', 'hello');
  // closed by the server first: FIN_WAIT2 here, CLOSE_WAIT there
  const second = await client.bound(address('1.1'), 42011);
  await second.call('connect', [address('1.2'), OPEN]);
  await (await listener.accept()).close();
  // TIME_WAIT here
  const third = await client.bound(address('1.1'), 42012);
  await third.call('connect', [address('1.2'), OPEN]);
  await (await listener.accept()).close();
  await third.close();
  // two of two places of an accept queue are taken
  const small = await server.socket('AF_INET', 'SOCK_STREAM');
  await small.call('bind', [address('1.2'), BACKLOG]);
  await small.call('listen', 1);
  for (const port of [42020, 42021]) {
    const waiting = await client.bound(address('1.1'), port);
    await waiting.call('connect', [address('1.2'), BACKLOG]);
  }
  const six = await server.listen(address6('1:2'), V6);
  const sixth = await client.socket('AF_INET6', 'SOCK_STREAM');
  await sixth.call('connect', [address6('1:2'), V6]);
  await six.accept();
  await server.bound(address('1.2'), UDP, 'SOCK_DGRAM');
  await server.socket('AF_INET', 'SOCK_RAW', 1);
  await client.sendSegment({
    src: address(CLIENT),
    dst: address('1.2'),
    sport: SYN_PORT,
    dport: OPEN,
    flags: 'S',
    seq: 1000,
    ack: 0,
    options: [['MSS', 1460]],
  });
  await connections({ netns: namespace, proto: 'raw' }).catch((error: Error) => {
    if (!error.message.includes('does not list raw sockets')) throw error;
    hasRaw = false;
  });
  await until('the sockets are there', async () => {
    const states = (await ss('-ta')).map((row) => row.state);
    return ['SYN_RECV', 'TIME_WAIT', 'FIN_WAIT2'].every((state) => states.includes(state));
  });
}, 120_000);

afterAll(() => stage?.net.close());

describe('connections()', () => {
  it('lists the sockets of TCP as ss does: states, queues, kinds of timers', async () => {
    // between two lists a timer may run out, and another be set
    const [ours, theirs] = await until('both lists are of one time', async () => {
      const before = await ss('-tan');
      const found = await connections({ netns: namespace });
      const listening = await connections({ netns: namespace, listen: true });
      const after = await ss('-tan');
      const same = JSON.stringify(before) === JSON.stringify(after);
      return same ? ([sorted([...found, ...listening].map(ownRow)), after] as const) : undefined;
    });
    expect(ours).toEqual(theirs);
    expect(theirs.length).toBeGreaterThanOrEqual(10);
    expect(new Set(theirs.map((row) => row.timer))).toEqual(new Set(['on', 'keepalive', 'timewait', undefined]));
  });

  it('lists sockets of UDP', async () => {
    const udp = await connections({ netns: namespace, proto: 'udp' });
    expect(sorted(udp.map(ownRow))).toEqual(await ss('-uan'));
    expect(udp).toHaveLength(1);
  });

  it('lists raw sockets', async (ctx) => {
    ctx.skip(!hasRaw, NO_RAW);
    const raw = await connections({ netns: namespace, proto: 'raw' });
    expect(raw).toEqual([expect.objectContaining({ proto: 'raw', state: 'UNCONN', ipProtocol: 1 })]);
    expect(await ss('-wan')).toHaveLength(1);
  });

  it('says who owns a socket, how long it was idle, and what waits to be read', async () => {
    const sockets = await connections({ netns: namespace });
    const accepted = find(sockets, { sport: OPEN, dport: 42010 });
    expect(accepted).toMatchObject({ state: 'ESTABLISHED', recvQueue: 5, owner: { pid: stage.server.pid } });
    expect(accepted.timer).toMatchObject({ kind: 'keepalive' });
    expect(accepted.timer?.left).toBeGreaterThan(7000);
    expect(accepted.tcp).toMatchObject({ caState: 'CA_Open', packetsOut: 0, bytesReceived: 5 });
    expect(accepted.tcp?.lastDataReceivedMs).toBeLessThan(120_000);
    expect(accepted.memory?.receive).toBeGreaterThanOrEqual(5);
  });

  it('tells a handshake that waits for its last ACK from a socket, and one that waits to be accepted', async () => {
    const sockets = await connections({ netns: namespace });
    const request = find(sockets, { dport: SYN_PORT });
    expect(request).toMatchObject({ state: 'SYN_RECV', isRequest: true, inode: 0, timer: { kind: 'on' } });
    const waiting = find(sockets, { sport: BACKLOG, dport: 42021 });
    expect(waiting).toMatchObject({ state: 'ESTABLISHED', isUnaccepted: true });
    expect(waiting.owner).toBeUndefined();
  });

  it('shows listeners with both queues', async () => {
    const listeners = await connections({ netns: namespace, listen: true });
    expect(find(listeners, { sport: BACKLOG })).toMatchObject({ acceptQueue: 2, acceptLimit: 1, synQueue: 0 });
    expect(find(listeners, { sport: OPEN })).toMatchObject({ acceptQueue: 0, acceptLimit: 16, synQueue: 1 });
    expect(sorted(listeners.map(ownRow))).toEqual(await ss('-ltn'));
  });

  it('lists the states that are asked for', async () => {
    const some = await connections({ netns: namespace, states: ['syn-recv', 'TIME_WAIT'] });
    expect(new Set(some.map((socket) => socket.state))).toEqual(new Set(['SYN_RECV', 'TIME_WAIT']));
    await expect(connections({ states: ['OPEN'] })).rejects.toThrow(/states are of .*ESTABLISHED.*not 'OPEN'/);
    await expect(connections({ proto: 'udp', listen: true })).rejects.toThrow('do not listen');
  });
});

describe('nettrace connections', () => {
  const run = (...words: string[]) => new Cli(['connections', '--netns', namespace, ...words]).ended;

  it('filters by address, port, state, process', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { stdout, stderr, code } = await run('-S', String(OPEN), '--state', 'ESTABLISHED');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [title, ...lines] = stdout.split('\n').filter(Boolean);
    expect(title).toMatch(/^STATE +RECV-Q +SEND-Q +LOCAL +PEER +TIMER +IDLE +OWNER$/);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      new RegExp(
        `^ESTABLISHED +5 +0 +${stage.address('1.2')}:${OPEN} +${stage.address('1.1')}:42010 +keepalive \\d+h +\\S+ +python3-${stage.server.pid}$`,
      ),
    );
    expect((await run('--pid', String(stage.server.pid), '--addr', stage.address('1.77'))).stdout).toBe('no sockets\n');
    expect((await run('--comm', 'python3', '-D', '42010')).stdout.split('\n')).toHaveLength(3);
  });

  it('prints listeners, and sockets of other protocols', async (ctx) => {
    onlyOnRealMachines(ctx);
    expect((await run('--listen', '-P', String(BACKLOG))).stdout).toMatch(
      /^ACCEPT-Q +LIMIT +SYN-Q +LOCAL +OWNER\n +2 +1 +0 +\S+:8402 /,
    );
    expect((await run('-p', 'udp')).stdout).toMatch(new RegExp(`\nUNCONN +0 +0 +\\S+:${UDP} +0\\.0\\.0\\.0:\\* `));
    const { stdout, stderr } = await run('-p', 'raw');
    if (hasRaw) expect(stdout).toMatch(/protocol 1 /);
    else expect(stderr).toMatch(/^nettrace: this kernel does not list raw sockets\n.*raw_diag/);
  });

  it('prints JSON as the schema says', async () => {
    const schema = new URL('../../schema/connections.schema.json', import.meta.url);
    const check = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(schema, 'utf8')));
    for (const words of [['--json'], ['--json', '-l'], ['--json', '-p', hasRaw ? 'raw' : 'udp']]) {
      const lines = (await run(...words)).stdout.split('\n').filter(Boolean);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(check(JSON.parse(line)), JSON.stringify(check.errors)).toBe(true);
    }
  });

  it('says so where the namespace cannot be entered, or is none', async () => {
    expect(await new Cli(['connections', '--netns', 'no-such']).ended).toMatchObject({ code: 2 });
    // setpriv: root without the right to enter
    const words = ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin', process.execPath, CLI_PROGRAM];
    const refused = spawnSync('setpriv', [...words, 'connections', '--netns', namespace], { encoding: 'utf8' });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /^nettrace: the sockets of network namespace \d+ cannot be listed: .*\n.*CAP_SYS_ADMIN/,
    );
  });
});

describe('nettrace --explain', () => {
  it('says at the end that one side of a connection has vanished, and that another one stands', async () => {
    const { net, client, server, address } = stage;
    const both = ['client', 'server'].map((host) => net.namespace(host)).join(',');
    const cli = await new Cli(['--explain', '--json', '-P', `${VANISHING},${STANDING}`, '--netns', both]).ready();
    for (const port of [VANISHING, STANDING]) {
      const listener = await server.listen(address('1.2'), port);
      const socket = await client.bound(address('1.1'), port + 40_000);
      await socket.call('connect', [address('1.2'), port]);
      const accepted = await listener.accept();
      if (port !== VANISHING) continue;
      // a socket in repair ends without a word
      await accepted.call('setsockopt', SOL_TCP, TCP_REPAIR, 1);
      await accepted.close();
    }
    await until('both handshakes are traced', () => cli.lines().filter((line) => line.includes('"SA"')).length >= 2);
    const { stdout } = await cli.interrupt();
    const records = stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const causes = records.flatMap((record) =>
      record.type === 'connection' ? [[record.tuple.dport, record.verdict.cause]] : [],
    );
    expect(Object.fromEntries(causes)).toEqual({ [VANISHING]: 'one-side-vanished', [STANDING]: 'connection-open' });
  });
});
