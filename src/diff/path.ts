import type { SkbTrace, TraceEvent } from '../types.js';

/** Events of one function in a row. */
export interface Step {
  func: string;
  events: TraceEvent[];
}

/** The way of a packet; the moment a clone joined is no step of it. */
export function stepsOf(trace: SkbTrace): Step[] {
  const steps: Step[] = [];
  for (const event of trace.events) {
    if (event.parent !== undefined) continue;
    const last = steps.at(-1);
    if (last?.func === event.func) last.events.push(event);
    else steps.push({ func: event.func, events: [event] });
  }
  return steps;
}

/** Two traces went the same way where this is the same. */
export function shapeOf(trace: SkbTrace): string[] {
  return stepsOf(trace).map(({ func }) => func);
}
