import type { KernelRecord, RawDetails } from '../decode/records.js';
import { EventFlag, EventKind } from '../generated/layout.js';

/** Details whose event was lost are not kept for ever. Of each CPU. */
const MAX_WAITING = 1024;

/** Call stacks, hook functions and bytes of packets come as records of their own, just before the event that they belong to. */
export class DetailStash {
  /** By CPU, and there by time. */
  readonly #waiting = new Map<number, Map<number, RawDetails>>();

  /** False for a detail, which waits for its event; an event has its details with it then. */
  join(record: KernelRecord): boolean {
    if (record.kind === EventKind.detail) {
      this.#keep(record);
      return false;
    }
    if (record.flags & EventFlag.hasDetail) {
      const waiting = this.#waiting.get(record.cpu);
      record.details = waiting?.get(record.time);
      waiting?.delete(record.time);
    }
    return true;
  }

  #keep(record: KernelRecord): void {
    const { cpu, time } = record;
    let waiting = this.#waiting.get(cpu);
    if (!waiting) {
      waiting = new Map();
      this.#waiting.set(cpu, waiting);
    }
    const former = waiting.get(time);
    if (waiting.size >= MAX_WAITING) waiting.clear();
    const { stack = former?.stack, hooks = former?.hooks, bytes = former?.bytes } = record;
    waiting.set(time, { stack, hooks, bytes });
  }
}
