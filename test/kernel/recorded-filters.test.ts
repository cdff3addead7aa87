import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PacketEvent, SkbTrace, TraceOptions } from '../../dist/index.js';
import { craftPackets, u16 } from '../support/crafted-packets.js';
import { Cli } from '../support/kernel-cli.js';
import type { Recording } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { recordAll, shortConnection } from '../support/kernel-traffic.js';
import { EMULATED } from '../support/machine.js';

/** Each run of the tracer takes seconds there. */
const PORT = 8000;
/** The source address of each frame tells which it is. */
const MARK = '024e';
const ETHERNET_HEADER = 14;
/** What is recorded of a packet: so no expression asks for more. */
const RECORDED = 128;

const frames = craftPackets(EMULATED ? 50 : 250)
  .filter(({ length }) => length > ETHERNET_HEADER && length <= RECORDED)
  .map((frame, i) => {
    const marked = Buffer.from(frame);
    marked.write(MARK + i.toString(16).padStart(8, '0'), 6, 'hex');
    return marked;
  });
const inner = frames.filter(({ length }) => length <= RECORDED - 50).slice(0, EMULATED ? 12 : 60);
const bytes = (hex: string) => Buffer.from(hex, 'hex');
const isIpv4 = (frame: Buffer) => frame.readUInt16BE(12) === 0x0800;
const insides: readonly (readonly [port: number, data: Buffer])[] = inner.flatMap((frame) => [
  [4789, Buffer.concat([bytes('0800000000002a00'), frame])],
  [8472, Buffer.concat([bytes('0000000000002a00'), frame])],
  [6081, Buffer.concat([bytes('02006558'), bytes('00002a00'), bytes('0102000100000000'), frame])],
  [
    6081,
    Buffer.concat([
      bytes('0000'),
      u16(isIpv4(frame) ? 0x0800 : 0x86dd),
      bytes('00002a00'),
      frame.subarray(ETHERNET_HEADER),
    ]),
  ],
  [53, frame],
]);
/** Where each of them is sent to. */
const placeOf = (i: number) => `127.9.${i >> 8}.${i & 255}`;

const EXPRESSIONS: Readonly<Record<string, TraceOptions>> = Object.fromEntries(
  [
    'ip[8] < 128',
    'vlan and (tcp or udp portrange 1-1000)',
    'tcp[((tcp[12:1] & 0xf0) >> 2):1] > 100',
    'ether broadcast',
    'ip6 protochain 6',
    'udp[8] & 0x80 != 0',
    'ether[0] & 1 = 1 and not vlan',
    'tcp port 8000 and tcp[tcpflags] & tcp-fin != 0',
    'ip[0] & 0xf != 5 or ip6[6] = 44',
    'len > 70 and ip[1] < 100',
    'ip[6:2] & 0x1fff != 0',
    'ether[60:4] != 0',
  ]
    .slice(0, EMULATED ? 3 : undefined)
    .map((expression) => [expression, { expression }]),
);
const TUNNELS: Readonly<Record<string, TraceOptions>> = Object.fromEntries(
  ['tcp', 'ip[8] > 100', 'ether[0] & 1 = 1', 'ip6 and greater 60', 'vlan']
    .slice(0, EMULATED ? 2 : undefined)
    .map((filterTunnel) => [`in tunnels: ${filterTunnel}`, { filterTunnel }]),
);
const FILTERS: Readonly<Record<string, TraceOptions>> = {
  ...EXPRESSIONS,
  ...TUNNELS,
  'a length': { pktLen: '40-90' },
  'both, and an option': { expression: 'ip[8] = 64', filterTunnel: 'ip', port: [6081] },
};

const SEND = `
import json, socket, sys
packets, frames = json.load(sys.stdin)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address, port, data in packets:
    try:
        sender.sendto(bytes.fromhex(data), (address, port))
    except ConnectionRefusedError:
        sender.sendto(bytes.fromhex(data), (address, port))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(('c0', 0))
for frame in frames:
    wire.send(bytes.fromhex(frame))
`;

const net = new Topology();
const CLIENT = `${net.v4}.1.1`;
const SERVER = `${net.v4}.1.2`;
const folder = mkdtempSync(join(tmpdir(), 'nettrace-recorded-'));
const file = join(folder, 'all.ndjson');
let recordings: ReadonlyMap<string, Recording>;

