import type { SkbTrace } from '../types.js';

/** Where a packet is handed to the driver; the first of them that is traced here is taken, so that none counts twice. */
const TO_DRIVER = ['dev_hard_start_xmit', 'net_dev_start_xmit', 'net_dev_xmit'];

/** Sendings of the same packet again: how often, and with what pauses. */
export interface SendingAgain {
  /** How often after the first time. */
  times: number;
  /** The first pause, seconds: at least, and at most. */
  first: readonly [low: number, high: number];
  /** How much longer each next pause is: 2 where timers back off, 1 where they do not (default 2). */
  factor?: number;
}

/** How far a pause may be from what its timer says: timers of the kernel are late by up to an eighth, emulated machines by more. */
const TOLERANCE = 0.3;

/**
 * When packets left a host, in seconds of the monotonic clock and in order: retransmissions are copies in one trace where
 * functions are traced, and traces of their own where they are not.
 */
export function sendingTimes(traces: readonly SkbTrace[], netns: number): number[] {
  const events = traces.flatMap(({ events }) => events).filter((event) => event.netns === netns);
  const func = TO_DRIVER.find((name) => events.some((event) => event.func === name));
  return events
    .filter((event) => event.func === func)
    .map(({ t }) => t)
    .sort((a, b) => a - b);
}

/** Whether the pauses between these times are as a timer makes them. */
export function isSentAgain(times: readonly number[], { times: again, first, factor = 2 }: SendingAgain): boolean {
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? time));
  if (times.length !== again + 1) return false;
  return pauses.every((pause, i) => {
    const before = pauses[i - 1];
    if (before === undefined) return pause >= first[0] && pause <= first[1];
    return Math.abs(pause / (before * factor) - 1) <= TOLERANCE;
  });
}

export function sendingAgainText({ times, first, factor = 2 }: SendingAgain): string {
  const next = factor === 1 ? 'and the next ones as long' : `and each next one ${factor} times as long`;
  return `${times} times again, the first pause ${first[0]} to ${first[1]} s${times > 1 ? `, ${next}` : ''}`;
}

/** `0, 1.007, 3.019 s`: from the first one on. */
export function sendingsText(times: readonly number[]): string {
  const [start = 0] = times;
  return times.length === 0
    ? 'it was not sent'
    : `${times.map((time) => Number((time - start).toFixed(3))).join(', ')} s`;
}
