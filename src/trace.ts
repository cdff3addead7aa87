import { readdirSync } from 'node:fs';
import type { RingBufferReader } from '#bpf-loader';
import { Assembler, type OpenTrace } from './assemble/assembler.js';
import { RecordDecoder } from './decode/records.js';
import { UsageError } from './errors.js';
import { TraceBuilder } from './explain/trace-builder.js';
import { planProbes, type UnavailableProbe } from './load/attach-plan.js';
import type { AttachOutcome } from './load/backends.js';
import { Kernel } from './load/kernel.js';
import { currentNetnsInode, netnsInode } from './load/netns.js';
import { AttachedPrograms } from './load/open.js';
import { requireTraceable } from './load/preflight.js';
import { selectProbes } from './load/select-probes.js';
import { type Filter, parseFilter, type TraceOptions } from './options.js';
import type { SkbTrace } from './types.js';

const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;
const GRACE_MS = 30;
const FLUSH_MS = 20;
const MAX_OPEN_TRACES = 65_536;
const MAX_EVENTS_PER_TRACE = 2048;
/** Traces that may wait for the consumer of the iterable. */
const MAX_WAITING = 100_000;

/** What the run has seen and lost so far, by cause. */
export interface TraceStatistics {
  /** Records that the kernel side wanted to send. */
  produced: number;
  /** Records that arrived and checked out. */
  delivered: number;
  ringFull: number;
  trackFull: number;
  framesFull: number;
  malformed: number;
  /** Events whose trace was closed or full. */
  orphans: number;
  /** Traces that the consumer did not fetch in time. */
  queueFull: number;
}

/** How each probe was attached, once the run is ready. */
export interface AttachReport {
  outcomes: readonly AttachOutcome[];
  unavailable: readonly UnavailableProbe[];
  /** What is limited here, in words for the user. */
  warnings: readonly string[];
}

/** A run: an async iterable of finished traces. */
export interface TraceRun extends AsyncIterable<SkbTrace> {
  /** Resolves when everything is attached; rejects with NettraceError where that fails. */
  readonly ready: Promise<AttachReport>;
  statistics(): TraceStatistics;
  /** Ends the run: what is there is still delivered, then the iteration ends. */
  stop(): void;
}

function checkInterface(filter: Filter, otherNetns: boolean): void {
  const { ifname } = filter;
  // in another namespace the name cannot be looked up from here
  if (ifname === undefined || otherNetns || interfaceExists(ifname)) return;
  throw new UsageError(`there is no interface '${ifname}' in this network namespace`, {
    advice: 'ip link lists them; for an interface of another namespace give --netns too',
  });
}

/** networkInterfaces() of node:os leaves out interfaces without an address. */
function interfaceExists(name: string): boolean {
  try {
    return readdirSync('/sys/class/net').includes(name);
  } catch {
    return true; // without sysfs it cannot be said
  }
}

class Run implements TraceRun {
  readonly ready: Promise<AttachReport>;
  readonly #options: TraceOptions;
  readonly #waiting: SkbTrace[] = [];
  #wake: (() => void) | undefined;
  #programs: AttachedPrograms | undefined;
  #reader: RingBufferReader | undefined;
  #decoder = new RecordDecoder(0);
  #assembler: Assembler | undefined;
  #builder: TraceBuilder | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #delivered = 0;
  #queueFull = 0;
  #yielded = 0;
  #stopping = false;
  #ended = false;
  #failure: unknown;
  #lastCounts = { produced: 0, ringFull: 0, trackFull: 0, framesFull: 0 };
  readonly #onAbort = () => this.stop();

