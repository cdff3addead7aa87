import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CountersRecord,
  connections,
  leftovers as findLeftovers,
  type Leftovers,
  type MovedCounter,
  type OutputRecord,
  type SkbTrace,
  trace,
} from '../../dist/index.js';
import type { AgentSocket, Segment } from '../support/kernel-agent.js';
import { Cli } from '../support/kernel-cli.js';
import { showTrace } from '../support/kernel-match.js';
import { both, onlyOnRealMachines, parseRecord, watch } from '../support/kernel-modes.js';
import { KERNEL } from '../support/kernel-recording.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const OPEN = 8301;
const CLOSED = 8302;
const FULL = 8303;
const SLOW_UDP = 8304;
/** Of no filter. */
const UNTRACED = 8390;
/** Not an address of the client's kernel, which would answer the SYN-ACK with a reset of its own. */
const CLIENT = '1.77';
const ISN = 1000;
const TIMESTAMP = 100_000;
const ETH_P_IP_IN_NETWORK_ORDER = 0x0008;

let stage: Stage;
let records: OutputRecord[];
let hasFunctions: boolean;
const open: AgentSocket[] = [];

/** A handshake in which the RST overtakes the ACK. */
async function handshake(sniffer: AgentSocket, sport: number, resetTimestamp: number): Promise<void> {
  const { client, address } = stage;
  const send = (flags: string, seq: number, ack: number, options: Segment['options']) =>
    client.sendSegment({ src: address(CLIENT), dst: address('1.2'), sport, dport: OPEN, flags, seq, ack, options });
  await send('S', ISN, 0, [
    ['MSS', 1460],
    ['Timestamp', [TIMESTAMP, 0]],
  ]);
  const synAck = (await client.ask('receive_segment', { name: sniffer.name, port: sport })) as { seq: number };
  await send('R', ISN + 1, 0, [['Timestamp', [resetTimestamp, 0]]]);
  await send('A', ISN + 1, synAck.seq + 1, [['Timestamp', [TIMESTAMP + 1, 0]]]);
}

async function nstat(name: string): Promise<number> {
  const text = await must(stage.server, 'nstat -asz');
  return Number(new RegExp(`^${name} +(\\d+)`, 'm').exec(text)?.[1]);
}

async function play(): Promise<void> {
  const { net, client, server, address } = stage;
  const link = JSON.parse(await must(client, 'ip -j link show c0')) as [{ address: string }];
  net.ip('server', `neighbour replace ${address(CLIENT)} lladdr ${link[0].address} dev s0 nud permanent`);
  open.push(await server.listen(address('1.2'), OPEN));
  const sniffer = await client.socket('AF_PACKET', 'SOCK_DGRAM', ETH_P_IP_IN_NETWORK_ORDER);
  await sniffer.call('bind', ['c0', 0x0800]);
  await handshake(sniffer, 41001, 0);
  await handshake(sniffer, 41002, TIMESTAMP);
  await client.ask('receive_segment', { name: sniffer.name, port: 41002 });
  await sniffer.close();
  // nobody listens
  const refused = await client.socket('AF_INET', 'SOCK_STREAM');
  await expect(refused.call('connect', [address('1.2'), CLOSED])).rejects.toThrow(/refused/i);
  await refused.close();
  for (const port of [CLOSED, CLOSED, UNTRACED]) {
    const before = await nstat('UdpNoPorts');
    const datagram = await client.socket('AF_INET', 'SOCK_DGRAM');
    await datagram.call('sendto', '00', [address('1.2'), port]);
    await until('the datagram was refused', async () => (await nstat('UdpNoPorts')) > before);
    await datagram.close();
  }
  // an accept queue of one
  const listener = await server.socket('AF_INET', 'SOCK_STREAM');
  await listener.call('bind', [address('1.2'), FULL]);
  await listener.call('listen', 0);
  open.push(listener);
  const first = await client.socket('AF_INET', 'SOCK_STREAM');
  await first.call('connect', [address('1.2'), FULL]);
  open.push(first);
  const second = await client.socket('AF_INET', 'SOCK_STREAM');
  await second.call('setblocking', 0);
  await second.call('connect_ex', [address('1.2'), FULL]);
  await until('its SYN was refused, and the one sent again', async () => (await nstat('TcpExtListenOverflows')) > 1);
  // a third one would come at any time
  await second.close();
  // a receive buffer that is full
  const slow = await server.bound(address('1.2'), SLOW_UDP, 'SOCK_DGRAM');
  await slow.call('setsockopt', 'SOL_SOCKET', 'SO_RCVBUF', 1);
  open.push(slow);
  const sender = await client.socket('AF_INET', 'SOCK_DGRAM');
  for (let i = 0; i < 8; i++) await sender.call('sendto', 'x'.repeat(1000), [address('1.2'), SLOW_UDP]);
  await until('the buffer has overflowed', async () => (await nstat('UdpRcvbufErrors')) > 0);
  await sender.close();
  // a namespace that was not there when the tracer began
  net.add('late');
  await net.join(
    { node: 'client', ifname: 'c2', addresses: [`${address('4.1')}/24`] },
    { node: 'late', ifname: 'l0', addresses: [`${address('4.2')}/24`] },
  );
  const datagram = await client.socket('AF_INET', 'SOCK_DGRAM');
  await datagram.call('sendto', '00', [address('4.2'), CLOSED]);
  await datagram.close();
  await until('its packet was traced', () =>
    records.some((one) => one.type === 'trace' && one.tuple?.daddr === address('4.2')),
  );
}

