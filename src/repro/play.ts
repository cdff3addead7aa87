import { release } from 'node:os';
import { UsageError } from '../errors.js';
import type { SkbTrace } from '../types.js';
import { runningVersion } from './by-kernel.js';
import type { AnyCase } from './case.js';
import { type Observation, runCheck } from './check.js';
import { errorText } from './error-text.js';
import { Expect } from './expect.js';
import { MachineSettings } from './machine-settings.js';
import { Bridge, Network } from './network.js';
import { Observer } from './observe.js';
import { parameterValues } from './parameters.js';
import { seededRandom } from './random.js';
import { RegistryFile } from './registry.js';
import type { CaseOutcome, CheckRecord, HostRecord, ReproRecord, StepRecord } from './result.js';
import type { SharedTracer, TraceWatch } from './shared-tracer.js';
import { until } from './until.js';

const PATIENCE_MS = 2000;
const LOOK_AGAIN_MS = 50;

/** How a case is played. */
export interface PlayOptions {
  /** Values of its parameters, by name; those that it does not have are left out. */
  settings?: ReadonlyMap<string, string | number | boolean>;
  seed?: number;
  repetition?: number;
  /** Ends the case: what it made is removed, and the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Leaves the network standing, unless the case was ended before it was played. */
  keep?: boolean;
  /** Is told when the network is up, and gives what is to be called when the case has been played, before anything is removed. */
  onNetwork?: (network: Network, definition: AnyCase) => () => Promise<void>;
}

/** What became of a case, with the traces themselves. */
export interface CaseResult extends Omit<ReproRecord, 'traces'> {
  traces: readonly SkbTrace[];
}

/** The network of a case that was played and is to be kept: whoever is told of the result says which. */
export interface Standing {
  keep(): void;
  remove(): Promise<void>;
}

export interface Played {
  result: CaseResult;
  standing?: Standing | undefined;
}

const observations = new WeakMap<CaseResult, Observation>();

/** What expectations about a case that was played are held against. Throws UsageError where it was not played to its end. */
export function observationOf(result: CaseResult): Observation {
  const observed = observations.get(result);
  if (observed) return observed;
  const why = result.reason === undefined ? '' : `: ${result.reason}`;
  throw new UsageError(`case '${result.case}' was not played to its end (${result.outcome})${why}`);
}

/** The record that --json writes. */
export function toRecord(result: CaseResult): ReproRecord {
  return { ...result, traces: result.traces.map(({ id }) => id) };
}

/** Rejects when the signal says so: what is waited for meanwhile need not know of it. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
    promise.catch(() => {}); // after an abort nobody waits for it any more
  }
}

function nowSeconds(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}

function hostRecords(network: Network): HostRecord[] {
  return network.hosts.map((host) => ({
    name: host.name,
    namespace: host.namespace,
    netns: host.inode,
    interfaces: host.ends.map(({ ifname, mac, address, address6 }) => ({
      ifname,
      mac,
      address: host instanceof Bridge ? '' : address,
      ...(host.options.ipv6 ? { address6 } : {}),
    })),
  }));
}

/** What a skipped case's record is. */
export function skipped(definition: AnyCase, reason: string, functions: boolean, options: PlayOptions): CaseResult {
  return { ...new Playing(definition, functions, options).result, outcome: 'skipped', reason };
}

/** Where nothing was held against what was seen, nothing is as expected. */
function outcomeOf(checks: readonly CheckRecord[]): CaseOutcome {
  if (checks.some(({ status }) => status === 'failed')) return 'failed';
  return checks.some(({ status }) => status === 'ok') ? 'passed' : 'shown';
}

/** What looks at a case. */
interface Looking {
  watch: TraceWatch;
  tracer: SharedTracer;
  observer: Observer;
}

function inOrder(traces: readonly SkbTrace[]): SkbTrace[] {
  return traces.toSorted((a, b) => a.start - b.start);
}

/** One case while it is played. */
class Playing {
  readonly result: CaseResult;
  readonly network = new Network();
  readonly definition: AnyCase;
  readonly options: PlayOptions;
  standing: Standing | undefined;
  readonly #signal: AbortSignal;

  constructor(definition: AnyCase, functions: boolean, options: PlayOptions) {
    this.definition = definition;
    this.options = options;
    this.#signal = options.signal ?? new AbortController().signal;
    const { name, group, title } = definition;
    this.result = {
      v: 1,
      type: 'repro',
      case: name,
      group,
      title,
      outcome: 'error',
      kernel: release(),
      functions,
      parameters: parameterValues(definition.parameters ?? {}, options.settings ?? new Map()),
      seed: options.seed ?? 1,
      repetition: options.repetition ?? 1,
      date: new Date().toISOString(),
      durationUs: 0,
      lost: 0,
      hosts: [],
      links: [],
      steps: [],
      traces: [],
      counters: [],
      connections: [],
      sockets: [],
      checks: [],
    };
  }