  constructor(options: TraceOptions) {
    this.#options = options;
    this.ready = Promise.resolve().then(() => this.#start());
    // the iteration reports the failure as well: nobody has to look at `ready`
    this.ready.catch((error: unknown) => {
      this.#failure = error;
      this.#finish();
    });
  }

  async #start(): Promise<AttachReport> {
    const options = this.#options;
    const filter = parseFilter(options);
    let netns = 0;
    if (options.netns !== undefined) netns = netnsInode(options.netns);
    else if (options.netnsCurrent) netns = currentNetnsInode();
    checkInterface(filter, options.netns !== undefined);
    const warnings = requireTraceable();
    const kernel = Kernel.read();
    const plan = planProbes(selectProbes(options.trace ?? [], kernel), kernel, options.ret ?? false);
    const programs = await AttachedPrograms.open(kernel, plan.probes, {
      filter,
      netns,
      wantMeta: options.detail ?? true,
      bufferBytes: options.bufferBytes ?? DEFAULT_BUFFER_BYTES,
      backend: options.backend,
    });
    this.#programs = programs;
    this.#decoder = new RecordDecoder(plan.probes.length);
    this.#builder = new TraceBuilder(kernel, programs.outcomes, options.ret ?? false);
    this.#assembler = new Assembler({
      graceMs: GRACE_MS,
      ageMs: options.ageMs ?? (programs.tracepointsOnly ? 1000 : 5000),
      maxOpen: MAX_OPEN_TRACES,
      maxEvents: MAX_EVENTS_PER_TRACE,
      onTrace: (trace) => this.#deliver(trace),
      onForget: (skbs, id) => programs.forget(skbs, id),
    });
    this.#reader = programs.read((batch) => this.#onBatch(batch));
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS);
    if (options.signal?.aborted) this.stop();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    return { outcomes: programs.outcomes, unavailable: plan.unavailable, warnings };
  }

  #onBatch(batch: ArrayBuffer): void {
    const now = performance.now();
    this.#decoder.decodeBatch(batch, (event) => {
      this.#delivered++;
      this.#assembler?.add(event, now);
    });
    this.#flush();
  }

  #flush(): void {
    this.#noticeLosses();
    this.#assembler?.flush(performance.now());
  }

  /** Before a trace is closed: what was lost while it was open makes it incomplete. */
  #noticeLosses(): void {
    if (!this.#programs) return;
    this.#lastCounts = this.#programs.counts();
    const lost = this.#lastCounts.ringFull + this.#lastCounts.trackFull + this.#decoder.malformed;
    if (lost === this.#lost) return;
    this.#lost = lost;
    this.#assembler?.markIncomplete(Number(process.hrtime.bigint()));
  }

  #deliver(open: OpenTrace): void {
    const limit = this.#options.count ?? Number.POSITIVE_INFINITY;
    if (this.#yielded >= limit) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#queueFull++;
      return;
    }
    const trace = this.#builder?.build(open);
    if (!trace) return;
    this.#yielded++;
    this.#waiting.push(trace);
    this.#wake?.();
    if (this.#yielded >= limit) this.stop();
  }

  statistics(): TraceStatistics {
    return {
      ...this.#lastCounts,
      delivered: this.#delivered,
      malformed: this.#decoder.malformed,
      orphans: this.#assembler?.orphans ?? 0,
      queueFull: this.#queueFull,
    };
  }

  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#shutDown().then(
      () => this.#finish(),
      (error: unknown) => {
        this.#failure = error;
        this.#finish();
      },
    );
  }

  async #shutDown(): Promise<void> {
    await this.ready;
    await this.#programs?.detach();
    await this.#reader?.stop();
    clearInterval(this.#timer);
    this.#noticeLosses();
    this.#assembler?.end();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#programs?.close();
    this.#programs = undefined;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SkbTrace, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next) {
          yield next;
          continue;
        }
        if (this.#ended) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#failure) throw this.#failure;
    } finally {
      this.stop();
    }
  }
}

/**
 * Traces packets through the kernel. Starts at once; iterate to receive finished traces, abort `options.signal`, call
 * `stop()` or leave the loop to end. Prints nothing. Failures are NettraceError, wrong options UsageError: from `ready`
 * and from the iteration.
 */
export function trace(options: TraceOptions = {}): TraceRun {
  return new Run(options);
}
