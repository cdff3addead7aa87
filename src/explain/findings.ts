import type { Finding, Note, SkbTrace, TraceEvent } from '../types.js';
import { isDetail, resetState } from './notes.js';

function findingOf(event: TraceEvent, note: Note, isReset: boolean): Finding {
  const finding: Finding = {
    level: note.level,
    func: event.func,
    group: event.stage,
    message: note.text,
    advice: note.advice ? [note.advice] : [],
    values: note.values ?? [],
  };
  if (event.drop) {
    finding.location = event.drop.location;
    if (event.drop.reason !== undefined) finding.dropReason = event.drop.reason;
  }
  if (isReset) {
    finding.state = resetState(event.socket ?? {});
    if (event.socket?.resetReason !== undefined) finding.resetReason = event.socket.resetReason;
  }
  const hooks = event.netfilter?.hooks;
  if (hooks && hooks.length > 0) finding.hooks = hooks;
  return finding;
}

/** What the trace's notes warn of, in the order of its events: one finding for each note that is no mere information. */
export function findings(trace: SkbTrace): Finding[] {
  return trace.events.flatMap((event) => {
    const details = event.notes.filter((note) => isDetail(note, event));
    // only a reset's note has the socket's state in words
    const isReset = !event.drop && details.length > 0;
    return event.notes
      .filter((note) => note.level !== 'info' && !details.includes(note))
      .map((note) => findingOf(event, note, isReset));
  });
}
