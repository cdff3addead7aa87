import { PROBES } from '../generated/probes.js';
import { parseFilter } from '../options.js';
import { planProbes, type UnavailableProbe } from './attach-plan.js';
import { BACKENDS } from './backend-names.js';
import { type AttachOutcome, probeFeatures, usableBackends } from './backends.js';
import { Kernel } from './kernel.js';
import { AttachedPrograms, PLAIN_INPUT } from './open.js';

/** Attaches everything for a moment, to a filter that matches nothing. Throws NettraceError, BpfError. */
export async function tryProbes(): Promise<{ outcomes: AttachOutcome[]; unavailable: readonly UnavailableProbe[] }> {
  const kernel = await Kernel.read();
  const plan = async () => planProbes(PROBES, kernel, false);
  const programs = await AttachedPrograms.open(kernel.btf, PROBES, plan, {
    ...PLAIN_INPUT,
    filter: parseFilter({ saddr: ['255.255.255.255'], daddr: ['0.0.0.0'], pid: 2 ** 31 - 1 }),
    netns: 1,
    bufferBytes: 4096,
  });
  try {
    return { outcomes: programs.outcomes, unavailable: programs.plan.unavailable };
  } finally {
    programs.close();
  }
}

/** What an entry of the table is on this kernel. */
export interface KnownProbe {
  /** Name in this kernel, or null where it has none; then `why`. */
  target: string | null;
  /** Can it be attached, as far as can be told without doing so. */
  available: boolean;
  why?: string;
}

/** The table on this kernel, by name; attaches nothing, which would take seconds on some. Throws BpfError. */
export async function lookUpProbes(): Promise<{ probes: Map<string, KnownProbe>; takesFunctions: boolean }> {
  const kernel = await Kernel.read();
  const plan = planProbes(PROBES, kernel, false);
  const takesFunctions = usableBackends(BACKENDS, probeFeatures(kernel.btf)).length > 0;
  const probes = new Map<string, KnownProbe>();
  for (const { definition, target, isTracepoint } of plan.probes)
    probes.set(definition.name, { target, available: isTracepoint || takesFunctions });
  for (const { definition, why } of plan.unavailable)
    probes.set(definition.name, { target: null, available: false, why });
  return { probes, takesFunctions };
}
