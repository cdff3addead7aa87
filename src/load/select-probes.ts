import { UsageError } from '../errors.js';
import { PROBES } from '../generated/probes.js';
import type { Kernel } from './kernel.js';
import type { ProbeDefinition } from './probe-definition.js';

const IDENTITY_READS = new Set(['drop', 'free', 'derive']);

/** Does this probe begin or end an skb's part in a trace? Those are always attached: without them traces mix. */
export function keepsIdentity(probe: ProbeDefinition): boolean {
  return IDENTITY_READS.has(probe.read);
}

function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}

/** A probe for a function that the table does not know but that the kernel has, with an skb among its arguments. */
function probeForFunction(name: string): ProbeDefinition {
  return { name, stage: 'other', groups: [], isDefault: false, symbols: [name], read: 'nothing', returns: [] };
}

function kernelFunctions(kernel: Kernel, pattern: string): ProbeDefinition[] {
  return kernel.btf.functions({ pattern, pointsTo: 'sk_buff' }).map((f) => probeForFunction(f.name));
}

function selectOne(word: string, kernel: Kernel): ProbeDefinition[] {
  if (word === 'all') return [...PROBES];
  if (/[*?]/.test(word)) {
    const pattern = globToRegExp(word);
    const known = PROBES.filter((p) => pattern.test(p.name));
    const names = new Set(known.flatMap((p) => [p.name, ...(p.symbols ?? [])]));
    const others = kernelFunctions(kernel, word).filter((p) => !names.has(p.name));
    if (known.length + others.length === 0) {
      throw new UsageError(`no function matches '${word}'`, {
        advice: 'only functions with an skb among their arguments can be traced; nettrace probes lists the table',
      });
    }
    return [...known, ...others];
  }
  const known = PROBES.filter(
    (p) => p.name === word || p.stage === word || p.groups.includes(word) || p.symbols?.includes(word),
  );
  if (known.length > 0) return known;
  const others = kernelFunctions(kernel, word);
  if (others.length > 0) return others;
  throw new UsageError(`unknown function or group '${word}'`, {
    advice: kernel.btf.function(word)
      ? 'the kernel has this function, but it takes no skb'
      : 'nettrace probes lists groups and functions',
  });
}

/**
 * The probes for these words of -t (groups, functions, globs, `all`), or the default set without any. A probe that was
 * asked for is an entry: packets may be seen there for the first time. Throws UsageError for a word that fits nothing.
 */
export function selectProbes(words: readonly string[], kernel: Kernel): ProbeDefinition[] {
  if (words.length === 0) return PROBES.filter((p) => p.isDefault);
  const chosen = new Map<string, ProbeDefinition>();
  for (const probe of PROBES) if (probe.isDefault && keepsIdentity(probe)) chosen.set(probe.name, probe);
  const everything = words.includes('all');
  for (const word of words) {
    for (const probe of selectOne(word, kernel)) {
      const carriesSkb = probe.read !== 'state' && probe.read !== 'route';
      const entry =
        probe.entry ||
        (carriesSkb && !everything && !keepsIdentity(probe) && !probe.noParse && probe.read !== 'request');
      chosen.set(probe.name, entry ? { ...probe, entry: true } : probe);
    }
  }
  return [...chosen.values()];
}