  /** Makes the network, plays, looks, and removes the network, whatever happens. */
  async play(tracer: SharedTracer): Promise<void> {
    const { definition, network, options, result } = this;
    const { parameters } = result;
    const start = nowSeconds();
    const net: unknown = definition.network(network, { parameters });
    const registry = new RegistryFile();
    const machine = new MachineSettings(registry);
    try {
      await network.up(registry);
      this.#signal.throwIfAborted();
      result.hosts = hostRecords(network);
      result.links = network.links.map(({ left, right }) => ({
        left: `${left.host.name} ${left.ifname}`,
        right: `${right.host.name} ${right.ifname}`,
      }));
      const ended = options.onNetwork?.(network, definition);
      const observer = new Observer(network.hosts);
      await observer.begin();
      const lost = tracer.lost;
      const watch = tracer.watch(network.hosts.map(({ inode }) => inode));
      try {
        const facts: unknown = await unlessAborted(this.#signal, definition.play(this.#context(net, machine)));
        await unlessAborted(this.#signal, this.#look({ watch, tracer, observer }, net, facts));
      } finally {
        await this.#collect({ watch, tracer, observer }, lost);
        watch.end();
        await ended?.();
      }
    } finally {
      machine.restore();
      network.quiet();
      const forget = () => registry.remove();
      const standing: Standing = {
        keep: () => {
          network.keep();
          forget();
        },
        remove: () => network.down().finally(forget),
      };
      // what nobody is told of is not left behind: how to enter it is told with the result
      if (options.keep && result.hosts.length > 0 && !this.#signal.aborted) this.standing = standing;
      else await standing.remove();
      result.durationUs = Math.round((nowSeconds() - start) * 1e6);
    }
  }

  #context(net: unknown, machine: MachineSettings): Parameters<AnyCase['play']>[0] {
    const signal = this.#signal;
    const random = seededRandom(this.result.seed);
    return {
      net,
      parameters: this.result.parameters,
      version: runningVersion(),
      step: (text, action) => this.#step(text, action),
      until: (what, test, more = {}) => until(what, test, { signal, ...more }),
      setMachineSysctl: (name, value) => machine.set(name, value),
      random,
      signal,
    };
  }

  async #step<T>(text: string, action: () => T | Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    const step: StepRecord = { text, t: nowSeconds(), durationUs: 0 };
    this.result.steps.push(step);
    try {
      return await action();
    } finally {
      step.durationUs = Math.round((nowSeconds() - step.t) * 1e6);
    }
  }

  /** Holds the expectations against what there is, until all hold or the patience ends. */
  async #look({ watch, tracer, observer }: Looking, net: unknown, facts: unknown): Promise<void> {
    const { definition, result } = this;
    const hosts = this.network.hosts.map(({ name }) => name);
    const expect = new Expect({ hosts, isTraced: (name) => tracer.isTraced(name) });
    definition.expectations?.({ expect, net, parameters: result.parameters, facts, version: runningVersion() });
    const patience = definition.patienceMs ?? PATIENCE_MS;
    await watch.settle(patience);
    const end = performance.now() + patience;
    for (;;) {
      const observed = await observer.observe(inOrder(watch.traces), tracer);
      result.checks = expect.checks.map((check) => runCheck(check, observed));
      observations.set(result, observed);
      if (result.checks.every(({ status }) => status !== 'failed') || performance.now() >= end) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      await watch.settle(Math.max(0, end - performance.now()));
    }
    result.outcome = outcomeOf(result.checks);
  }

  /** What there is in the end, also where the case went wrong. */
  async #collect({ watch, tracer, observer }: Looking, lostBefore: number): Promise<void> {
    const { result } = this;
    await observer.readLast();
    await watch.settle(this.#signal.aborted ? 0 : PATIENCE_MS);
    result.traces = inOrder(watch.traces);
    result.lost = tracer.lost - lostBefore;
    Object.assign(result, await observer.end(result.traces, result.lost === 0));
  }
}

/**
 * Plays a case. What goes wrong with the case itself is the result's outcome `error`; rejects with the signal's reason where
 * that ended it.
 */
export async function playCase(definition: AnyCase, tracer: SharedTracer, options: PlayOptions = {}): Promise<Played> {
  const playing = new Playing(definition, tracer.hasFunctions, options);
  try {
    await playing.play(tracer);
  } catch (error) {
    if (options.signal?.aborted) {
      await playing.standing?.remove();
      throw error;
    }
    playing.result.outcome = 'error';
    playing.result.reason = errorText(error);
  }
  return { result: playing.result, standing: playing.standing };
}
