import { getSystemErrorMap } from 'node:util';
import { NettraceError } from '../errors.js';
import { errorNumber, type NetlinkMessage, NlmFlag, NlmType, netlinkRequest, splitMessages } from './messages.js';

/** A netlink socket, as far as a dump needs one. */
export interface NetlinkChannel {
  send(request: Buffer): Promise<void>;
  /** The next datagram from the kernel. Rejects with the code ENOBUFS where some were lost. */
  receive(): Promise<Buffer>;
}

/** What the kernel refuses. */
export class NetlinkError extends NettraceError {
  /** As errno(3) calls it. */
  readonly code: string;

  constructor(what: string, errno: number) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`error ${errno}`, 'unknown error'];
    super(`${what}: ${text} (${code})`);
    this.code = code;
  }
}

/** How often a list that changed while it was read, or of which something was lost, is read again. */
const MAX_TRIES = 6;

let lastSeq = 0;

/** A number that no other request of this process has just now. */
export function nextSequence(): number {
  lastSeq = (lastSeq + 1) % 0xffffffff;
  return lastSeq;
}

function wasLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOBUFS';
}

/** One reading: the parsed messages; undefined where it has to be done again. */
async function dumpOnce<T>(
  channel: NetlinkChannel,
  { type, payload, what }: DumpRequest,
  parse: (message: NetlinkMessage) => T | undefined,
): Promise<{ items: T[]; interrupted: boolean } | undefined> {
  const seq = nextSequence();
  await channel.send(netlinkRequest(type, NlmFlag.dump, seq, payload));
  const items: T[] = [];
  let interrupted = false;
  for (;;) {
    let datagram: Buffer;
    try {
      datagram = await channel.receive();
    } catch (error) {
      if (wasLost(error)) return undefined;
      throw error;
    }
    for (const message of splitMessages(datagram)) {
      // of a reading that was given up
      if (message.seq !== seq) continue;
      if (message.flags & NlmFlag.dumpInterrupted) interrupted = true;
      if (message.type === NlmType.noop) continue;
      if (message.type === NlmType.overrun) return undefined;
      if (message.type === NlmType.error || message.type === NlmType.done) {
        const errno = errorNumber(message);
        if (errno > 0) throw new NetlinkError(what, errno);
        return { items, interrupted };
      }
      const item = parse(message);
      if (item !== undefined) items.push(item);
      if (!(message.flags & NlmFlag.multi)) return { items, interrupted };
    }
  }
}

export interface DumpRequest {
  type: number;
  payload: Buffer;
  /** What is asked for, for messages. */
  what: string;
}

/**
 * Asks the kernel for a list. `parse` makes an entry of a message, or undefined of one that is none. A list that changed
 * while it was read is read again some times; the last reading counts then, as it is.
 *
 * Throws NetlinkError for what the kernel refuses, NettraceError where its answer is not well-formed or does not come.
 */
export async function dump<T>(
  channel: NetlinkChannel,
  request: DumpRequest,
  parse: (message: NetlinkMessage) => T | undefined,
): Promise<T[]> {
  let items: T[] | undefined;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const read = await dumpOnce(channel, request, parse);
    if (read && !read.interrupted) return read.items;
    items = read?.items ?? items;
  }
  if (items) return items;
  throw new NettraceError(`${request.what}: the kernel's answers were lost, ${MAX_TRIES} times`);
}
