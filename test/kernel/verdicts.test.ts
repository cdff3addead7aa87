import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionJudge } from '../../dist/explain/connections/connection-judge.js';
import { type Recording, record, type Wanted } from '../support/kernel-recording.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

type Said = readonly [outcome: string, cause: string];

/** One thing that is done to a packet, and what the verdict on it must be. */
interface Case {
  name: string;
  /** Why it cannot be tried here. */
  prepare?(stage: Stage): Promise<string | undefined>;
  play(stage: Stage): Promise<unknown>;
  packet(stage: Stage): Wanted;
  functions: Said;
  /** With tracepoints alone; undefined where they do not tell enough. */
  tracepoints?: Said;
  /** A word that must be among the facts; then any of the packets may have it. */
  fact?: string;
}

const SOURCE = 42000;

async function sendDatagram({ client, address }: Stage, from: string, to: string, port: number, ttl?: number) {
  const socket = await client.bound(from, port, 'SOCK_DGRAM');
  if (ttl !== undefined) await socket.call('setsockopt', 'SOL_IP', 'IP_TTL', ttl);
  await socket.call('sendto', 'x', [to, port]);
  await socket.close();
  return address;
}

/** To the network behind the router. */
const beyond = (port: number, end: string, from = '2.1'): Pick<Case, 'play' | 'packet'> => ({
  play: (stage) => sendDatagram(stage, stage.address(from), stage.address(end), port),
  packet: (stage) => ({ proto: 'udp', daddr: stage.address(end), dport: port }),
});
const direct = (port: number): Pick<Case, 'play' | 'packet'> => ({
  play: (stage) => sendDatagram(stage, stage.address('1.1'), stage.address('1.2'), port),
  packet: (stage) => ({ proto: 'udp', daddr: stage.address('1.2'), dport: port }),
});

