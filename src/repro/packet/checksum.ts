import { inspect } from 'node:util';
import { Fields, ipv4Text, ipv6Text } from './fields.js';

/** What a checksum shall be: computed, computed and then spoilt, or that number. */
export type Checksum = 'right' | 'wrong' | number;

/** Source and destination as a pseudo header has them: 4 or 16 bytes each, in network order. */
export interface Endpoints {
  source: Uint8Array;
  destination: Uint8Array;
}

/** One's complement sum of 16-bit words (RFC 1071), not complemented; an odd last byte counts as a high one. */
export function onesSum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  if (bytes.length % 2) sum += (bytes[bytes.length - 1] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** The sum over the pseudo header of RFC 9293 or RFC 8200. */
export function pseudoHeaderSum(ends: Endpoints, protocol: number, length: number): number {
  return onesSum(pseudoHeader(ends, protocol, length));
}

/** RFC 9293 (IPv4) or RFC 8200 (IPv6). The length counts the header, too. */
export function pseudoHeader({ source, destination }: Endpoints, protocol: number, length: number): Uint8Array {
  const size = source.length;
  const fields = new Fields(2 * size + (size === 4 ? 4 : 8));
  fields.put(0, source);
  fields.put(size, destination);
  if (size === 4) {
    fields.u8(9, protocol, 'protocol');
    fields.u16(10, length, 'length');
  } else {
    fields.u32(32, length, 'length');
    fields.u8(39, protocol, 'protocol');
  }
  return fields.bytes;
}

/** The field's value; `computed` is the right one. Throws RangeError for another word. */
export function checksumValue(wanted: Checksum | undefined, computed: number): number {
  if (typeof wanted === 'number') return wanted;
  if (wanted !== undefined && wanted !== 'right' && wanted !== 'wrong')
    throw new RangeError(`a checksum must be 'right', 'wrong' or a number, not ${inspect(wanted)}`);
  // never 0 when spoilt: that would say in UDP that there is none
  return wanted === 'wrong' ? computed ^ 0x0100 || 0x0300 : computed;
}

/**
 * What is wrong with a transport checksum that a packet has; undefined where it is right. `bytes` are header and data with the checksum
 * in them. A kernel that leaves the checksum to a device puts the pseudo header's sum in its place
 * (CHECKSUM_PARTIAL, include/linux/skbuff.h): that is told apart.
 */
export function checksumProblem(
  bytes: Uint8Array,
  checksum: number,
  pseudo: { ends: Endpoints; protocol: number } | undefined,
): { name: 'bad-checksum' | 'unfinished-checksum'; text: string } | undefined {
  const start = pseudo ? pseudoHeaderSum(pseudo.ends, pseudo.protocol, bytes.length) : 0;
  const sum = onesSum(bytes, start);
  if (sum === 0xffff) return undefined;
  const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;
  if (pseudo && checksum === start)
    return {
      name: 'unfinished-checksum',
      text: `the checksum ${hex(checksum)} covers the pseudo header only: it was left to the device`,
    };
  const right = ~onesSum(bytes, start + (checksum ^ 0xffff)) & 0xffff;
  return { name: 'bad-checksum', text: `the checksum is ${hex(checksum)}, and would be ${hex(right)}` };
}

export function endpointsText({ source, destination }: Endpoints): { source: string; destination: string } {
  const text = source.length === 4 ? ipv4Text : ipv6Text;
  return { source: text(source), destination: text(destination) };
}
