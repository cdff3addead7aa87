import type { NamedValue, Outcome, TraceEvent, Verdict } from '../../types.js';
import { isPacketCause, type PacketCause, packetCause } from '../causes/index.js';
import { adviceWithValues } from '../notes.js';
import { type ReadValues, readNothing } from '../read-values.js';
import { dropFinding } from './drop.js';
import { listenerFinding } from './listener.js';
import { resetFinding } from './reset.js';
import { segmentFinding } from './segment.js';
import { type Finding, type JudgedTrace, type KernelFacts, NO_FACTS, Sight, seen } from './sight.js';
import { wayFinding } from './way.js';

/** What a verdict may ask beyond the trace. */
export interface JudgeContext {
  facts?: KernelFacts;
  /** Settings and counters, as the packet's network namespace has them. */
  read?: ReadValues;
}

function outcomeOf({ outcomes }: PacketCause, { outcome }: Finding, sight: Sight): Outcome {
  if (outcome) return outcome;
  if (outcomes.includes('rejected') && (sight.answer || outcomes.length === 1)) return 'rejected';
  if (outcomes.includes('dropped')) return 'dropped';
  return outcomes[0] ?? 'unknown';
}

/** The first that has something to say: numbers before places and reasons, losses before the way. */
function findingOf(sight: Sight): Finding {
  return (
    listenerFinding(sight) ??
    segmentFinding(sight) ??
    (sight.losses.length === 0 ? resetFinding(sight) : undefined) ??
    dropFinding(sight) ??
    wayFinding(sight)
  );
}

/** What else the notes say: each once, in their order. */
function factsOf(trace: JudgedTrace, cause: string): string[] {
  const words = trace.events.flatMap(({ notes }) =>
    notes.flatMap(({ cause: word }) => (isPacketCause(word) ? [word] : [])),
  );
  return [...new Set(words)].filter((word) => word !== cause && packetCause(word).isFact);
}

/** Notes that warn, and what the finding rests on; each once. */
function evidenceOf(finding: Finding, { events }: Sight): string[] {
  const warnings = events.flatMap((event) =>
    event.notes.filter((note) => note.level !== 'info').map((note) => seen(event, note.text)),
  );
  return [...new Set([...finding.evidence, ...warnings])];
}

function textOf(finding: Finding, cause: PacketCause, outcome: Outcome, sight: Sight): string {
  const { answer } = sight;
  let text = finding.text ?? cause.sentence;
  if (outcome === 'rejected' && answer && cause.outcomes.length > 1)
    text += `; the answer is ${answer.func.endsWith('reset') || answer.func.endsWith('reset6') ? 'an RST' : 'an ICMP error'}`;
  if (finding.detail) text += ` (${finding.detail})`;
  if (!sight.trace.complete && cause.id !== 'events-lost') text += '; events were lost, so there may be more to it';
  return text;
}

/** Values that notes carry need not be read again, and what is only in a trace of a file cannot be. */
function valuesOf(cause: PacketCause, events: readonly TraceEvent[], read: ReadValues): NamedValue[] {
  const noted = new Map(
    events.flatMap(({ notes }) => notes.flatMap(({ values }) => (values ?? []).map((v) => [v.name, v] as const))),
  );
  const names = new Set((cause.values ?? []).map((name) => name.replace('nstat:', '')));
  const fresh = read(cause.values ?? []);
  const known = new Set(fresh.map(({ name }) => name));
  return [...fresh, ...[...noted.values()].filter(({ name }) => names.has(name) && !known.has(name))];
}

function adviceOf(cause: PacketCause, finding: Finding, sight: Sight, outcome: Outcome, read: ReadValues): string[] {
  const values = valuesOf(cause, sight.events, read);
  const advice = finding.advice ?? cause.advice;
  const own = advice ? [adviceWithValues(advice, values)] : [];
  const isFine = outcome === 'delivered' || outcome === 'sent' || outcome === 'forwarded' || outcome === 'worked';
  const notes = sight.events.flatMap(({ notes: all }) => all);
  const others = notes.filter(
    (note) => note.level !== 'info' && note.advice && note.cause !== cause.id && !(isFine && note.cause === undefined),
  );
  return [...new Set([...own, ...others.flatMap((note) => adviceWithValues(note.advice ?? '', note.values ?? []))])];
}

/**
 * What became of the packet, by what its events show: every trace gets a verdict whose cause is in the list, and what was
 * not seen is not guessed.
 */
export function judge(trace: JudgedTrace, { facts = NO_FACTS, read = readNothing }: JudgeContext = {}): Verdict {
  const sight = new Sight(trace, facts, read);
  const finding = findingOf(sight);
  const cause = packetCause(finding.cause);
  const outcome = outcomeOf(cause, finding, sight);
  return {
    outcome,
    cause: cause.id,
    facts: factsOf(trace, cause.id),
    text: textOf(finding, cause, outcome, sight),
    advice: adviceOf(cause, finding, sight, outcome, read),
    evidence: evidenceOf(finding, sight),
  };
}
