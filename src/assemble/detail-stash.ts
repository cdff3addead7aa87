import type { KernelRecord, RawDetails } from '../decode/records.js';
import { EventFlag, EventKind } from '../generated/layout.js';

/** Details whose event was lost are not kept for ever. */
const MAX_WAITING = 1024;

/** Call stacks, hook functions and bytes of packets come as records of their own, just before the event that they belong to. */
export class DetailStash {
  readonly #waiting = new Map<string, RawDetails>();

  /** False for a detail, which waits for its event; an event has its details with it then. */
  join(record: KernelRecord): boolean {
    if (record.kind === EventKind.detail) {
      this.#keep(record);
      return false;
    }
    if (record.flags & EventFlag.hasDetail) {
      const key = keyOf(record);
      record.details = this.#waiting.get(key);
      this.#waiting.delete(key);
    }
    return true;
  }

  #keep(record: KernelRecord): void {
    const key = keyOf(record);
    const former = this.#waiting.get(key);
    if (this.#waiting.size >= MAX_WAITING) this.#waiting.clear();
    const { stack = former?.stack, hooks = former?.hooks, bytes = former?.bytes } = record;
    this.#waiting.set(key, { stack, hooks, bytes });
  }
}

function keyOf({ cpu, time }: KernelRecord): string {
  return `${cpu} ${time}`;
}
