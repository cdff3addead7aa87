import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SkbTrace, type TraceOptions, trace } from '../../dist/index.js';
import type { Agent } from '../support/kernel-agent.js';
import { showTrace } from '../support/kernel-match.js';
import { record } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { EMULATED } from '../support/machine.js';

const PACKETS = EMULATED ? 1_600 : 40_000;
/** More than a slow reader's buffer takes. */
const TOO_MANY = EMULATED ? 4_000 : 40_000;
const UDP_PORT = 5303;
const TCP_PORT = 5304;
const ONE_OF = 8;

let net: Topology;
let agent: Agent;
let address: string;

const options = (more: TraceOptions): TraceOptions => ({
  // a few probes: they attach quickly, and show whether a packet is seen whole
  trace: ['life', 'link', 'udp', '__tcp_transmit_skb', '__ip_local_out', 'ip_rcv', 'tcp_v4_rcv'],
  addr: net.nets,
  detail: false,
  bufferBytes: 8 * 1024 * 1024,
  // longer than a datagram is queued: what is closed before its end is seen would come in two pieces
  ageMs: 60_000,
  ...more,
});

async function flood(count: number): Promise<void> {
  const socket = await agent.bound(address, UDP_PORT, 'SOCK_DGRAM');
  await socket.call('connect', [address, UDP_PORT]);
  await agent.ask('flood', { name: socket.name, count, size: 20 });
  await socket.close();
}

/** Traces that began somewhere else than nearly all of their kind, but for those that were closed while they were queued. */
function begunLate(all: readonly SkbTrace[]): SkbTrace[] {
  const traces = all.filter(({ events }) => events[0]?.drop?.noLoss === undefined);
  const starts = new Map<string, number>();
  const startOf = (one: SkbTrace) => one.events[0]?.func ?? '';
  for (const one of traces) starts.set(startOf(one), (starts.get(startOf(one)) ?? 0) + 1);
  const [usual] = [...starts].sort((a, b) => b[1] - a[1])[0] ?? [''];
  return traces.filter((one) => startOf(one) !== usual);
}

beforeAll(async () => {
  net = new Topology();
  net.add('solo');
  address = `${net.v4}.9.1`;
  net.ip('solo', `address add ${address}/24 dev lo`);
  agent = await net.agent('solo');
});
afterAll(() => net?.close());

describe(`--sample 1/${ONE_OF}`, () => {
  it('follows about so many datagrams, each from the beginning to the end', async () => {
    const { traces, statistics } = await record(options({ sample: `1/${ONE_OF}`, proto: 'udp' }), () => flood(PACKETS));
    // six standard deviations of the binomial distribution
    const spread = 6 * Math.sqrt((PACKETS / ONE_OF) * (1 - 1 / ONE_OF));
    expect(Math.abs(statistics.sampled - PACKETS / ONE_OF)).toBeLessThan(spread);
    expect(statistics.sampledOf).toBe(statistics.sampled * ONE_OF);
    if (statistics.ringFull > 0) return;
    expect(traces.length).toBe(statistics.sampled);
    expect(begunLate(traces).map(showTrace)).toEqual([]);
  });

  it('follows about so many segments, those without data too', async () => {
    const count = PACKETS / 8;
    const { traces } = await record(options({ sample: `1/${ONE_OF}`, proto: 'tcp', port: [TCP_PORT] }), async () => {
      await agent.ask('churn', { address, port: TCP_PORT, sources: [address], count });
    });
    for (const flags of ['S', 'SA', 'A']) {
      const seen = traces.filter((one) => one.events.some(({ tcp }) => tcp?.flags === flags));
      const spread = 6 * Math.sqrt((count / ONE_OF) * (1 - 1 / ONE_OF));
      expect(Math.abs(seen.length - count / ONE_OF), flags).toBeLessThan(spread);
    }
  });
});

describe('--sample auto', () => {
  it('follows all while the reader keeps up', async () => {
    const { traces, statistics } = await record(options({ proto: 'udp' }), () => flood(50));
    expect(statistics).toMatchObject({ sampled: 50, sampledOf: 50, ringFull: 0 });
    expect(traces.length).toBe(50);
  });

  it('follows fewer while the reader does not, so that they are seen whole, and says how many there were', async () => {
    const run = trace(options({ proto: 'udp', sample: 'auto', bufferBytes: (EMULATED ? 256 : 1024) * 1024 }));
    const traces: SkbTrace[] = [];
    const said: { sampled: number; of: number }[] = [];
    await run.ready;
    const isOver = flood(TOO_MANY).finally(() => run.stop());
    for await (const one of run) {
      if (one.type === 'sampled') said.push(one);
      if (one.type === 'trace') traces.push(one);
      // a reader that is slow, whatever machine this is
      const until = performance.now() + (EMULATED ? 3 : 0.5);
      while (performance.now() < until);
    }
    await isOver;
    const { sampled, sampledOf } = run.statistics();
    expect(sampledOf).toBeGreaterThan(1.5 * sampled);
    expect(said.reduce((sum, { of }) => sum + of, 0)).toBeLessThanOrEqual(sampledOf);
    expect(sampledOf / TOO_MANY).toBeGreaterThan(0.5);
    expect(sampledOf / TOO_MANY).toBeLessThan(2);
    expect(traces.filter(({ complete }) => complete).length / traces.length).toBeGreaterThan(0.5);
  });
});
