import type { Note, Outcome, TraceEvent, Verdict } from '../types.js';
import { dropAdvice } from './drop-advice.js';

const DELIVERED = new Set(['tcp-in', 'udp', 'packet-socket', 'socket', 'icmp', 'icmpv6', 'arp']);
const SENT = new Set(['device-out', 'qdisc']);

function lastOfPart(events: readonly TraceEvent[], skb: number): TraceEvent | undefined {
  return events.findLast((e) => e.skb === skb && e.stage !== 'life');
}

function outcomeOf(events: readonly TraceEvent[], closed: string): Outcome {
  if (events.some((e) => e.drop)) return 'dropped';
  const stages = new Set(events.map((e) => e.stage));
  const last = events.findLast((e) => e.stage !== 'life');
  if (last && DELIVERED.has(last.stage)) return 'delivered';
  if ([...stages].some((s) => DELIVERED.has(s)) && last && !SENT.has(last.stage)) return 'delivered';
  if ([...stages].some((s) => SENT.has(s))) return 'sent';
  return closed === 'freed' ? 'freed' : 'open';
}

function wordOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

function droppedText(event: TraceEvent): string {
  const reason = event.drop?.reason;
  const meaning = dropAdvice(reason)?.meaning;
  const why = reason ? ` (${reason}${meaning ? `: ${meaning}` : ''})` : '';
  return `dropped in ${event.drop?.location ?? event.func}${why}`;
}

const PLAIN: Readonly<Record<Outcome, string>> = {
  delivered: 'delivered',
  sent: 'sent',
  dropped: 'dropped',
  freed: 'freed normally',
  open: 'not freed when the trace was closed',
};

/** What became of the packet, by what its events show. */
export function judge(events: readonly TraceEvent[], closed: string): Verdict {
  const outcome = outcomeOf(events, closed);
  const telling: { event: TraceEvent; note: Note }[] = [];
  for (const event of events) for (const note of event.notes) if (note.level !== 'info') telling.push({ event, note });
  const drop = events.find((e) => e.drop);
  const last = drop ?? lastOfPart(events, events.at(-1)?.skb ?? 0);
  const first = telling[0];
  const cause = drop?.drop?.reason ? wordOf(drop.drop.reason) : first ? wordOf(first.note.text) : outcome;
  let text = PLAIN[outcome];
  if (drop) text = droppedText(drop);
  else if (outcome === 'delivered' && last) text = `delivered: last seen in ${last.func}`;
  else if (outcome === 'open' && last) text = `still held when the trace was closed: last seen in ${last.func}`;
  return {
    outcome,
    cause,
    text,
    advice: [...new Set(telling.flatMap(({ note }) => (note.advice ? [note.advice] : [])))],
    evidence: telling.map(({ event, note }) => `${event.func}: ${note.text}`),
  };
}
