import { expect } from 'vitest';
import type { SkbTrace, TraceEvent } from '../../dist/index.js';

/** One event of an expected way. */
export interface Step {
  func: string;
  /** A name for the skb: the same name is the same skb in all steps, another name another one. */
  skb?: string;
  /** Part of a note's text. */
  note?: string | RegExp;
  /** Further properties of the event, as `expect.objectContaining` takes them. */
  with?: Partial<Record<keyof TraceEvent, unknown>>;
}

function matches(event: TraceEvent, step: Step): boolean {
  if (event.func !== step.func) return false;
  const { note } = step;
  if (
    note !== undefined &&
    !event.notes.some(({ text }) => (typeof note === 'string' ? text.includes(note) : note.test(text)))
  ) {
    return false;
  }
  return step.with === undefined || expect.objectContaining(step.with).asymmetricMatch(event);
}

/** How many steps can be found in order from `at` on; the names bound so far are kept. */
function longest(
  events: readonly TraceEvent[],
  steps: readonly Step[],
  at: number,
  bound: ReadonlyMap<string, number>,
): number {
  const [step, ...rest] = steps;
  if (!step) return 0;
  let best = 0;
  for (let i = at; i < events.length; i++) {
    const event = events[i]!;
    if (!matches(event, step)) continue;
    let names = bound;
    if (step.skb !== undefined) {
      const known = bound.get(step.skb);
      if (known === undefined ? [...bound.values()].includes(event.skb) : known !== event.skb) continue;
      names = new Map(bound).set(step.skb, event.skb);
    }
    best = Math.max(best, 1 + longest(events, rest, i + 1, names));
    if (best === steps.length) break;
  }
  return best;
}

/** One line for each event, to read in a failure. */
export function showTrace(trace: SkbTrace): string {
  const { saddr, sport, daddr, dport } = trace.tuple ?? {};
  const lines = trace.events.map(({ skb, func, ifname, tcp, notes }) =>
    ['   ', `skb ${skb}`, func, ifname ?? '-', tcp?.flags ?? '', ...notes.map(({ text }) => `*${text}*`)].join(' '),
  );
  return [`${trace.id} ${trace.proto} ${saddr}:${sport} -> ${daddr}:${dport}, closed: ${trace.closed}`, ...lines].join(
    '\n',
  );
}

/** The steps are in the trace in this order, with any other events between them. */
export function expectOrderedSubset(trace: SkbTrace, steps: readonly Step[]): void {
  const found = longest(trace.events, steps, 0, new Map());
  if (found === steps.length) return;
  const missing = JSON.stringify(steps[found], (_, value) => (value instanceof RegExp ? String(value) : value));
  expect.fail(`step ${found + 1} of ${steps.length} is not in the trace: ${missing}\n${showTrace(trace)}`);
}