beforeAll(async () => {
  net.add('client', 'server');
  await net.join(
    { node: 'client', ifname: 'c0', addresses: [`${CLIENT}/24`] },
    { node: 'server', ifname: 's0', addresses: [`${SERVER}/24`] },
  );
  const [client, server] = [await net.agent('client'), await net.agent('server')];
  const netns = [net.namespace('client'), net.namespace('server')];
  const options: TraceOptions = { netns, bytes: true, sample: 'off', bufferBytes: 32 << 20 };
  const runs = Object.entries({ '': {}, ...FILTERS }).map(([name, filter]) => [name, { ...options, ...filter }]);
  const datagrams = insides.map(([port, data], i) => [placeOf(i), port, data.toString('hex')]);
  recordings = await recordAll(Object.fromEntries(runs), async () => {
    await shortConnection(client, server, [CLIENT, 40000], [SERVER, PORT]);
    const input = JSON.stringify([datagrams, frames.map((frame) => frame.toString('hex'))]);
    const { status, stderr } = await client.run(['/usr/bin/python3', '-E', '-c', SEND], input);
    expect(status, stderr).toBe(0);
  });
  const all = recordings.get('')!.traces;
  expect(all.every(({ complete }) => complete)).toBe(true);
  writeFileSync(file, all.map((one) => `${JSON.stringify(one)}\n`).join(''));
}, 600_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await net.close();
});

/** What tells which packet it is; undefined for those that came of it, as answers do. */
function packetOf({ tuple, events }: SkbTrace): string | undefined {
  const marked = events.find(({ bytes }) => bytes?.link === 'ethernet' && bytes.hex.slice(12, 16) === MARK);
  if (marked) return `frame ${marked.bytes?.hex.slice(16, 24)}`;
  if (tuple?.daddr.startsWith('127.9.')) return `to ${tuple.daddr}`;
  const { tcp } = events.find((event) => event.tcp) ?? {};
  const isOurs = tuple?.sport === PORT || tuple?.dport === PORT;
  return tcp && isOurs ? `segment from ${tuple.sport}, ${tcp.flags} ${tcp.seq} ${tcp.ack}` : undefined;
}

const packetsOf = (traces: readonly SkbTrace[]) => [...new Set(traces.flatMap((one) => packetOf(one) ?? []))].sort();

async function shown({ expression, filterTunnel, pktLen, port = [] }: TraceOptions): Promise<SkbTrace[]> {
  const words = ['show', file, '--json'];
  if (expression !== undefined) words.push('--filter', expression);
  if (filterTunnel !== undefined) words.push('--filter-tunnel', filterTunnel);
  if (pktLen !== undefined) words.push('--pkt-len', pktLen);
  for (const one of port) words.push('-P', String(one));
  const { code, stdout, stderr } = await new Cli(words).ended;
  expect(code, stderr).toBe(0);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SkbTrace);
}

describe('a recording shows the packets that live tracing lets through, for', () => {
  it.each(Object.entries(FILTERS))('%s', async (name, filter) => {
    const live = packetsOf(recordings.get(name)!.traces);
    expect(packetsOf(await shown(filter))).toEqual(live);
    expect(live.length).toBeGreaterThan(0);
    expect(live.length).toBeLessThan(packetsOf(recordings.get('')!.traces).length);
  });
});

it('a drop is recorded with the bytes of its packet', async () => {
  const words = ['--netns', net.namespace('client'), '-p', 'udp', '--drop', '--drop-all', '--json', '-c', '1'];
  const cli = await new Cli(words).ready();
  const sender = await (await net.agent('client')).bound('127.0.0.1', 0, 'SOCK_DGRAM');
  await sender.call('sendto', 'to nobody', ['127.9.9.9', 9]);
  const { code, stdout } = await cli.ended;
  expect(code).toBe(0);
  const { bytes } = (JSON.parse(stdout) as PacketEvent).event;
  expect(bytes?.hex).toMatch(new RegExp(`${Buffer.from('to nobody').toString('hex')}$`));
  expect(bytes?.length).toBe((bytes?.hex.length ?? 0) / 2);
});

it('nothing was missed of what was sent', () => {
  const all = packetsOf(recordings.get('')!.traces);
  expect(all.filter((packet) => packet.startsWith('to '))).toHaveLength(insides.length);
  expect(all.filter((packet) => packet.startsWith('frame ')).length).toBeGreaterThan(frames.length / 2);
  expect(all.filter((packet) => packet.startsWith('segment ')).length).toBeGreaterThanOrEqual(6);
});