async function counter({ server }: Stage, name: string): Promise<number> {
  const lines = (await server.read('/proc/net/netstat')).split('\n').filter((line) => line.startsWith('TcpExt:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  return Number(values[names.indexOf(name)]);
}

/** Begins to connect and waits for nothing. */
async function begin({ client, address }: Stage, port: number, from: number): Promise<void> {
  const socket = await client.bound(address('1.1'), from);
  await socket.call('setblocking', 0);
  await expect(socket.call('connect', [address('1.2'), port])).rejects.toThrow('BlockingIOError');
}

const CASES: readonly Case[] = [
  {
    name: 'a port of UDP that nobody listens on',
    ...direct(7001),
    functions: ['rejected', 'no-listener'],
    tracepoints: ['rejected', 'no-listener'],
  },
  {
    name: 'a rule that rejects',
    async prepare({ server }) {
      await must(
        server,
        'nft -f -',
        'table ip verdicts { chain in { type filter hook input priority 0; udp dport 7002 reject; udp dport 7003 drop; }; }',
      );
      return undefined;
    },
    ...direct(7002),
    functions: ['rejected', 'netfilter-reject'],
    tracepoints: ['rejected', 'netfilter-reject'],
  },
  {
    name: 'a rule that drops',
    ...direct(7003),
    functions: ['dropped', 'netfilter-drop'],
    tracepoints: ['dropped', 'netfilter-drop'],
  },
  {
    name: 'a blackhole on a router',
    async prepare(stage) {
      stage.net.ip('client', `route add ${stage.address('0.0')}/16 via ${stage.address('2.254')}`);
      stage.net.ip(
        'router',
        `route add blackhole ${stage.address('50.0')}/24`,
        `route add unreachable ${stage.address('51.0')}/24`,
        `route add prohibit ${stage.address('52.0')}/24`,
      );
      // answers are limited by source: each of these has its own
      stage.net.ip(
        'client',
        ...['5', '6', '7', '8'].map((end) => `address add ${stage.address(`2.${end}`)}/24 dev c1`),
      );
      await must(stage.router, 'sysctl -qw net.ipv4.ip_forward=1');
      return undefined;
    },
    ...beyond(7004, '50.1'),
    functions: ['dropped', 'blackhole-route'],
    tracepoints: ['dropped', 'blackhole-route'],
  },
  {
    name: 'an unreachable route on a router',
    ...beyond(7005, '51.1', '2.5'),
    functions: ['rejected', 'unreachable-route'],
  },
  { name: 'a route that prohibits', ...beyond(7006, '52.1', '2.6'), functions: ['rejected', 'prohibit-route'] },
  { name: 'no route on a router', ...beyond(7007, '53.1', '2.7'), functions: ['rejected', 'no-route'] },
  {
    name: 'a TTL that ends at a router',
    play: (stage) => sendDatagram(stage, stage.address('2.8'), stage.address('3.2'), 7008, 1),
    packet: () => ({ proto: 'udp', dport: 7008 }),
    functions: ['rejected', 'ttl-expired'],
    tracepoints: ['rejected', 'ttl-expired'],
  },
  {
    name: 'a packet that a router hands on to a socket',
    ...beyond(7009, '3.2'),
    async play(stage) {
      const far = await stage.server.bound(stage.address('3.2'), 7009, 'SOCK_DGRAM');
      await sendDatagram(stage, stage.address('2.1'), stage.address('3.2'), 7009);
      await far.call('recv', 10);
      await far.close();
    },
    functions: ['delivered', 'taken-by-socket'],
  },
  {
    name: 'a source that the router has another way to',
    async prepare(stage) {
      stage.net.ip('client', `address add ${stage.address('60.1')}/32 dev lo`);
      await must(stage.router, 'sysctl -qw net.ipv4.conf.r0.rp_filter=1');
      return undefined;
    },
    play: (stage) => sendDatagram(stage, stage.address('60.1'), stage.address('3.2'), 7010),
    packet: () => ({ proto: 'udp', dport: 7010 }),
    functions: ['dropped', 'reverse-path-filter'],
    tracepoints: ['dropped', 'reverse-path-filter'],
  },
  {
    name: 'a neighbour that does not answer',
    async prepare({ client }) {
      await must(client, 'sysctl -qw net.ipv4.neigh.c0.mcast_solicit=1 net.ipv4.neigh.c0.retrans_time_ms=100');
      return undefined;
    },
    async play(stage) {
      await sendDatagram(stage, stage.address('1.1'), stage.address('1.99'), 7011);
      await until('the neighbour is given up', async () =>
        (await must(stage.client, 'ip neigh show')).includes(`${stage.address('1.99')} dev c0 FAILED`),
      );
    },
    packet: (stage) => ({ proto: 'udp', daddr: stage.address('1.99') }),
    functions: ['rejected', 'neighbour-failed'],
  },
  {
    name: 'a full receive buffer of UDP',
    async play(stage) {
      const far = await stage.server.bound(stage.address('1.2'), 7012, 'SOCK_DGRAM');
      await far.call('setsockopt', 'SOL_SOCKET', 'SO_RCVBUF', 1);
      const near = await stage.client.bound(stage.address('1.1'), 7012, 'SOCK_DGRAM');
      for (let i = 0; i < 20; i++) await near.call('sendto', 'x'.repeat(200), [stage.address('1.2'), 7012]);
      await near.close();
      await far.close();
    },
    packet: () => ({ proto: 'udp', dport: 7012 }),
    functions: ['dropped', 'socket-receive-buffer-full'],
    tracepoints: ['dropped', 'socket-receive-buffer-full'],
  },
  {
    name: 'a SYN for a full accept queue',
    async play(stage) {
      const listener = await stage.server.socket('AF_INET', 'SOCK_STREAM');
      await listener.call('bind', [stage.address('1.2'), 7013]);
      await listener.call('listen', 0);
      const first = await stage.client.bound(stage.address('1.1'), SOURCE);
      await first.call('connect', [stage.address('1.2'), 7013]);
      const before = await counter(stage, 'ListenOverflows');
      await begin(stage, 7013, SOURCE + 1);
      await until('the listener overflows', async () => (await counter(stage, 'ListenOverflows')) > before);
    },
    packet: () => ({ proto: 'tcp', dport: 7013, sport: SOURCE + 1, flags: 'S' }),
    functions: ['dropped', 'accept-queue-full'],
  },
  {
    name: 'a SYN that is answered with a cookie',
    async prepare({ server }) {
      const { status } = await server.run('sysctl -qw net.ipv4.tcp_syncookies=2'.split(' '));
      return status === 0 ? undefined : 'this kernel has no SYN cookies';
    },
    async play(stage) {
      const listener = await stage.server.listen(stage.address('1.2'), 7014);
      const near = await stage.client.bound(stage.address('1.1'), SOURCE + 2);
      await near.call('connect', [stage.address('1.2'), 7014]);
      await listener.accept();
    },
    packet: () => ({ proto: 'tcp', dport: 7014, flags: 'S' }),
    functions: ['rejected', 'syn-cookie-sent'],
  },
  {
    name: 'a filter of tc that drops',
    async prepare({ server }) {
      const added = await server.run('tc qdisc add dev s0 clsact'.split(' '));
      const filter = 'tc filter add dev s0 ingress protocol ip u32 match ip dport 7015 0xffff action drop';
      const made = await server.run(filter.split(' '));
      return added.status === 0 && made.status === 0 ? undefined : `no tc filter here: ${added.stderr}${made.stderr}`;
    },
    ...direct(7015),
    functions: ['dropped', 'tc-drop'],
    tracepoints: ['dropped', 'tc-drop'],
  },
  {
    name: 'an action of tc that takes packets, and does nothing with them',
    async prepare({ server }) {
      await server.run('tc qdisc add dev s0 clsact'.split(' ')); // or it is there
      const filter = 'tc filter add dev s0 ingress protocol ip u32 match ip dport 7033 0xffff action gact trap';
      const made = await server.run(filter.split(' '));
      return made.status === 0 ? undefined : `no tc action here: ${made.stderr}`;
    },
    ...direct(7033),
    functions: ['dropped', 'tc-took'],
    tracepoints: ['unknown', 'freed-without-sign'],
  },
  {
    name: 'a sniffer without room',
    async play(stage) {
      const sniffer = await stage.server.socket('AF_PACKET', 'SOCK_RAW', 0x0300);
      await sniffer.call('setsockopt', 'SOL_SOCKET', 'SO_RCVBUF', 1);
      await sniffer.call('bind', ['s0', 3]);
      const far = await stage.server.bound(stage.address('1.2'), 7016, 'SOCK_DGRAM');
      const near = await stage.client.bound(stage.address('1.1'), 7016, 'SOCK_DGRAM');
      for (let i = 0; i < 20; i++) await near.call('sendto', 'x'.repeat(200), [stage.address('1.2'), 7016]);
      for (let i = 0; i < 20; i++) await far.call('recv', 300);
      await sniffer.close();
    },
    packet: () => ({ proto: 'udp', dport: 7016 }),
    functions: ['delivered', 'taken-by-socket'],
    fact: 'packet-ring-full',
  },
];

let stage: Stage;
let recording: Recording;
const skipped = new Map<string, string>();
const failures = new Map<string, unknown>();

beforeAll(async () => {
  stage = await buildStage();
  for (const { name, prepare } of CASES) {
    const why = await prepare?.(stage);
    if (why !== undefined) skipped.set(name, why);
  }
  recording = await record({ addr: stage.net.nets }, async () => {
    for (const { name, play } of CASES) {
      if (!skipped.has(name)) await play(stage).catch((error: unknown) => failures.set(name, error));
    }
    await must(stage.client, `ping -c 1 -W 20 ${stage.address('1.2')}`);
  });
}, 240_000);

afterAll(() => stage?.net.close());

describe('the verdict on', () => {
  for (const { name, packet, functions, tracepoints, fact } of CASES) {
    it(name, (ctx) => {
      const why = skipped.get(name);
      if (why !== undefined) ctx.skip(why);
      if (failures.has(name)) throw failures.get(name);
      const wanted = recording.hasFunctions ? functions : tracepoints;
      if (!wanted && fact === undefined) {
        // it may say less, and nothing that is not so
        for (const { verdict } of recording.all(packet(stage))) {
          expect(['unknown', functions[0], ...(functions[0] === 'rejected' ? ['dropped'] : [])]).toContain(
            verdict.outcome,
          );
        }
        return;
      }
      if (fact !== undefined && !recording.hasFunctions) ctx.skip('only functions show a copy that is lost');
      recording.find(packet(stage));
      const said = recording.all(packet(stage)).map(({ verdict }) => ({
        said: [verdict.outcome, verdict.cause],
        facts: verdict.facts,
      }));
      expect(said).toContainEqual({ said: wanted, facts: fact ? [fact] : expect.any(Array) });
    });
  }

  it('each of them is in the list, with evidence where something was seen', () => {
    for (const { verdict, events } of recording.traces) {
      expect(verdict.cause).toMatch(/^[a-z0-9-]+$/);
      if (events.length > 1) expect(verdict.evidence.length).toBeGreaterThan(0);
    }
  });

  it('the connection that a cookie made', (ctx) => {
    if (skipped.size > 0) ctx.skip([...skipped.values()].join('; '));
    const judge = new ConnectionJudge();
    for (const one of recording.traces) judge.add(one);
    const made = [...judge.end()].find((one) => one.type === 'connection' && one.tuple.dport === 7014);
    expect(made).toMatchObject({ verdict: { outcome: 'open', cause: 'connection-open' } });
  });
});
