import type { Backend } from '../load/backend-names.js';
import { hasFunctions } from '../load/backends.js';
import { type AttachReport, type TraceRun, trace } from '../trace.js';
import type { SkbTrace } from '../types.js';

export interface TracerOptions {
  /** Groups and functions beyond the default set. */
  trace?: readonly string[];
  backend?: Backend;
}

/** Namespaces of one case, and what came of them. */
interface Watch {
  namespaces: ReadonlySet<number>;
  /** Seconds of the monotonic clock: an inode may have been another namespace's before. */
  since: number;
  traces: SkbTrace[];
}

/**
 * One run of the tracer for many cases: attaching takes seconds where functions are attached one by one. Each trace goes to
 * the case in whose namespaces it began.
 */
export class SharedTracer {
  readonly report: AttachReport;
  readonly #run: TraceRun;
  readonly #watches = new Set<Watch>();
  readonly #attached: ReadonlySet<string>;
  readonly #known: ReadonlySet<string>;
  #failure: unknown;
  readonly #reading: Promise<void>;

  private constructor(run: TraceRun, report: AttachReport) {
    this.#run = run;
    this.report = report;
    const names = (test: (o: AttachReport['outcomes'][number]) => boolean) =>
      new Set(report.outcomes.filter(test).map((o) => o.probe.definition.name));
    this.#attached = names((o) => o.backend !== undefined);
    this.#known = names(() => true);
    this.#reading = this.#read();
  }

  /** Attaches. Throws NettraceError where the machine refuses. */
  static async start({ trace: more = [], backend }: TracerOptions = {}): Promise<SharedTracer> {
    const run = trace({
      netns: [],
      sample: 'off',
      detail: true,
      bytes: true,
      ...(more.length > 0 ? { trace: ['default', ...more] } : {}),
      ...(backend ? { backend } : {}),
    });
    try {
      return new SharedTracer(run, await run.ready);
    } catch (error) {
      run.stop();
      throw error;
    }
  }

  /** False where only tracepoints could be attached. */
  get hasFunctions(): boolean {
    return hasFunctions(this.report.outcomes);
  }

  /** Why functions are not seen; undefined where any could be attached. */
  get noFunctions(): string | undefined {
    return this.hasFunctions ? undefined : 'not visible with tracepoints alone';
  }

  /** Tracepoints that were attached because this function could not be. */
  standIns(name: string): readonly string[] {
    return this.report.outcomes
      .filter(({ backend, probe }) => backend && probe.definition.insteadOf?.includes(name))
      .map(({ probe }) => probe.definition.name);
  }

  /** Why this function or tracepoint cannot be seen; undefined where it can. */
  invisible(name: string): string | undefined {
    if (this.#attached.has(name)) return undefined;
    if (this.noFunctions !== undefined) return this.noFunctions;
    const here = this.report.unavailable.find(({ definition }) => definition.name === name);
    return here ? `${name} is not traced here: ${here.why}` : `${name} could not be attached`;
  }

  /** Is it among what was to be traced? */
  isTraced(name: string): boolean {
    return this.#known.has(name) || this.report.unavailable.some(({ definition }) => definition.name === name);
  }

  /**
   * Events, whole traces, what functions returned, and hits of whichever packets, that were lost so far: of an event a trace
   * that was open then says so.
   */
  get lost(): number {
    const { ringFull, trackFull, framesFull, malformed, queueFull, missedRuns } = this.#run.statistics();
    return ringFull + trackFull + framesFull + malformed + queueFull + missedRuns;
  }

  /** From now on packets that are first seen in these namespaces (inodes) come to this watch. */
  watch(namespaces: readonly number[]): TraceWatch {
    const watch: Watch = {
      namespaces: new Set(namespaces),
      since: Number(process.hrtime.bigint()) / 1e9,
      traces: [],
    };
    this.#watches.add(watch);
    for (const inode of namespaces) this.#run.addNamespace(inode);
    return {
      traces: watch.traces,
      settle: async (timeoutMs) => {
        await this.#run.settle(namespaces, timeoutMs);
        if (this.#failure !== undefined) throw this.#failure;
      },
      end: () => {
        this.#watches.delete(watch);
        for (const inode of namespaces) this.#run.removeNamespace(inode);
      },
    };
  }

  async #read(): Promise<void> {
    try {
      for await (const one of this.#run) this.#deliver(one);
    } catch (error) {
      this.#failure = error;
    }
  }

  #deliver(one: SkbTrace): void {
    const netns = one.events.find((event) => event.netns !== undefined)?.netns;
    if (netns === undefined) return;
    for (const watch of this.#watches) {
      if (!watch.namespaces.has(netns) || one.start < watch.since) continue;
      // one that was told before it had ended
      const former = watch.traces.findIndex(({ id }) => id === one.id);
      if (former < 0) watch.traces.push(one);
      else watch.traces[former] = one;
    }
  }

  async stop(): Promise<void> {
    this.#run.stop();
    await this.#reading;
  }
}

/** The traces of one case. */
export interface TraceWatch {
  /** In the order in which they ended; grows. */
  readonly traces: readonly SkbTrace[];
  /** Waits until all that happened so far is in `traces`; packets that have not ended by then are there as they are. */
  settle(timeoutMs: number): Promise<void>;
  end(): void;
}
