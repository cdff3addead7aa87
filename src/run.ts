import type { RingBufferReader } from '#bpf-loader';
import { Assembler } from './assemble/assembler.js';
import { DetailStash } from './assemble/detail-stash.js';
import { type KernelRecord, RecordDecoder } from './decode/records.js';
import { EndReport } from './end-report.js';
import { NettraceError } from './errors.js';
import { ConnectionJudge } from './explain/connections/connection-judge.js';
import { EventBuilder } from './explain/event-builder.js';
import { totalLatencyUs } from './explain/latency.js';
import { listWithNft } from './explain/list-nft.js';
import { NetnsFiles } from './explain/netns-files.js';
import { StatisticsBuilder } from './explain/statistics.js';
import { TraceBuilder } from './explain/trace-builder.js';
import { ValueReader } from './explain/values.js';
import { compileFilters } from './filter/compile-filters.js';
import { planProbes } from './load/attach-plan.js';
import { checkPlaces } from './load/check-places.js';
import { type Kernel, KernelReading } from './load/kernel.js';
import { netnsInode, wantedNetns } from './load/netns.js';
import { AttachedPrograms, type KernelCounts } from './load/open.js';
import { requireTraceable } from './load/preflight.js';
import { selectProbes } from './load/select-probes.js';
import { requireWanted } from './load/words-not-traced.js';
import { checkSocketProto, followsPackets, type Mode, recordsBytes, watchesSockets } from './modes.js';
import { checkShapes } from './option-shapes.js';
import { parseFilter, type TraceOptions } from './options.js';
import { NO_LOSS_RATE, RateLimit } from './rate-limit.js';
import { isAbnormal } from './read/single-events.js';
import { defaultSample, parseSample, SampleLevel } from './sample.js';
import type { AttachReport, TraceRun, TraceStatistics } from './trace.js';
import type { OutputRecord } from './types.js';

const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;
const GRACE_MS = 30;
const FLUSH_MS = 20;
const REFRESH_MS = 1000;
const MAX_OPEN_TRACES = 65_536;
const MAX_EVENTS_PER_TRACE = 2048;
/** Records of open traces. */
const MAX_OPEN_BYTES = 64 * 1024 * 1024;
const SETTLE_MS = 1000;
const SETTLE_POLL_MS = 5;
/** A packet that was silent for so long waits for something: it is in a queue, or its free went unseen. */
const QUIET_MS = 150;
/** Records that may wait for the consumer of the iterable. */
const MAX_WAITING = 100_000;

/** Where decoded events go: each mode has its own way from here to the records that are reported. */
interface Pipeline {
  /** The record is this pipeline's until it returns. */
  add(record: KernelRecord, now: number): void;
  /** Called after each batch and every 20 ms; `now`: milliseconds. */
  flush(now: number): void;
  /** Something was lost up to this time, nanoseconds of CLOCK_MONOTONIC. */
  lost(time: number): void;
  /** The end of the run. */
  end(): void;
  readonly orphans: number;
  /** Are there packets that were first seen in these namespaces and are still moving; what ends the following of all. */
  isBusyIn(namespaces: ReadonlySet<number>, since: number): boolean;
  closeIn(namespaces: ReadonlySet<number>): void;
}

const NOTHING_COUNTED: KernelCounts = {
  produced: 0,
  ringFull: 0,
  trackFull: 0,
  framesFull: 0,
  rateLimited: 0,
  sampled: 0,
  sampledOf: 0,
};

/** Where nothing is followed in user space. */
const NOTHING_OPEN = { isBusyIn: () => false, closeIn: () => {} };

/** A packet that waits to be read for longer than this is not followed any further. */
const LATENCY_AGE_NS = 60_000_000_000n;
const SWEEP_MS = 10_000;

function sweeper(programs: AttachedPrograms): (now: number) => void {
  let next = performance.now() + SWEEP_MS;
  return (now) => {
    if (now < next) return;
    next = now + SWEEP_MS;
    programs.sweep(process.hrtime.bigint() - LATENCY_AGE_NS);
  };
}

