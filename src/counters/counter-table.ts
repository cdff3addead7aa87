import { makeLookup } from '../explain/drop-reason-definition.js';
import { COUNTERS, SETTINGS, TRAFFIC } from '../generated/counters.js';
import type { CounterDefinition } from './counter-definition.js';

export type CounterKind = CounterDefinition | 'traffic' | 'setting';

/** What a counter is; undefined for one that the table does not have. */
export const counterKind: (name: string) => CounterKind | undefined = makeLookup<CounterKind>([
  ...COUNTERS.flatMap((counter) => counter.names.map((name) => [name, counter] as const)),
  ...TRAFFIC.map((name) => [name, 'traffic'] as const),
  ...SETTINGS.map((name) => [name, 'setting'] as const),
]);

/** Whose counters they are: of an interface, of the machine, or of a namespace. */
export type CounterScope = 'link' | 'machine' | 'netns';

export function scopeOf(name: string): CounterScope {
  if (name.startsWith('link:')) return 'link';
  return name.startsWith('softnet:') ? 'machine' : 'netns';
}

function definitionsOf(scope: CounterScope): readonly CounterDefinition[] {
  return COUNTERS.filter(({ names, by }) => by !== undefined && names.some((name) => scopeOf(name) === scope));
}

/** Those with rules, by whose they are. */
export const ATTRIBUTED: Readonly<Record<CounterScope, readonly CounterDefinition[]>> = {
  link: definitionsOf('link'),
  machine: definitionsOf('machine'),
  netns: definitionsOf('netns'),
};
