import type { SkbTrace } from '../types.js';

/** Where a packet is handed to the driver; the first of them that is traced here is taken, so that none counts twice. */
const TO_DRIVER = ['dev_hard_start_xmit', 'net_dev_start_xmit', 'net_dev_xmit'];

/** Sendings of the same packet again: how often, and with what pauses. */
export interface SendingAgain {
  /** How often after the first time; where the kernel goes by the time, at least and at most. */
  times: number | readonly [least: number, most: number];
  /** The first pause, seconds: at least what its timer says, and at most. Timers are never early, and late by what the machine is. */
  first: readonly [low: number, high: number];
  /** How much longer each next pause is, at least and at most: 2 where timers back off, 1 where they do not (default 2). */
  factor?: number;
}

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

function timesRange({ times }: SendingAgain): readonly [least: number, most: number] {
  return typeof times === 'number' ? [times, times] : times;
}

/** Whether the pauses between these times are as a timer makes them: each by itself, since one that is late makes no other late. */
export function isSentAgain(times: readonly number[], again: SendingAgain): boolean {
  const { first, factor = 2 } = again;
  const [least, most] = timesRange(again);
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? time));
  if (times.length < least + 1 || times.length > most + 1) return false;
  return pauses.every((pause, i) => pause >= first[0] * factor ** i && pause <= first[1] * factor ** i);
}

export function sendingAgainText(again: SendingAgain): string {
  const { first, factor = 2 } = again;
  const [least, most] = timesRange(again);
  const next = factor === 1 ? 'and the next ones as long' : `and each next one ${factor} times as long`;
  const often = least === most ? `${most}` : `${least} to ${most}`;
  return `${often} times again, the first pause ${first[0]} to ${first[1]} s${most > 1 ? `, ${next}` : ''}`;
}

/** `0, 1.007, 3.019 s`: from the first one on. */
export function sendingsText(times: readonly number[]): string {
  const [start = 0] = times;
  return times.length === 0
    ? 'it was not sent'
    : `${times.map((time) => Number((time - start).toFixed(3))).join(', ')} s`;
}
