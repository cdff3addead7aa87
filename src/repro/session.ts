import { NettraceError } from '../errors.js';
import type { Backend } from '../load/backend-names.js';
import { runningVersion } from './by-kernel.js';
import type { AnyCase } from './case.js';
import { restoreSetting } from './machine-settings.js';
import { parameterValues } from './parameters.js';
import { type CaseResult, type Played, type PlayOptions, playCase, skipped } from './play.js';
import { runPool } from './pool.js';
import { killLeft } from './processes.js';
import { findLeftovers } from './registry.js';
import { loadModules, missingRequirement, thisMachine } from './requirements.js';
import { SharedTracer } from './shared-tracer.js';
import { deleteNamespaces } from './tools.js';

export interface SessionOptions extends Omit<PlayOptions, 'repetition'> {
  backend?: Backend;
  /** Each case so many times (default 1). */
  repeat?: number;
  /** So many at once (default 1): results come as they are there. Kernels do more at once than one after the other. */
  jobs?: number;
}

/** Removes what sessions have left that ended without being able to: returns the namespaces' names. */
export async function sweepLeftovers(): Promise<readonly string[]> {
  const { namespaces, processes, settings, forget } = findLeftovers();
  killLeft(processes);
  for (const setting of settings) restoreSetting(setting);
  await deleteNamespaces(namespaces);
  forget();
  return namespaces;
}

/** Plays one case. Rejects as `playCases`; what goes wrong with the case itself is the result's outcome. */
export async function runCase(definition: AnyCase, options: SessionOptions = {}): Promise<CaseResult> {
  for await (const result of playCases([definition], { ...options, repeat: 1 })) return result;
  throw new NettraceError(`case '${definition.name}' has no result`);
}

/**
 * Plays cases with one tracer for all, and gives each one's result when it is there. Needs root. Throws
 * NettraceError where the machine refuses to trace; aborting `signal` ends it, with its reason thrown. Whatever ends it, leaving the
 * loop too, nothing that was made stays behind.
 */
export async function* playCases(
  definitions: readonly AnyCase[],
  options: SessionOptions = {},
): AsyncGenerator<CaseResult, void, undefined> {
  const { backend, repeat = 1, jobs = 1, signal, ...playOptions } = options;
  await sweepLeftovers();
  const machine = thisMachine(runningVersion());
  const { version } = machine;
  const reasonFor = (definition: AnyCase, hasFunctions: boolean) => {
    const parameters = parameterValues(definition.parameters ?? {}, options.settings ?? new Map());
    return (
      missingRequirement(definition.requires ?? {}, machine, hasFunctions) ?? definition.skip?.({ parameters, version })
    );
  };
  const playable = definitions.filter((definition) => reasonFor(definition, true) === undefined);
  await loadModules([...new Set(playable.flatMap(({ requires }) => requires?.modules ?? []))]);
  const more = [...new Set(playable.flatMap((definition) => definition.trace ?? []))];
  const tracer =
    playable.length > 0 ? await SharedTracer.start({ trace: more, ...(backend ? { backend } : {}) }) : undefined;
  const stopping = new AbortController();
  const stop = () => stopping.abort(signal?.reason ?? new Error('the session has ended'));
  signal?.addEventListener('abort', stop, { once: true });
  const tasks = definitions.flatMap((definition): (() => Promise<Played>)[] => {
    const reason = reasonFor(definition, tracer?.hasFunctions ?? true);
    if (reason !== undefined || !tracer) {
      const functions = tracer?.hasFunctions ?? false;
      return [async () => ({ result: skipped(definition, reason ?? '', functions, playOptions) })];
    }
    return Array.from({ length: repeat }, (_, i) => async () => {
      stopping.signal.throwIfAborted();
      return await playCase(definition, tracer, { ...playOptions, signal: stopping.signal, repetition: i + 1 });
    });
  });
  try {
    signal?.throwIfAborted();
    for await (const { result, standing } of runPool(tasks, jobs, stop, async (one) => one.standing?.remove())) {
      standing?.keep();
      yield result;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    await tracer?.stop();
  }
}
