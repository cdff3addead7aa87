import { NettraceError } from '../errors.js';

/** include/uapi/linux/netlink.h; all numbers are in the byte order of the machine, which is little-endian here. */
export const NlmFlag = { request: 0x1, multi: 0x2, dumpInterrupted: 0x10, dump: 0x300 } as const;
export const NlmType = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** The upper bits say that an attribute is nested, or in network byte order. */
const ATTRIBUTE_TYPE = 0x3fff;

export interface NetlinkMessage {
  type: number;
  flags: number;
  seq: number;
  payload: Buffer;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function malformed(what: string): NettraceError {
  return new NettraceError(`the kernel's answer (netlink) is not well-formed: ${what}`);
}

/** One request. */
export function netlinkRequest(type: number, flags: number, seq: number, payload: Uint8Array): Buffer {
  const message = Buffer.alloc(HEADER + aligned(payload.length));
  message.writeUInt32LE(HEADER + payload.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags | NlmFlag.request, 6);
  message.writeUInt32LE(seq, 8);
  message.set(payload, HEADER);
  return message;
}

/** The messages of one datagram. Throws NettraceError where a length leads out of it. */
export function* splitMessages(datagram: Buffer): Generator<NetlinkMessage, void, undefined> {
  for (let at = 0; at < datagram.length; ) {
    const left = datagram.length - at;
    if (left < HEADER) throw malformed(`${left} bytes are left where a message begins`);
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || length > left) throw malformed(`a message of ${length} bytes, where ${left} are left`);
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      seq: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + HEADER, at + length),
    };
    at += aligned(length);
  }
}

/** Attributes by their type; of one that is there twice the last. Throws NettraceError where a length leads out of `bytes`. */
export function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    if (left < ATTRIBUTE_HEADER) throw malformed(`${left} bytes are left where an attribute begins`);
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER || length > left)
      throw malformed(`an attribute of ${length} bytes, where ${left} are left`);
    found.set(bytes.readUInt16LE(at + 2) & ATTRIBUTE_TYPE, bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += aligned(length);
  }
  return found;
}

/** Throws NettraceError where there are fewer bytes than a struct has. */
export function needBytes(bytes: Buffer, length: number, what: string): void {
  if (bytes.length < length) throw malformed(`${what} has ${bytes.length} bytes, not ${length}`);
}

/** The error number that a message of type error, or done, carries; 0 for success. */
export function errorNumber({ payload }: NetlinkMessage): number {
  return payload.length < 4 ? 0 : -payload.readInt32LE(0);
}
