import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SkbTrace, TraceOptions } from '../../dist/index.js';
import { craftPackets } from '../support/crafted-packets.js';
import type { Recording } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { recordAll } from '../support/kernel-traffic.js';

const PACKETS = 2000;
const [LOW, HIGH] = [1, 9000];
const isAsked = (port: number | undefined) => port !== undefined && port >= LOW && port <= HIGH;
const RANGE = [`${LOW}-${HIGH}`];

/** Frames of all kinds: IP options, fragments, VLAN tags, IPv6 extensions, tunnels, broken ones. */
const SEND = `
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("c0", 0))
for line in sys.stdin:
    try:
        link.send(bytes.fromhex(line))
    except OSError:
        pass # too short for a frame, or too long
`;

const FILTERS: [string, TraceOptions, (sport: number | undefined, dport: number | undefined) => boolean][] = [
  ['port', { port: RANGE }, (sport, dport) => isAsked(sport) || isAsked(dport)],
  ['sport', { sport: RANGE }, (sport) => isAsked(sport)],
  ['dport', { dport: RANGE }, (_sport, dport) => isAsked(dport)],
];

const net = new Topology();
let recordings: ReadonlyMap<string, Recording> = new Map();

beforeAll(async () => {
  net.add('client', 'server');
  await net.join(
    { node: 'client', ifname: 'c0', addresses: [`${net.v4}.1.1/24`] },
    { node: 'server', ifname: 's0', addresses: [`${net.v4}.1.2/24`] },
  );
  const client = await net.agent('client');
  const shared: TraceOptions = {
    netns: [net.namespace('client'), net.namespace('server')],
    trace: ['net_dev_queue', 'netif_receive_skb'],
    sample: 'off',
    ageMs: 200,
  };
  const runs = {
    all: shared,
    ...Object.fromEntries(FILTERS.map(([name, options]) => [name, { ...shared, ...options }])),
  };
  const lines = craftPackets(PACKETS, 7).map((frame) => frame.toString('hex'));
  recordings = await recordAll(runs, async () => {
    await client.run(['python3', '-c', SEND], lines.join('\n'));
  });
}, 120_000);
afterAll(() => net.close());

const keyOf = ({ proto, tuple }: SkbTrace) =>
  `${proto} ${tuple?.saddr}.${tuple?.sport} > ${tuple?.daddr}.${tuple?.dport}`;

it.each(FILTERS)(
  '--%s takes all packets that have such a port, whatever else they carry, and no others',
  (name, _, isWanted) => {
    const [all, some] = [recordings.get('all'), recordings.get(name)];
    if (!all || !some) return expect.fail('it was not recorded');
    const wanted = all.traces.filter(
      ({ proto, tuple }) => (proto === 'tcp' || proto === 'udp') && isWanted(tuple?.sport, tuple?.dport),
    );
    expect(wanted.length).toBeGreaterThan(PACKETS / 50);
    expect(all.traces.length).toBeGreaterThan(1.2 * wanted.length);
    expect(new Set(some.traces.map(keyOf))).toEqual(new Set(wanted.map(keyOf)));
  },
);
