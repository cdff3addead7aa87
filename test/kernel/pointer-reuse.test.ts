import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SkbTrace, trace } from '../../dist/index.js';
import { showTrace } from '../support/kernel-match.js';
import { record } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { EMULATED, SHORTENED } from '../support/machine.js';

/** An emulated machine makes some fifty connections a second where a real one makes thousands. */
const CONNECTIONS = EMULATED ? 1_000 : 100_000;
/** Attaching everything takes half a minute on some emulated kernels. */
const PROBES = EMULATED
  ? { trace: ['life', '__tcp_transmit_skb', '__ip_local_out', '__dev_queue_xmit', 'tcp_v4_rcv', 'tcp_v4_do_rcv'] }
  : {};
const PORT = 8000;

/** One packet has one pair of addresses; an event has them only where they are others than its trace's. */
function hasOtherTuple({ events }: SkbTrace): boolean {
  return events.some(({ tuple, proto }) => tuple || proto);
}

let net: Topology;

beforeAll(() => {
  net = new Topology();
  net.add('solo');
  net.ip('solo', ...[1, 2, 3, 4, 5].map((n) => `address add ${net.v4}.9.${n}/24 dev lo`));
});
afterAll(() => net?.close());

it.each([
  { load: 'churn', connections: 'short connections', count: CONNECTIONS },
  // resets that the kernel makes of its own: of all their fields only the ports and ack differ
  { load: 'knock', connections: 'refused connections', count: CONNECTIONS / 2 },
])('$count $connections: no trace mixes two tuples', { timeout: 240_000 }, async ({ load, count }) => {
  const agent = await net.agent('solo');
  const run = trace({
    ...PROBES,
    addr: net.nets,
    proto: 'tcp',
    detail: false,
    sample: 'off',
    bufferBytes: 128 * 1024 * 1024,
  });
  const mixed: SkbTrace[] = [];
  let traces = 0;
  const openings = new Set<string>();
  const reading = (async () => {
    for await (const one of run) {
      traces++;
      if (hasOtherTuple(one)) mixed.push(one);
      if (one.events.some(({ tcp }) => tcp?.flags === 'S')) openings.add(`${one.tuple?.saddr}:${one.tuple?.sport}`);
    }
  })();
  await run.ready;
  const sources = [1, 2, 3, 4, 5].map((n) => `${net.v4}.9.${n}`);
  await agent.ask(load, { address: sources[0], port: PORT, sources, count });
  run.stop();
  await reading;
  const statistics = run.statistics();
  expect(
    mixed.map(showTrace).slice(0, 5),
    `${mixed.length} of ${traces} traces, ${JSON.stringify(statistics)}`,
  ).toEqual([]);
  expect(statistics.produced).toBe(statistics.delivered + statistics.ringFull + statistics.malformed);
  // where nothing was lost, each connection has its own trace
  if (statistics.ringFull + statistics.queueFull + statistics.trackFull === 0) expect(openings.size).toBe(count);
  expect(traces).toBeGreaterThan(count);
});

it('datagrams of one flow, each received before the next: each has a trace of its own', async () => {
  const agent = await net.agent('solo');
  const address = `${net.v4}.9.1`;
  const count = EMULATED ? 300 : 10_000;
  const options = {
    trace: ['life', 'link'],
    addr: net.nets,
    proto: 'udp' as const,
    detail: false,
    sample: 'off' as const,
  };
  const { traces, statistics } = await record(options, async () => {
    await agent.ask('datagrams', { address, port: PORT, count });
  });
  expect(traces.filter(({ events }) => events.some(({ tuple }) => tuple)).map(showTrace)).toEqual([]);
  if (statistics.ringFull + statistics.queueFull + statistics.trackFull === 0) expect(traces.length).toBe(count);
});

it('datagrams, then connections, whose skbs lie where the datagrams lay: no trace mixes two packets', async () => {
  const agent = await net.agent('solo');
  const address = `${net.v4}.9.1`;
  const count = EMULATED ? 200 : 2_000;
  const options = { ...PROBES, addr: net.nets, detail: false, sample: 'off' as const };
  const { traces } = await record(options, async () => {
    for (let round = 0; round < 3; round++) {
      await agent.ask('datagrams', { address, port: PORT, count });
      await agent.ask('churn', { address, port: PORT, sources: [address], count });
    }
  });
  expect(traces.length).toBeGreaterThan(3 * 2 * count);
  const mixed = traces.filter(hasOtherTuple);
  expect(mixed.slice(0, 5).map(showTrace), `${mixed.length} of ${traces.length} traces`).toEqual([]);
});

/** Another packet's tuple, or the place again where the first one began. */
function isMixed({ events }: SkbTrace): boolean {
  const [first] = events;
  return events.some((e) => e !== first && (e.tuple || e.proto || (e.func === first?.func && e.skb === first.skb)));
}

it.for(['IPv4', 'IPv6'])(
  'acknowledgements of who only receives, by %s: each has a trace of its own',
  async (ip, ctx) => {
    ctx.skip(
      SHORTENED && ip === 'IPv6',
      'where all frees are seen, as in virtual machines, they are no other packets than those by IPv4',
    );
    const address = ip === 'IPv4' ? `${net.v4}.9.1` : `${net.v6}::9`;
    if (ip === 'IPv6') net.ip('solo', `address add ${address}/128 dev lo nodad`);
    const agent = await net.agent('solo');
    const options = {
      ...PROBES,
      addr: [`${address}/${ip === 'IPv4' ? 32 : 128}`],
      detail: false,
      sample: 'off' as const,
    };
    const { traces } = await record(options, async () => {
      await agent.ask('acknowledge', { address, port: PORT, count: EMULATED ? 200 : 2_000 });
    });
    expect(traces.filter(({ events }) => events.some(({ tcp }) => tcp?.payload === 0)).length).toBeGreaterThan(100);
    expect(traces.filter(isMixed).slice(0, 5).map(showTrace)).toEqual([]);
  },
);

it('a load that goes on while the probes are attached: no trace mixes two packets', async () => {
  net.add('busy');
  net.ip('busy', `address add ${net.v4}.8.1/24 dev lo`);
  const agent = await net.agent('busy');
  const load = agent.ask('unwanted', { address: `${net.v4}.8.1`, port: PORT, seconds: 100 }).catch(() => {});
  const traces: SkbTrace[] = [];
  const wanted = { addr: net.nets, proto: 'udp' as const, sample: 'off' as const, count: 50 };
  for await (const one of trace({ ...PROBES, ...wanted })) traces.push(one);
  agent.kill();
  await load;
  expect(traces).toHaveLength(50);
  expect(traces.filter(isMixed).map(showTrace)).toEqual([]);
});
