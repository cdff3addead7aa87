/** From the kernel's monotonic clock to the date. */
export class WallClock {
  /** The last second that was asked for, since 1970, and its text up to the point. */
  #second = Number.NaN;
  #secondText = '';
  /** Microseconds to add to the monotonic clock. */
  readonly #offsetUs = Date.now() * 1e3 - Number(process.hrtime.bigint()) / 1e3;

  /** `time`: nanoseconds of CLOCK_MONOTONIC. ISO 8601 in UTC, with microseconds. */
  text(time: number): string {
    const us = Math.floor(time / 1e3 + this.#offsetUs);
    const second = Math.floor(us / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return `${this.#secondText}${String(us - second * 1e6).padStart(6, '0')}Z`;
  }
}

/** Microseconds of a date as `text` above gives it, since 1970; NaN where it is none. */
export function dateMicroseconds(date: string): number {
  // Date has milliseconds only: the rest is in the text
  return Math.floor(Date.parse(date) / 1000) * 1e6 + Number(date.slice(20, 26));
}

/** The date so many seconds later, in the same form; what is no date stays as it is. */
export function laterDate(date: string, seconds: number): string {
  const us = dateMicroseconds(date) + Math.round(seconds * 1e6);
  const at = new Date(Math.floor(us / 1000));
  if (seconds === 0 || Number.isNaN(at.getTime())) return date;
  return `${at.toISOString().slice(0, -1)}${String(us - Math.floor(us / 1000) * 1000).padStart(3, '0')}Z`;
}