/**
 * Of traces that nothing more is seen of; a free that goes unseen is what tracepoints alone have more of. No whole seconds: TCP
 * sends again after those, and the record would come just when its trace is closed.
 */
const AGE_MS = 5300;
const SHORT_AGE_MS = 1300;

/** Seconds of the monotonic clock; of single events only. */
function timeOf(record: OutputRecord): number {
  if (record.type === 'packet') return record.event.t;
  return record.type === 'socket' ? record.t : 0;
}

function wrongShape(options: unknown): unknown {
  try {
    checkShapes(options);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Ties the stages together: load, read, decode, assemble, explain. */
export class Run implements TraceRun<OutputRecord> {
  readonly ready: Promise<AttachReport>;
  readonly #options: TraceOptions;
  readonly #kernel: KernelReading | undefined;
  readonly #mode: Mode;
  /** From `#nextWaiting` on. */
  #waiting: OutputRecord[] = [];
  #nextWaiting = 0;
  readonly #details = new DetailStash();
  #wake: (() => void) | undefined;
  #programs: AttachedPrograms | undefined;
  #reader: RingBufferReader | undefined;
  #decoder = new RecordDecoder(0);
  #pipeline: Pipeline | undefined;
  #endReport: EndReport | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost = 0;
  #delivered = 0;
  #queueFull = 0;
  #missedRuns = 0;
  #counted = 0;
  #nextRefresh = 0;
  #sampleLevel: SampleLevel | undefined;
  #stopping = false;
  #ended = false;
  #failure: unknown;
  /** Where frees that are no loss are not shown. */
  #rateLimit: RateLimit | undefined;
  #lastCounts = NOTHING_COUNTED;
  #reportedCounts = NOTHING_COUNTED;
  readonly #onAbort = () => this.stop();

  /** `kernel`: begun already. */
  constructor(options: TraceOptions, kernel?: KernelReading) {
    const wrong = wrongShape(options);
    this.#options = wrong ? {} : options;
    this.#kernel = kernel;
    this.#mode = this.#options.mode ?? 'life';
    this.ready = Promise.resolve().then(() => {
      if (wrong) throw wrong;
      return this.#start();
    });
    // the iteration reports the failure as well: nobody has to look at `ready`
    this.ready.catch((error: unknown) => this.#fail(error));
  }

  /** Rejects `ready` where nothing is, or stays, attached because the signal came first. */
  #throwIfAborted(): void {
    const { signal } = this.#options;
    if (signal?.aborted) throw signal.reason;
  }

  async #start(): Promise<AttachReport> {
    const options = this.#options;
    this.#throwIfAborted();
    const filter = parseFilter(options);
    checkSocketProto(this.#mode, options);
    const netns = wantedNetns(options.netns, options.netnsCurrent ?? false);
    if (!options.force) checkPlaces(options);
    const reading = this.#kernel ?? new KernelReading(options.btfPath);
    // fields of the skb are where the given file says; else what is wrong with a filter is said before BTF is read
    const types = options.btfPath === undefined ? undefined : await reading.btf;
    const generated = compileFilters(options, types, watchesSockets(this.#mode) ? 'sockets' : 'packets');
    const bufferBytes = options.bufferBytes ?? DEFAULT_BUFFER_BYTES;
    const sample = parseSample(options.sample ?? defaultSample(options));
    const warnings = requireTraceable({ force: options.force ?? false, btfPath: options.btfPath });
    const btf = await reading.btf;
    // counters and sockets are a namespace's
    const wantMeta = (options.detail ?? true) || Boolean(options.counters || options.explain);
    const filterOwner = filter.pid !== undefined || filter.comm !== undefined;
    const wantOwner = filterOwner || (wantMeta && this.#mode !== 'func-stats' && this.#mode !== 'rtt');
    const wantRtt = options.filterSrtt !== undefined || options.filterMinrtt !== undefined;
    const definitions = selectProbes({ ...options, mode: this.#mode, wantOwner, filterOwner, wantRtt }, { btf });
    const plan = async () => planProbes(definitions, await reading.whole, options.ret ?? false);
    if (options.rateLimit && !options.dropAll && (this.#mode === 'drop' || this.#mode === 'monitor'))
      this.#rateLimit = new RateLimit(options.rateLimit);
    const programs = await AttachedPrograms.open(btf, definitions, plan, {
      filter,
      generated,
      netns,
      mode: this.#mode,
      wantMeta,
      wantBytes: recordsBytes(this.#mode) && (options.bytes ?? false),
      wantOwner,
      wantHooks: options.hooks ?? false,
      wantTimers: watchesSockets(this.#mode) || this.#mode === 'monitor',
      latencyFree: options.latencyFree ?? false,
      rateLimit: (options.rateLimit ?? 0) + (this.#rateLimit ? NO_LOSS_RATE : 0),
      sample,
      minLatency: options.minLatency ?? 0,
      minSrtt: Math.round((options.filterSrtt ?? 0) * 1000),
      minRtt: Math.round((options.filterMinrtt ?? 0) * 1000),
      btfPath: options.btfPath,
      bufferBytes,
      backend: options.backend,
    });
    const kernel = await reading.whole;
    this.#programs = programs;
    this.#throwIfAborted();
    requireWanted(options.trace ?? [], programs);
    if (sample.adaptive && followsPackets(this.#mode)) this.#sampleLevel = new SampleLevel(bufferBytes);
    this.#decoder = new RecordDecoder(programs.plan.probes.length);
    this.#pipeline = this.#makePipeline(kernel, programs);
    const { counters = false, explain = false } = options;
    if (counters || explain) {
      this.#endReport = new EndReport({ counters, states: explain, wanted: netns === 0 ? [] : [netns].flat() });
      await this.#endReport.begin();
    }
    this.#reader = programs.read((batch) => this.#onBatch(batch));
    this.#nextRefresh = performance.now() + REFRESH_MS;
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS);
    this.#throwIfAborted();
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    return { outcomes: programs.outcomes, unavailable: programs.plan.unavailable, warnings };
  }

  #makePipeline(kernel: Kernel, programs: AttachedPrograms): Pipeline {
    const { outcomes } = programs;
    const mode = this.#mode;
    // one list of where namespaces are found: a look through all processes makes it
    const files = new NetnsFiles();
    const values = new ValueReader(files);
    const rules = listWithNft(files, (text) => this.#options.onWarning?.(text));
    const traces = new TraceBuilder(kernel, outcomes, this.#options.ret ?? false, values, rules);
    if (mode === 'life') return this.#tracePipeline(traces, programs);
    if (mode === 'rtt' || mode === 'latency-summary' || mode === 'func-stats')
      return this.#statisticsPipeline(programs);
    const builder = new EventBuilder({ kernel, outcomes, traces, mode, hz: programs.hz });
    const sweep = mode === 'latency' ? sweeper(programs) : () => {};
    return {
      ...NOTHING_OPEN,
      orphans: 0,
      add: (record) => this.#deliver(builder.build(record)),
      flush: sweep,
      lost: () => {},
      end: () => {},
    };
  }

  #tracePipeline(traces: TraceBuilder, programs: AttachedPrograms): Pipeline {
    const minimum = this.#options.minLatency ?? 0;
    const connections = this.#options.explain ? new ConnectionJudge() : undefined;
    const entries = new Set(programs.plan.probes.filter(({ definition }) => definition.entry).map(({ id }) => id));
    const assembler = new Assembler({
      graceMs: GRACE_MS,
      ageMs: this.#options.ageMs ?? (programs.tracepointsOnly ? SHORT_AGE_MS : AGE_MS),
      maxOpen: MAX_OPEN_TRACES,
      maxEvents: MAX_EVENTS_PER_TRACE,
      maxBytes: MAX_OPEN_BYTES,
      isEntry: (probe) => entries.has(probe),
      onTrace: (open) => {
        if (!this.#hasRoom()) return;
        const trace = traces.build(open);
        this.#endReport?.add(trace);
        if (minimum > 0 && totalLatencyUs(trace) < minimum) return;
        connections?.add(trace);
        if (!this.#options.abnormalOnly || trace.events.some(isAbnormal)) this.#deliver(trace);
      },
      onForget: (skbs, id) => programs.forget(skbs, id),
    });
    return {
      add: (record, now) => assembler.add(record, now),
      flush: (now) => assembler.flush(now),
      lost: (time) => assembler.markIncomplete(time),
      end: () => {
        assembler.end();
        // where packets were left out, one of them may have ended a connection whose socket is gone
        const sockets = this.#sawAll ? this.#endReport?.states : undefined;
        for (const record of connections?.end(sockets) ?? []) this.#push(record);
      },
      isBusyIn: (namespaces, since) => assembler.isBusyIn(namespaces, since),
      closeIn: (namespaces) => assembler.closeIn(namespaces),
      get orphans() {
        return assembler.orphans;
      },
    };
  }

  /** What the kernel side counted: distributions once a second, all at the end. */
  #statisticsPipeline(programs: AttachedPrograms): Pipeline {
    const builder = new StatisticsBuilder();
    const report = () => {
      if (this.#mode === 'func-stats') this.#deliver(builder.functions(programs.outcomes, programs.hits()));
      else this.#deliver(builder.histogram(this.#mode === 'rtt' ? 'rtt' : 'latency', programs.times()));
    };
    const sweep = this.#mode === 'latency-summary' ? sweeper(programs) : () => {};
    let next = performance.now() + REFRESH_MS;
    return {
      ...NOTHING_OPEN,
      orphans: 0,
      add: () => {},
      flush: (now) => {
        sweep(now);
        if (now < next || this.#mode === 'func-stats') return;
        next += REFRESH_MS;
        report();
      },
      lost: () => {},
      end: report,
    };
  }

  #onBatch(batch: ArrayBuffer): void {
    const now = performance.now();
    let oldest = 0;
    this.#decoder.decodeBatch(batch, (record) => {
      this.#delivered++;
      oldest ||= record.time;
      if (record.netns) this.#endReport?.see(record.netns);
      if (this.#details.join(record)) this.#pipeline?.add(record, now);
    });
    if (this.#sampleLevel && oldest > 0 && this.#programs) {
      const level = this.#sampleLevel.follow((Number(process.hrtime.bigint()) - oldest) / 1e6, now);
      if (level !== undefined) this.#programs.sampleLevel = level;
    }
    this.#flush();
  }

  #flush(): void {
    const now = performance.now();
    this.#noticeLosses();
    this.#pipeline?.flush(now);
    if (now < this.#nextRefresh) return;
    this.#nextRefresh = now + REFRESH_MS;
    this.#reportLeftOut();
  }

  /** Before a trace is closed: what was lost while it was open makes it incomplete. */
  #noticeLosses(): void {
    if (!this.#programs) return;
    const counts = this.#programs.counts();
    this.#lastCounts = { ...counts, rateLimited: counts.rateLimited + (this.#rateLimit?.leftOut ?? 0) };
    const lost = this.#lastCounts.ringFull + this.#lastCounts.trackFull + this.#decoder.malformed;
    if (lost === this.#lost) return;
    this.#lost = lost;
    this.#pipeline?.lost(Number(process.hrtime.bigint()));
  }

  /** What the kernel side did not report since the last time, because it was told to. */
  #reportLeftOut(): void {
    const [last, now] = [this.#reportedCounts, this.#lastCounts];
    const builder = new StatisticsBuilder();
    if (now.rateLimited > last.rateLimited) this.#push(builder.omission(now.rateLimited - last.rateLimited));
    const [sampled, of] = [now.sampled - last.sampled, now.sampledOf - last.sampledOf];
    // who asked for 1/N knows; who asked for nothing iterates traces alone
    if (of > sampled && this.#options.sample === 'auto') this.#push(builder.sampling(sampled, of));
    this.#reportedCounts = now;
  }

  get #sawAll(): boolean {
    const { rateLimited, sampled, sampledOf } = this.#lastCounts;
    return this.#lost + this.#missedRuns + this.#queueFull + rateLimited === 0 && sampled === sampledOf;
  }

  /** False where the consumer is too far behind; that is counted. */
  #hasRoom(): boolean {
    if (this.#counted >= (this.#options.count ?? Number.POSITIVE_INFINITY)) return false;
    if (this.#waiting.length - this.#nextWaiting < MAX_WAITING) return true;
    this.#queueFull++;
    return false;
  }

  #deliver(record: OutputRecord): void {
    if (!this.#hasRoom()) return;
    if (record.type === 'packet' && record.mode !== 'basic' && record.event.drop?.noLoss !== undefined) {
      if (!this.#options.dropAll) return;
    }
    if (this.#rateLimit && !this.#rateLimit.allows(timeOf(record))) return;
    this.#counted++;
    this.#push(record);
    if (this.#counted >= (this.#options.count ?? Number.POSITIVE_INFINITY)) this.stop();
  }

  #push(record: OutputRecord): void {
    this.#waiting.push(record);
    this.#wake?.();
  }

  #takeWaiting(): OutputRecord | undefined {
    const next = this.#waiting[this.#nextWaiting];
    if (next) this.#nextWaiting++;
    // to shift a long array is to copy it
    if (this.#nextWaiting * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#nextWaiting);
      this.#nextWaiting = 0;
    }
    return next;
  }

  statistics(): TraceStatistics {
    return {
      ...this.#lastCounts,
      delivered: this.#delivered,
      malformed: this.#decoder.malformed,
      orphans: this.#pipeline?.orphans ?? 0,
      queueFull: this.#queueFull,
      missedRuns: this.#readMissedRuns(),
    };
  }

  /** Those of copies are gone when they are detached. */
  #readMissedRuns(): number {
    this.#missedRuns = Math.max(this.#missedRuns, this.#programs?.missedRuns() ?? 0);
    return this.#missedRuns;
  }

  addNamespace(netns: string | number): void {
    this.#attached().addNamespace(netnsInode(String(netns)));
  }

  removeNamespace(netns: string | number): void {
    this.#attached().removeNamespace(netnsInode(String(netns)));
  }

  async settle(netns: readonly (string | number)[], timeoutMs = SETTLE_MS): Promise<void> {
    const namespaces = new Set(netns.map((one) => netnsInode(String(one))));
    const { produced } = this.#attached().counts();
    let arrived = 0;
    let end = performance.now() + timeoutMs;
    while (!this.#ended && performance.now() < end) {
      const before = arrived;
      arrived = this.#delivered + this.#decoder.malformed + this.#lastCounts.ringFull;
      // a reader that is behind is waited for as long as it gets on
      if (before < Math.min(arrived, produced)) end = performance.now() + timeoutMs;
      if (arrived >= produced && !this.#pipeline?.isBusyIn(namespaces, performance.now() - QUIET_MS)) break;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS));
      this.#flush();
    }
    this.#pipeline?.closeIn(namespaces);
    // whoever iterates has its turn first
    await new Promise(setImmediate);
  }

  #attached(): AttachedPrograms {
    if (this.#programs) return this.#programs;
    throw new NettraceError(this.#ended ? 'the run has ended' : 'the run is not ready yet');
  }

  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#shutDown().then(
      () => this.#finish(),
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    const { signal } = this.#options;
    // that the run ends is then what was asked for
    if (!(signal?.aborted && error === signal.reason)) this.#failure = error;
    this.#finish();
  }

  async #shutDown(): Promise<void> {
    await this.ready;
    await this.#endReport?.readLast();
    this.#readMissedRuns();
    await this.#programs?.detach();
    await this.#reader?.stop();
    clearInterval(this.#timer);
    this.#noticeLosses();
    this.#pipeline?.end();
    this.#reportLeftOut();
    for (const record of (await this.#endReport?.records(this.#lost + this.#missedRuns === 0)) ?? [])
      this.#push(record);
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    try {
      this.#programs?.close();
    } catch (error) {
      this.#failure ??= error;
    }
    this.#programs = undefined;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputRecord, void, undefined> {
    try {
      for (;;) {
        const next = this.#takeWaiting();
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
