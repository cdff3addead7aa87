import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkbTrace } from '../../src/types.js';
import { showTrace } from '../support/kernel-match.js';
import { type Recording, record } from '../support/kernel-recording.js';
import { Topology, until } from '../support/kernel-topology.js';
import { EMULATED } from '../support/machine.js';

const DATAGRAMS = EMULATED ? 2_000 : 20_000;
const PORT = 5302;

let net: Topology;
let recording: Recording;

beforeAll(async () => {
  net = new Topology();
  net.add('solo');
  net.ip('solo', `address add ${net.v4}.9.1/24 dev lo`);
  const agent = await net.agent('solo');
  const address = `${net.v4}.9.1`;
  const socket = await agent.bound(address, PORT, 'SOCK_DGRAM');
  await socket.call('connect', [address, PORT]);
  // a few probes: they attach quickly, and a packet fills the buffer all the same
  const options = {
    trace: ['life', 'udp', 'link', '__ip_local_out', 'ip_rcv'],
    addr: net.nets,
    bufferBytes: 4096,
    sample: 'off',
    ageMs: 300,
  };
  recording = await record(options, async (traces) => {
    await until('a datagram is seen whole', async () => {
      await socket.call('send', 'one after the other');
      await socket.call('recv', 100);
      return traces.some(({ complete }) => complete);
    });
    await agent.ask('flood', { name: socket.name, count: DATAGRAMS, size: 20 });
  });
});
afterAll(() => net?.close());

describe('a ring buffer that is too small', () => {
  it('loses records, and counts each of them', () => {
    const { statistics } = recording;
    expect(statistics.ringFull).toBeGreaterThan(0);
    expect(statistics.malformed).toBe(0);
    expect(statistics.produced).toBe(statistics.delivered + statistics.ringFull);
  });

  it('leaves traces that say they are not complete', () => {
    expect(recording.traces.filter((one) => !one.complete).length).toBeGreaterThan(0);
  });

  it('leaves no trace that says it is complete and is not', () => {
    const [first, ...others] = recording.traces.filter(({ complete }) => complete);
    // only the first packet may wait for its neighbour
    const functions = (one: SkbTrace) =>
      one.events.flatMap(({ func }) => (func === 'neigh_resolve_output' ? [] : func));
    const way = functions(first!).slice(0, 4);
    const wrong = others.filter((one) => way.some((func, i) => functions(one)[i] !== func));
    expect(wrong.slice(0, 3).map(showTrace)).toEqual([]);
  });
});
