import type { NetlinkChannel } from '../../src/netlink/dump.js';

/** One message as the kernel writes it. */
export function message(type: number, flags: number, seq: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(16 + ((payload.length + 3) & ~3));
  bytes.writeUInt32LE(16 + payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(seq, 8);
  bytes.set(payload, 16);
  return bytes;
}

/** Answers each request with the next of these lists of datagrams, made for the request's sequence number. */
export class RecordedChannel implements NetlinkChannel {
  requests: Buffer[] = [];
  readonly #answers: ((seq: number) => (Buffer | Error)[])[];
  #waiting: (Buffer | Error)[] = [];

  constructor(...answers: ((seq: number) => (Buffer | Error)[])[]) {
    this.#answers = answers;
  }

  send(request: Buffer): Promise<void> {
    this.requests.push(request);
    this.#waiting.push(...(this.#answers.shift()?.(request.readUInt32LE(8)) ?? []));
    return Promise.resolve();
  }

  receive(): Promise<Buffer> {
    const next = this.#waiting.shift() ?? new Error('the test gives no more');
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  }
}
