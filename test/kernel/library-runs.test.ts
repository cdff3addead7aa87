import { Session } from 'node:inspector';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SkbTrace, type TraceRun, trace } from '../../dist/index.js';
import type { Agent } from '../support/kernel-agent.js';
import { Topology, until } from '../support/kernel-topology.js';

const net = new Topology();
const NODES = ['left', 'right'] as const;
type Node = (typeof NODES)[number];
const agents = new Map<Node, Agent>();

beforeAll(async () => {
  net.add(...NODES);
  for (const node of NODES) agents.set(node, await net.agent(node));
});
afterAll(() => net.close());

/** Tracepoints are there on every kernel, and attached at once. */
function start(node: Node, signal?: AbortSignal): TraceRun {
  return trace({ backend: 'tracepoint', proto: 'udp', netns: net.namespace(node), ...(signal ? { signal } : {}) });
}

async function all(run: TraceRun): Promise<SkbTrace[]> {
  const traces: SkbTrace[] = [];
  for await (const one of run) traces.push(one);
  return traces;
}

const portOf = ({ tuple }: SkbTrace) => tuple?.dport;

function hasEnded(run: TraceRun): boolean {
  try {
    run.addNamespace(1);
    return false;
  } catch (error) {
    return (error as Error).message === 'the run has ended';
  }
}

/** A datagram to a port that nobody listens on. */
async function send(node: Node, port: number): Promise<void> {
  const socket = await agents.get(node)!.socket('AF_INET', 'SOCK_DGRAM');
  await socket.call('sendto', 'x', ['127.0.0.1', port]);
  await socket.close();
}

describe('a run of the library', () => {
  it('that is aborted while it attaches rejects ready, ends, and leaves nothing attached', async () => {
    const controller = new AbortController();
    const run = start('left', controller.signal);
    // the programs are being loaded by now
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort();
    await expect(run.ready).rejects.toBe(controller.signal.reason);
    expect(await all(run)).toEqual([]);
    expect(hasEnded(run)).toBe(true);
  });

  it('that is aborted in the middle delivers what it has seen, and ends without an error', async () => {
    const controller = new AbortController();
    const run = start('left', controller.signal);
    await run.ready;
    await send('left', 3001);
    await until('the datagram is read', () => run.statistics().delivered > 0);
    controller.abort();
    expect((await all(run)).map(portOf)).toContain(3001);
    await run.ready;
  });

  it('begins while signals come, as a profiler sends them', async () => {
    const profiler = new Session();
    profiler.connect();
    try {
      profiler.post('Profiler.enable');
      profiler.post('Profiler.setSamplingInterval', { interval: 500 });
      profiler.post('Profiler.start');
      const run = start('left');
      await run.ready;
      run.stop();
    } finally {
      profiler.post('Profiler.stop');
      profiler.disconnect();
    }
  });

  it('ends when its loop is left', async () => {
    const run = start('left');
    await run.ready;
    await send('left', 3002);
    for await (const packet of run) {
      expect(portOf(packet)).toBe(3002);
      break;
    }
    await until('the end', () => hasEnded(run));
  });

  it('beside another one sees only what it asked for', async () => {
    const runs = NODES.map((node) => start(node));
    await Promise.all(runs.map((run) => run.ready));
    await Promise.all([send('left', 3003), send('right', 3004)]);
    const first = await Promise.all(runs.map((run) => run[Symbol.asyncIterator]().next()));
    expect(first.map(({ value }) => portOf(value as SkbTrace))).toEqual([3003, 3004]);
    for (const run of runs) run.stop();
    const rest = await Promise.all(runs.map((run) => all(run)));
    expect(rest[0]!.map(portOf)).not.toContain(3004);
    expect(rest[1]!.map(portOf)).not.toContain(3003);
  });
});
