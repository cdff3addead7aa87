import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkbTrace, TraceOptions } from '../../dist/index.js';
import { type Recording, record } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';

const PORT = 8000;
const UDP_PORT = 5303;
/** Tracepoints alone: they are on every kernel, and attach at once. */
const PROBES = ['net_dev_queue', 'netif_receive_skb'];

/** All runs of the tracer see the same traffic. */
const net = new Topology();
const CLIENT = `${net.v4}.1.1`;
const SERVER = `${net.v4}.1.2`;
const recordings = new Map<string, Recording>();

function filters(clientPid: number): Record<string, TraceOptions> {
  const client = net.namespace('client');
  return {
    'a namespace by name': { netns: client },
    'a namespace by path': { netns: `/run/netns/${client}` },
    'a namespace by inode': { netns: String(statSync(`/run/netns/${client}`).ino) },
    'an interface': { netns: net.namespace('server'), ifname: 's0' },
    'a length': { pktLen: '128-200', proto: 'udp' },
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

/** Each filter is a run of its own, all around the same traffic. */
async function recordAll(list: [string, TraceOptions][], play: () => Promise<void>): Promise<void> {
  const [first, ...rest] = list;
  if (!first) return play();
  const [name, options] = first;
  recordings.set(name, await record({ addr: net.nets, trace: PROBES, ...options }, () => recordAll(rest, play)));
}

beforeAll(async () => {
  net.add('client', 'server');
  await net.join({ node: 'client', ifname: 'c0', addresses: [`${CLIENT}/24`] }, { node: 'server', ifname: 's0', addresses: [`${SERVER}/24`] });
  const [client, server] = [await net.agent('client'), await net.agent('server')];
  await recordAll(Object.entries(filters(client.pid)), async () => {
    const listener = await server.listen(SERVER, PORT);
    const near = await client.bound(CLIENT, 40000);
    await near.call('connect', [SERVER, PORT]);
    const far = await listener.accept();
    await near.close();
    await far.close();
    const receiver = await server.bound(SERVER, UDP_PORT, 'SOCK_DGRAM');
    const sender = await client.bound(CLIENT, UDP_PORT, 'SOCK_DGRAM');
    for (const size of [20, 120, 400]) {
      await sender.call('sendto', 'x'.repeat(size), [SERVER, UDP_PORT]);
      await receiver.call('recv', 1000);
    }
  });
}, 240_000);
afterAll(() => net.close());

function recorded(name: string): readonly SkbTrace[] {
  const { traces } = recordings.get(name)!;
  expect(traces.length).toBeGreaterThan(0);
  return traces;
}
const flagsOf = (one: SkbTrace) => one.events.find((e) => e.tcp)?.tcp?.flags;

describe('a filter for', () => {
  it.each(['a namespace by name', 'a namespace by path', 'a namespace by inode'])('%s', (name) => {
    const inode = statSync(`/run/netns/${net.namespace('client')}`).ino;
    for (const one of recorded(name)) expect(one.events[0]).toMatchObject({ netns: inode, ifname: 'c0' });
  });

  it('an interface', () => {
    for (const one of recorded('an interface')) expect(one.events[0]?.ifname).toBe('s0');
  });

  it('a length', () => {
    expect(recorded('a length').map((one) => one.events[0]?.len)).toEqual([expect.any(Number)]);
  });

  it('flags of SYN and ACK', () => {
    expect(new Set(recorded('flags of SYN and ACK').map(flagsOf))).toEqual(new Set(['SA']));
  });

  it('flags of SYN, or of RST', () => {
    expect(recorded('flags of SYN, or of RST').map(flagsOf).sort()).toEqual(['S', 'SA']);
  });

  it('a block of sources', () => {
    expect(new Set(recorded('a block of sources').map(({ tuple }) => tuple?.saddr))).toEqual(new Set([CLIENT]));
  });

  it('a destination', () => {
    expect(new Set(recorded('a destination').map(({ tuple }) => tuple?.daddr))).toEqual(new Set([CLIENT]));
  });

  it('a port, which never shows ARP', () => {
    const traces = recorded('a port');
    expect(new Set(traces.map(({ proto }) => proto))).toEqual(new Set(['tcp']));
    for (const { tuple } of traces) expect([tuple?.sport, tuple?.dport]).toContain(PORT);
  });

  it('a range of destination ports', () => {
    expect(recorded('a range of destination ports').map(({ tuple }) => tuple?.dport)).toEqual([UDP_PORT, UDP_PORT, UDP_PORT]);
  });

  it('ARP alone', () => {
    const traces = recorded('ARP alone');
    expect(new Set(traces.map(({ proto }) => proto))).toEqual(new Set(['arp']));
    expect(traces.map((one) => one.events[0]?.arpOp)).toEqual([1, 2]);
  });

  it('a process', () => {
    const traces = recorded('a process');
    expect(traces.some(({ proto }) => proto === 'udp')).toBe(true);
    expect(new Set(traces.map((one) => one.events[0]?.comm))).toEqual(new Set(['python3']));
  });
});
