import type { NetlinkChannel } from './dump.js';
import { NetlinkError, nextSequence } from './dump.js';
import { errorNumber, NlmType, netlinkRequest, splitMessages } from './messages.js';

const NLM_F_ACK = 0x4;
/** For requests that make something: fail where it is there already. */
export const NLM_F_CREATE_NEW = 0x600;

export interface ChangeRequest {
  type: number;
  /** NLM_F_... beyond those that every request has. */
  flags: number;
  payload: Uint8Array;
  /** What is asked for, for messages. */
  what: string;
}

/** Asks the kernel to change something, and waits until it has. Throws NetlinkError where it refuses. */
export async function change(channel: NetlinkChannel, request: ChangeRequest): Promise<void> {
  const seq = nextSequence();
  await channel.send(netlinkRequest(request.type, request.flags | NLM_F_ACK, seq, request.payload));
  for (;;) {
    for (const message of splitMessages(await channel.receive())) {
      if (message.seq !== seq || message.type !== NlmType.error) continue;
      const errno = errorNumber(message);
      if (errno > 0) throw new NetlinkError(request.what, errno);
      return;
    }
  }
}

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}
