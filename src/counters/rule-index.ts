import type { CounterDefinition, CounterRule } from './counter-definition.js';
import { type LocalView, matchRule } from './match-rule.js';

export type RuleList = 'by' | 'instead';

/** A rule and what it is a rule of. */
interface Entry {
  definition: CounterDefinition;
  list: RuleList;
  rule: CounterRule;
}

/** How often a trace may have moved a counter, by the one list of its rules and by the other. */
export interface Match {
  definition: CounterDefinition;
  by: number;
  instead: number;
}

/** Finds the rules that may fit a trace, by what it must have for them: most of some hundreds need not be asked. */
export class RuleIndex {
  readonly #byFunction = new Map<string, Entry[]>();
  readonly #byCause = new Map<string, Entry[]>();
  readonly #ofDrops: Entry[] = [];
  readonly #ofNotes: Entry[] = [];
  readonly #ofSockets: Entry[] = [];
  readonly #others: Entry[] = [];

  constructor(definitions: readonly CounterDefinition[]) {
    for (const definition of definitions) {
      for (const rule of definition.by ?? []) this.#add({ definition, list: 'by', rule });
      for (const rule of definition.instead ?? []) this.#add({ definition, list: 'instead', rule });
    }
  }

  #add(entry: Entry): void {
    const { window, at, causes, dropAt, loss, reasons, note, states, newStates, resetReasons, paws } = entry.rule;
    // no trace by itself tells: window-history.ts
    if (window) return;
    const keyed = (map: Map<string, Entry[]>, keys: readonly string[]) => {
      for (const key of keys) map.set(key, [...(map.get(key) ?? []), entry]);
    };
    if (at) keyed(this.#byFunction, at);
    else if (causes) keyed(this.#byCause, causes);
    else if ((dropAt ?? reasons ?? loss) !== undefined) this.#ofDrops.push(entry);
    else if (note) this.#ofNotes.push(entry);
    else if ((states ?? newStates ?? resetReasons ?? paws) !== undefined) this.#ofSockets.push(entry);
    else this.#others.push(entry);
  }

  #candidates(view: LocalView): Set<Entry> {
    const found = new Set<Entry>(this.#others);
    const addAll = (entries: readonly Entry[] | undefined) => {
      for (const entry of entries ?? []) found.add(entry);
    };
    for (const cause of view.causes) addAll(this.#byCause.get(cause));
    for (const { func, drop, notes, socket } of view.events) {
      addAll(this.#byFunction.get(func));
      if (drop) addAll(this.#ofDrops);
      if (notes.length > 0) addAll(this.#ofNotes);
      if (socket) addAll(this.#ofSockets);
    }
    return found;
  }

  /** Of each counter that the trace may have moved; of several rules in a list that fit, the one that gives most. */
  match(view: LocalView): Iterable<Match> {
    const matches = new Map<CounterDefinition, Match>();
    for (const { definition, list, rule } of this.#candidates(view)) {
      const times = matchRule(rule, view);
      if (times === 0) continue;
      const match = matches.get(definition) ?? { definition, by: 0, instead: 0 };
      match[list] = Math.max(match[list], times);
      matches.set(definition, match);
    }
    return matches.values();
  }
}
