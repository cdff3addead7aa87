const FIRST_SLOTS = 1024;

/** Spreads both halves over 32 bits. */
function hash(high: number, low: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

/**
 * A map with keys of 64 bits, given in two signed halves: a bigint as key costs an allocation each time, and a double does not
 * hold all. Values are found by probing slot after slot; a slot without a value is free.
 */
export class U64Map<T extends object> {
  #size = 0;
  #mask = FIRST_SLOTS - 1;
  #high = new Int32Array(FIRST_SLOTS);
  #low = new Int32Array(FIRST_SLOTS);
  #values: (T | undefined)[] = new Array<undefined>(FIRST_SLOTS).fill(undefined);

  get size(): number {
    return this.#size;
  }

  get(high: number, low: number): T | undefined {
    return this.#values[this.#slot(high, low)];
  }

  set(high: number, low: number, value: T): void {
    const slot = this.#slot(high, low);
    const isNew = this.#values[slot] === undefined;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#values[slot] = value;
    if (isNew && ++this.#size * 2 > this.#mask) this.#grow();
  }

  delete(high: number, low: number): void {
    let free = this.#slot(high, low);
    if (this.#values[free] === undefined) return;
    this.#size--;
    // what was put behind it because it was taken moves up
    for (let slot = (free + 1) & this.#mask; this.#values[slot] !== undefined; slot = (slot + 1) & this.#mask) {
      const home = hash(this.#high[slot] ?? 0, this.#low[slot] ?? 0) & this.#mask;
      if (((slot - home) & this.#mask) < ((slot - free) & this.#mask)) continue;
      this.#high[free] = this.#high[slot] ?? 0;
      this.#low[free] = this.#low[slot] ?? 0;
      this.#values[free] = this.#values[slot];
      free = slot;
    }
    this.#values[free] = undefined;
  }

  /** Where the key is, or where it would be. */
  #slot(high: number, low: number): number {
    let slot = hash(high, low) & this.#mask;
    while (this.#values[slot] !== undefined && (this.#low[slot] !== low || this.#high[slot] !== high))
      slot = (slot + 1) & this.#mask;
    return slot;
  }

  #grow(): void {
    const [highs, lows, values] = [this.#high, this.#low, this.#values];
    const slots = values.length * 2;
    this.#mask = slots - 1;
    this.#high = new Int32Array(slots);
    this.#low = new Int32Array(slots);
    this.#values = new Array<undefined>(slots).fill(undefined);
    for (const [i, value] of values.entries()) {
      if (value === undefined) continue;
      const slot = this.#slot(highs[i] ?? 0, lows[i] ?? 0);
      this.#high[slot] = highs[i] ?? 0;
      this.#low[slot] = lows[i] ?? 0;
      this.#values[slot] = value;
    }
  }
}
