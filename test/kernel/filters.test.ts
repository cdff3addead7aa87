import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkbTrace, TraceOptions } from '../../dist/index.js';
import type { Recording } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { recordAll, shortConnection } from '../support/kernel-traffic.js';
import { SHORTENED } from '../support/machine.js';

const PORT = 8000;
const UDP_PORT = 5303;
/** IPv4 and UDP. */
const UDP_HEADERS = 20 + 8;
const ARP_LENGTH = 28;
/** Tracepoints alone: they are on every kernel, and attach at once. */
const PROBES = ['net_dev_queue', 'netif_receive_skb'];

/** All runs of the tracer see the same traffic. */
const net = new Topology();
const CLIENT = `${net.v4}.1.1`;
const SERVER = `${net.v4}.1.2`;
let recordings: ReadonlyMap<string, Recording> = new Map();

function filters(clientPid: number): Record<string, TraceOptions> {
  const client = net.namespace('client');
  return {
    'a namespace by name': { netns: client },
    'a namespace by path': { netns: `/run/netns/${client}` },
    'a namespace by inode': { netns: String(statSync(`/run/netns/${client}`).ino) },
    'an interface': { netns: net.namespace('server'), ifname: 's0' },
    'a length': { pktLen: String(120 + UDP_HEADERS), proto: 'udp' },
    'the length of ARP': { pktLen: `1-${ARP_LENGTH}` },
    'flags of SYN and ACK': { tcpFlags: ['SA'] },
    'flags of SYN, or of RST': { tcpFlags: ['S', 'R'] },
    'a block of sources': { saddr: [`${CLIENT}/32`] },
    'a destination': { daddr: [CLIENT] },
    'a port': { port: [PORT] },
    'a range of destination ports': { dport: [`${UDP_PORT - 3}-${UDP_PORT}`] },
    'ARP alone': { proto: 'arp' },
    'a process': { pid: clientPid },
  };
}

/** Each filter is a load of the programs, which takes six seconds on an emulated machine. */

beforeAll(async () => {
  if (SHORTENED) return;
  net.add('client', 'server');
  await net.join(
    { node: 'client', ifname: 'c0', addresses: [`${CLIENT}/24`] },
    { node: 'server', ifname: 's0', addresses: [`${SERVER}/24`] },
  );
  const [client, server] = [await net.agent('client'), await net.agent('server')];
  const runs = Object.entries(filters(client.pid)).map(([name, options]) => [
    name,
    { addr: net.nets, trace: PROBES, ...options },
  ]);
  recordings = await recordAll(Object.fromEntries(runs), async () => {
    await shortConnection(client, server, [CLIENT, 40000], [SERVER, PORT]);
    const receiver = await server.bound(SERVER, UDP_PORT, 'SOCK_DGRAM');
    const sender = await client.bound(CLIENT, UDP_PORT, 'SOCK_DGRAM');
    for (const size of [20, 120, 400]) {
      await sender.call('sendto', 'x'.repeat(size), [SERVER, UDP_PORT]);
      await receiver.call('recv', 1000);
    }
  });
}, 240_000);
afterAll(() => net.close());

const flagsOf = (one: SkbTrace) => one.events.find((e) => e.tcp)?.tcp?.flags;

/** A test over the traces that came through the filter of that name. */
function through(name: string, check: (traces: readonly SkbTrace[]) => void): void {
  it(name, (ctx) => {
    const recording = recordings.get(name);
    if (SHORTENED) ctx.skip('fourteen runs of the tracer take too long on an emulated machine');
    expect(recording?.traces.length).toBeGreaterThan(0);
    check(recording!.traces);
  });
}

describe('a filter lets through, for', () => {
  for (const name of ['a namespace by name', 'a namespace by path', 'a namespace by inode']) {
    through(name, (traces) => {
      const inode = statSync(`/run/netns/${net.namespace('client')}`).ino;
      for (const one of traces) expect(one.events[0]).toMatchObject({ netns: inode, ifname: 'c0' });
    });
  }
  through('an interface', (traces) => {
    for (const one of traces) expect(one.events[0]?.ifname).toBe('s0');
  });
  through('a length', (traces) => {
    expect(traces.flatMap(({ events }) => events.map(({ func, pktLen }) => [func, pktLen]))).toEqual(
      PROBES.map((func) => [func, 120 + UDP_HEADERS]),
    );
    // with the Ethernet header on its way out, and without where it was received
    expect(traces[0]?.events.map(({ len }) => len)).toEqual([14 + 120 + UDP_HEADERS, 120 + UDP_HEADERS]);
  });
  through('the length of ARP', (traces) => {
    expect(traces.map(({ proto }) => proto)).toEqual(['arp', 'arp']);
  });
  through('flags of SYN and ACK', (traces) => {
    expect(new Set(traces.map(flagsOf))).toEqual(new Set(['SA']));
  });
  through('flags of SYN, or of RST', (traces) => {
    expect(traces.map(flagsOf).sort()).toEqual(['S', 'SA']);
  });
  through('a block of sources', (traces) => {
    expect(new Set(traces.map(({ tuple }) => tuple?.saddr))).toEqual(new Set([CLIENT]));
  });
  through('a destination', (traces) => {
    expect(new Set(traces.map(({ tuple }) => tuple?.daddr))).toEqual(new Set([CLIENT]));
  });
  through('a port', (traces) => {
    // in particular no ARP
    expect(new Set(traces.map(({ proto }) => proto))).toEqual(new Set(['tcp']));
    for (const { tuple } of traces) expect([tuple?.sport, tuple?.dport]).toContain(PORT);
  });
  through('a range of destination ports', (traces) => {
    expect(traces.map(({ tuple }) => tuple?.dport)).toEqual([UDP_PORT, UDP_PORT, UDP_PORT]);
  });
  through('ARP alone', (traces) => {
    expect(new Set(traces.map(({ proto }) => proto))).toEqual(new Set(['arp']));
    expect(traces.map((one) => one.events[0]?.arpOp)).toEqual([1, 2]);
  });
  through('a process', (traces) => {
    expect(traces.some(({ proto }) => proto === 'udp')).toBe(true);
    expect(new Set(traces.map((one) => one.events[0]?.comm))).toEqual(new Set(['python3']));
  });
});
