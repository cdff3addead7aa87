import { inspect } from 'node:util';
import { formatIpv4, formatIpv6, parseAddress } from '../../decode/addresses.js';

/** A header under construction. Numbers are checked against their field; all are written in network byte order. */
export class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  u8(at: number, value: number, name: string): void {
    this.#view.setUint8(at, unsigned(value, 8, name));
  }

  u16(at: number, value: number, name: string): void {
    this.#view.setUint16(at, unsigned(value, 16, name));
  }

  u32(at: number, value: number, name: string): void {
    this.#view.setUint32(at, unsigned(value, 32, name));
  }

  put(at: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, at);
  }
}

/** The number, if it is whole and fits so many bits; throws RangeError that names the field. */
export function unsigned(value: number, bits: number, name: string): number {
  const most = 2 ** bits - 1;
  if (!(Number.isInteger(value) && value >= 0 && value <= most))
    throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${inspect(value)}`);
  return value;
}

/** The bytes, if they are; throws TypeError that names the field. */
export function bytesOf(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`${name} must be a Uint8Array, not ${inspect(value)}`);
}

/** What is thrown for something whose kind no compiler has looked at. */
export function noSuchKind(what: string, value: never): RangeError {
  return new RangeError(`there is no ${what} of the kind ${inspect((value as { kind?: unknown } | undefined)?.kind)}`);
}

/** A length that a field counts in units; throws RangeError where it is no multiple of them. */
export function inUnits(bytes: number, unit: number, name: string): number {
  if (bytes % unit !== 0) throw new RangeError(`${name} must be a multiple of ${unit} bytes, not ${bytes}`);
  return bytes / unit;
}

/** Several fields of one word, each with its width in bits, the highest first. */
export function packBits(
  ...parts: readonly (readonly [value: number | boolean, bits: number, name: string])[]
): number {
  let word = 0;
  for (const [value, bits, name] of parts) word = word * 2 ** bits + unsigned(Number(value), bits, name);
  return word;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** `bytes` and zeroes up to a multiple of `unit`. */
export function padded(bytes: Uint8Array, unit: number): Uint8Array {
  return concat(bytes, new Uint8Array((unit - (bytes.length % unit)) % unit));
}

/** A packet's own copy: what is parsed does not change with the buffer that it came from. */
export function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

/** `02:00:00:00:00:01`; throws RangeError where it is none. */
export function macBytes(text: string, name: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text))
    throw new RangeError(`${name} must be a MAC address such as 02:00:00:00:00:01, not '${text}'`);
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export function ipv4Bytes(text: string, name: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes?.length !== 4) throw new RangeError(`${name} must be an IPv4 address, not '${text}'`);
  return bytes;
}

export function ipv6Bytes(text: string, name: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes?.length !== 16) throw new RangeError(`${name} must be an IPv6 address, not '${text}'`);
  return bytes;
}

export { formatIpv4 as ipv4Text, formatIpv6 as ipv6Text };
