/**
 * Frees that are no loss are told from drops here, not by the kernel side. Where they are not shown they must not use up what
 * is: the limit is then applied here, and the kernel side lets so many more a second through.
 */
export const NO_LOSS_RATE = 10_000;

/** At most so many records in each second of their own clock. */
export class RateLimit {
  readonly #perSecond: number;
  #second = 0;
  #count = 0;
  /** Records that were more than that. */
  leftOut = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** `time`: seconds. */
  allows(time: number): boolean {
    const second = Math.floor(time);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    if (this.#count < this.#perSecond) {
      this.#count++;
      return true;
    }
    this.leftOut++;
    return false;
  }
}
