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
