import { NettraceError } from '../errors.js';
import type { AttachReport } from '../trace.js';
import { globToRegExp, isMeant } from './select-probes.js';

/** Those of the words of `trace` and its like that nothing here is attached for: no function, or no member of a group. */
export function wordsNotTraced(words: readonly string[], { outcomes }: Pick<AttachReport, 'outcomes'>): string[] {
  const attached = outcomes.filter(({ backend }) => backend).map(({ probe }) => probe.definition);
  const isThere = (word: string) => {
    // what they mean is whatever is there
    if (word === 'all' || word === 'default') return true;
    const glob = /[*?]/.test(word) ? globToRegExp(word) : undefined;
    return attached.some((probe) => (glob ? glob.test(probe.name) : isMeant(probe, word)));
  };
  return [...new Set(words)].filter((word) => !isThere(word));
}

/** Throws NettraceError where nothing of what was asked for by name is attached: what is left are all frees of the machine. */
export function requireWanted(words: readonly string[], report: Pick<AttachReport, 'outcomes'>): void {
  const missing = wordsNotTraced(words, report);
  if (words.length === 0 || missing.length < new Set(words).size) return;
  throw new NettraceError(`nothing of what is to be traced is here: ${missing.join(', ')}`, {
    advice:
      'nettrace probes lists what is, nettrace doctor says why; a module has its functions once it is loaded (modprobe)',
  });
}
