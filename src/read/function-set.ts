import { UsageError } from '../errors.js';
import { PROBES } from '../generated/probes.js';
import { tracksOwner } from '../load/probe-definition.js';
import { globToRegExp, isMeant } from '../load/select-probes.js';

/** The kernel's names have at most 511 bytes; a longer one in a file is none. */
const MAX_NAME = 511;
const TABLE = PROBES.filter((probe) => !tracksOwner(probe));

/** What a word that the table does not know stands for. */
interface Unknown {
  word: string;
  fits: (func: string) => boolean;
  wasSeen: boolean;
}

/**
 * Functions by words, as for live traces: groups, functions and globs of the probe table, or `all`. Traces may hold
 * functions that the table does not know, so any name of a function may be given.
 */
export class FunctionSet {
  readonly #names = new Set<string>();
  readonly #unknown: Unknown[] = [];
  readonly #globs: RegExp[] = [];
  #isAll = false;
  readonly #words: ReadonlySet<string>;

  /** Throws UsageError for what is neither a group nor can be a function. */
  constructor(words: readonly string[]) {
    this.#words = new Set(words);
    for (const word of words) this.#add(word);
  }

  /** Does this hold all that `other` can mean; without it, everything? */
  holdsAll(other: FunctionSet | undefined): boolean {
    if (this.#isAll || !other) return this.#isAll;
    return [...other.#words].every((word) => {
      const known = TABLE.filter((probe) => isMeant(probe, word));
      return this.#words.has(word) || (known.length > 0 && known.every(({ name }) => this.#names.has(name)));
    });
  }

  #add(word: string): void {
    if (word === 'all') {
      this.#isAll = true;
      return;
    }
    const glob = /[*?]/.test(word) ? globToRegExp(word) : undefined;
    const known = TABLE.filter((probe) => (glob ? glob.test(probe.name) : isMeant(probe, word)));
    for (const probe of known) this.#names.add(probe.name);
    if (known.length > 0) {
      if (glob) this.#globs.push(glob);
      return;
    }
    if (!/^[\w.*?]+$/.test(word))
      throw new UsageError(`unknown function or group '${word}'`, { advice: 'nettrace probes lists them' });
    this.#unknown.push({ word, fits: glob ? (func) => glob.test(func) : (func) => func === word, wasSeen: false });
  }

  has(func: string): boolean {
    if (func.length > MAX_NAME) return this.#isAll;
    let found = this.#isAll || this.#names.has(func) || this.#globs.some((glob) => glob.test(func));
    for (const unknown of this.#unknown) {
      if (!unknown.fits(func)) continue;
      unknown.wasSeen = true;
      found = true;
    }
    return found;
  }

  /** Throws UsageError where a word is neither in the table nor in anything that was read. */
  checkSeen(): void {
    const missing = this.#unknown.find(({ wasSeen }) => !wasSeen);
    if (missing)
      throw new UsageError(`unknown function or group '${missing.word}': nothing that was read has it`, {
        advice: 'nettrace probes lists groups and functions',
      });
  }
}
