import type { NoteLevel, Proto } from '../types.js';

/** What drop reasons of one meaning say to an administrator; see bpf/drop-reasons.yaml for each field. */
export interface ReasonDefinition {
  group: string;
  /** Id in src/explain/causes. */
  cause: string;
  names: readonly string[];
  meaning: string;
  advice: string;
  level: NoteLevel;
  values?: readonly string[];
  noLoss?: string;
}

/** A free through kfree_skb that is no loss. All conditions that are given must hold. */
export interface NoLossRule {
  at: readonly string[];
  reasons: readonly string[];
  protos?: readonly Proto[];
  flags?: string;
  noPayload?: boolean;
  types?: readonly number[];
  daddr?: ReadonlyArray<'multicast' | 'broadcast'>;
  /** Id in src/explain/causes: what a verdict says of it, where nothing says more. */
  cause: string;
  why: string;
}

/** A function that finds the first pattern that fits a name; `*` at a pattern's end stands for whatever follows. */
export function makeLookup<T>(
  entries: Iterable<readonly [pattern: string, value: T]>,
): (name: string) => T | undefined {
  const exact = new Map<string, T>();
  const prefixes: [string, T][] = [];
  for (const [pattern, value] of entries) {
    if (pattern.endsWith('*')) prefixes.push([pattern.slice(0, -1), value]);
    else exact.set(pattern, value);
  }
  return (name) => exact.get(name) ?? prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
}
