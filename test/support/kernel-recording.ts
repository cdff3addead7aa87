import { release } from 'node:os';
import { expect } from 'vitest';
import { type SkbTrace, type TraceOptions, type TraceStatistics, trace } from '../../dist/index.js';
import { expectOrderedSubset, type Step, showTrace } from './kernel-match.js';

/** Of the running kernel: [6, 12]. */
export const KERNEL = release().split('.', 2).map(Number) as [number, number];

export function kernelFrom(major: number, minor: number): boolean {
  return KERNEL[0] > major || (KERNEL[0] === major && KERNEL[1] >= minor);
}

/** A way in both modes: what is seen with functions, and what a kernel shows that has only tracepoints. */
export interface Way {
  functions: readonly Step[];
  tracepoints: readonly Step[];
}

/** What a trace is looked for by. */
export interface Wanted {
  proto?: SkbTrace['proto'];
  saddr?: string;
  daddr?: string;
  sport?: number;
  dport?: number;
  /** TCP flags of the packet. */
  flags?: string;
  /** Bytes behind the TCP header. */
  payload?: number;
  icmpType?: number;
  arpOp?: number;
}

function isWanted(one: SkbTrace, wanted: Wanted): boolean {
  const tcp = one.events.find((e) => e.tcp)?.tcp;
  const has: Required<{ [K in keyof Wanted]: unknown }> = {
    proto: one.proto,
    saddr: one.tuple?.saddr,
    daddr: one.tuple?.daddr,
    sport: one.tuple?.sport,
    dport: one.tuple?.dport,
    flags: tcp?.flags,
    payload: tcp?.payload,
    icmpType: one.events.find((e) => e.icmp)?.icmp?.type,
    arpOp: one.events.find((e) => e.arpOp)?.arpOp,
  };
  return Object.entries(wanted).every(([key, value]) => has[key as keyof Wanted] === value);
}

/** What a run of the tracer saw. */
export class Recording {
  readonly traces: readonly SkbTrace[];
  readonly statistics: TraceStatistics;
  /** How each probe that could be attached was, by name. */
  readonly backends: ReadonlyMap<string, string>;
  readonly attached: ReadonlySet<string>;
  /** False where only tracepoints could be attached. */
  readonly hasFunctions: boolean;

  constructor(traces: readonly SkbTrace[], statistics: TraceStatistics, backends: ReadonlyMap<string, string>) {
    this.traces = traces.toSorted((a, b) => a.start - b.start);
    this.statistics = statistics;
    this.backends = backends;
    this.attached = new Set(backends.keys());
    this.hasFunctions = [...backends.values()].some((backend) => backend !== 'tracepoint');
  }

  all(wanted: Wanted): SkbTrace[] {
    return this.traces.filter((one) => isWanted(one, wanted));
  }

  /** The first trace that is wanted; fails where there is none. */
  find(wanted: Wanted): SkbTrace {
    const found = this.all(wanted)[0];
    if (found) return found;
    const { flags: _flags, payload: _payload, ...near } = wanted;
    const there = this.all(near).map(showTrace).join('\n');
    return expect.fail(
      `no trace has ${JSON.stringify(wanted)}; of ${this.traces.length} traces these come near:\n${there}`,
    );
  }

  expectWay(one: SkbTrace, way: Way): void {
    const steps = this.hasFunctions ? way.functions : way.tracepoints;
    for (const { func } of steps) expect(this.attached, `${func} is attached`).toContain(func);
    expectOrderedSubset(one, steps);
  }
}

/** Traces while `play` runs; it sees what has come so far. */
export async function record(
  options: TraceOptions,
  play: (traces: readonly SkbTrace[]) => Promise<void>,
): Promise<Recording> {
  const run = trace(options);
  try {
    const { outcomes } = await run.ready;
    const traces: SkbTrace[] = [];
    const reading = (async () => {
      for await (const one of run) if (one.type === 'trace') traces.push(one);
    })();
    try {
      await play(traces);
    } finally {
      run.stop();
    }
    await reading;
    const backends = new Map(
      outcomes.flatMap((o) => (o.backend ? [[o.probe.definition.name, o.backend] as const] : [])),
    );
    return new Recording(traces, run.statistics(), backends);
  } finally {
    run.stop();
  }
}