beforeAll(async () => {
  stage = await buildStage();
  const ports = [OPEN, CLOSED, FULL, SLOW_UDP];
  const run = trace({ addr: stage.net.nets, port: ports, counters: true });
  records = [];
  const { outcomes } = await run.ready;
  hasFunctions = outcomes.some((o) => o.backend && o.backend !== 'tracepoint');
  const reading = (async () => {
    for await (const record of run) records.push(record);
  })();
  try {
    await play();
    await must(stage.client, `ping -c 1 -W 20 ${stage.address('1.2')}`);
  } finally {
    run.stop();
  }
  await reading;
}, 240_000);

afterAll(() => stage?.net.close());

function recordOf(node: string): CountersRecord {
  const found = records.find((r) => r.type === 'counters' && r.name === stage.net.namespace(node));
  if (found?.type !== 'counters') throw new Error(`no counters of ${node}`);
  return found;
}

function counter(node: string, name: string): MovedCounter {
  const { counters } = recordOf(node);
  return counters.find((one) => one.name === name) ?? expect.fail(`${name} has not moved: ${JSON.stringify(counters)}`);
}

/** Ids of traces that the filter of the test finds. */
function idsOf(wanted: { sport?: number; dport?: number; flags?: string }): string[] {
  const traces = records.filter((one) => one.type === 'trace').sort((a, b) => a.start - b.start);
  return traces.flatMap((one) => {
    const flags = one.events.find((event) => event.tcp)?.tcp?.flags;
    const { sport = one.tuple?.sport, dport = one.tuple?.dport } = wanted;
    const fits = one.tuple?.sport === sport && one.tuple?.dport === dport && (wanted.flags ?? flags) === flags;
    return fits ? [one.id] : [];
  });
}

/** All of it is explained, by these traces alone. */
function expectExplained(moved: MovedCounter, delta: number, ids: readonly string[]): void {
  const { explained, unexplained, traces } = moved;
  expect({ delta: moved.delta, explained, unexplained, ids: traces.ids }).toEqual({
    delta,
    explained: delta,
    unexplained: 0,
    ids,
  });
}

describe(`counters, on Linux ${KERNEL.join('.')}`, () => {
  it('PAWSEstab is moved by the RST that PAWS refused in the handshake', () => {
    const moved = counter('server', 'TcpExtPAWSEstab');
    expectExplained(moved, 1, idsOf({ sport: 41001, flags: 'R' }));
    expect(moved.traces.verdicts).toEqual([{ outcome: 'dropped', cause: 'paws-reject-in-handshake', count: 1 }]);
  });

  it('EmbryonicRsts and AttemptFails are moved by the RST that removed the request', () => {
    const reset = idsOf({ sport: 41002, flags: 'R' });
    expectExplained(counter('server', 'TcpExtEmbryonicRsts'), 1, reset);
    expectExplained(counter('server', 'TcpAttemptFails'), 1, reset);
  });

  it('OutRsts is moved by the RSTs that were sent: to the ACK without a request, and from the closed port', () => {
    const moved = counter('server', 'TcpOutRsts');
    const [answer = ''] = idsOf({ dport: 41002, flags: 'R' });
    const sent = [answer, ...idsOf({ sport: CLOSED, flags: 'AR' })];
    expectExplained(moved, 2, sent);
  });

  it("the client's attempt failed by the RST that came", () => {
    expectExplained(counter('client', 'TcpAttemptFails'), 1, idsOf({ sport: CLOSED, flags: 'AR' }));
  });

  it('a datagram that was not traced stays unexplained', () => {
    const moved = counter('server', 'UdpNoPorts');
    expect(moved).toMatchObject({ delta: 3, explained: 2, unexplained: 1, evidence: 2, traces: { count: 2 } });
    expect(moved.traces.ids.every((id) => idsOf({ dport: CLOSED }).includes(id))).toBe(true);
    expect(counter('server', 'IcmpOutDestUnreachs')).toMatchObject({ delta: 3, explained: 2, unexplained: 1 });
  });

  it('RcvbufErrors and InErrors of UDP are moved by the datagrams that found the buffer full', () => {
    const ways = records.flatMap((one) =>
      one.type === 'trace' && one.tuple?.dport === SLOW_UDP ? [showTrace(one)] : [],
    );
    for (const name of ['UdpRcvbufErrors', 'UdpInErrors']) {
      const { delta, explained, unexplained, traces } = counter('server', name);
      expect({ explained, unexplained }, ways.join('\n')).toEqual({ explained: delta, unexplained: 0 });
      expect(traces.verdicts).toEqual([{ outcome: 'dropped', cause: 'socket-receive-buffer-full', count: delta }]);
    }
  });

  it('ListenOverflows and ListenDrops are moved by the SYN that found the accept queue full', (ctx) => {
    ctx.skip(!hasFunctions, 'tracepoints alone do not show the accept queue');
    for (const name of ['TcpExtListenOverflows', 'TcpExtListenDrops']) {
      const { delta, explained, unexplained, traces } = counter('server', name);
      expect({ explained, unexplained }).toEqual({ explained: delta, unexplained: 0 });
      expect(traces.ids.every((id) => idsOf({ dport: FULL }).includes(id))).toBe(true);
    }
  });

  it('plain traffic is listed apart, interfaces too', () => {
    const { counters, traffic } = recordOf('server');
    const names = traffic.map(({ name, ifname }) => (ifname ? `${ifname} ${name}` : name));
    expect(names).toEqual(expect.arrayContaining(['TcpInSegs', 'TcpOutSegs', 'IpExtInOctets', 's0 rx_packets']));
    expect(counters.map(({ name }) => name)).not.toContain('TcpInSegs');
  });

  it('every counter that moved is known', () => {
    for (const { counters } of records.filter((one) => one.type === 'counters'))
      expect(counters.filter((one) => one.meaning === undefined)).toEqual([]);
  });

  it('a namespace that was made later counts from its first packet on', () => {
    expect(recordOf('server').from).toBe('begin');
    const late = recordOf('late');
    expect(late).toMatchObject({ from: 'first-seen' });
    expect(late.unread).toBeUndefined();
    expect(late.since).toBeGreaterThan(recordOf('server').since);
  });

  it('a namespace that no traced packet came through is not reported', () => {
    expect(() => recordOf('router')).toThrow('no counters of router');
  });

  it('records are as the schema says', () => {
    for (const one of records) parseRecord(JSON.stringify(one));
  });
});

describe('sockets left', () => {
  const leftovers = (): Leftovers => {
    const found = records.find((one) => one.type === 'leftovers');
    return found?.type === 'leftovers' ? found : expect.fail('nothing is left');
  };

  it('the one that the refused RST left behind is a stray connection, made by these packets', () => {
    const [stray, ...others] = leftovers().sockets;
    expect(stray).toMatchObject({
      isStray: true,
      syn: idsOf({ sport: 41001, flags: 'S' })[0],
      synAck: idsOf({ dport: 41001, flags: 'SA' })[0],
      ack: idsOf({ sport: 41001, flags: 'A' })[0],
      refusedReset: idsOf({ sport: 41001, flags: 'R' })[0],
      socket: { state: 'ESTABLISHED', isUnaccepted: true, tuple: { sport: OPEN, dport: 41001 } },
    });
    expect(others.map((other) => other.isStray)).not.toContain(true);
  });

  it('both sides of a connection that stands are there, and are no strays', () => {
    const ends = leftovers().sockets.filter(
      ({ socket }) => socket.state === 'ESTABLISHED' && [socket.tuple.sport, socket.tuple.dport].includes(FULL),
    );
    expect(ends.length).toBeGreaterThanOrEqual(2);
  });

  it('none is left of the request that the RST removed', () => {
    expect(leftovers().sockets.filter(({ socket }) => socket.tuple.dport === 41002)).toEqual([]);
  });

  it('are found from recorded traces and listed sockets alike', async () => {
    const traces = records.filter((one): one is SkbTrace => one.type === 'trace');
    const sockets = await connections({ netns: stage.net.namespace('server') });
    const found = findLeftovers(traces, sockets).filter((one) => one.isStray);
    expect(found.map((one) => one.refusedReset)).toEqual(idsOf({ sport: 41001, flags: 'R' }));
  });
});

describe('nettrace --counters', () => {
  it('prints sections at the end, which a recorded file shows again', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--counters', '--addr', stage.net.nets.join(','), '-P', String(CLOSED)];
    const { text, json } = await watch(both(...words), async () => {
      const datagram = await stage.client.socket('AF_INET', 'SOCK_DGRAM');
      const before = await nstat('UdpNoPorts');
      await datagram.call('sendto', '00', [stage.address('1.2'), CLOSED]);
      await until('the datagram was refused', async () => (await nstat('UdpNoPorts')) > before);
      await datagram.close();
    });
    expect({ code: text.code, json: json.code }).toEqual({ code: 0, json: 0 });
    const section = `counters of network namespace ${recordOf('server').netns} (${stage.net.namespace('server')}), since begin trace:`;
    const line = /^ {2}UdpNoPorts +\+1 {2}by 1 trace \(rejected, no-listener\): [0-9a-f]+/m;
    expect(text.stdout).toContain(section);
    expect(text.stdout).toMatch(line);
    const folder = mkdtempSync(join(tmpdir(), 'nettrace-counters-'));
    try {
      const file = join(folder, 't.ndjson');
      writeFileSync(file, json.stdout);
      const shown = await new Cli(['show', file]).ended;
      expect(shown.stdout).toContain(section);
      expect(shown.stdout).toMatch(line);
      expect((await new Cli(['show', file, '--drop']).ended).stdout).not.toContain('counters of');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
