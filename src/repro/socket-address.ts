import { formatIpv4, formatIpv6, parseAddress } from '../decode/addresses.js';
import { LITTLE } from '../decode/byte-order.js';
import { UsageError } from '../errors.js';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** An IPv4 or IPv6 address and a port. */
export interface Endpoint {
  address: string;
  port: number;
}

export function familyOf(address: string): number {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

/** struct sockaddr_in or sockaddr_in6 (the family in the machine's byte order, the rest in network order). */
export function encodeAddress({ address, port }: Endpoint): Buffer {
  const bytes = parseAddress(address);
  if (!bytes) throw new UsageError(`'${address}' is not an IPv4 or IPv6 address`);
  if (!(Number.isInteger(port) && port >= 0 && port <= 65535))
    throw new UsageError(`ports are numbers from 0 to 65535, not '${port}'`);
  const encoded = Buffer.alloc(bytes.length === 4 ? 16 : 28);
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  view.setUint16(0, bytes.length === 4 ? AF_INET : AF_INET6, LITTLE);
  view.setUint16(2, port);
  encoded.set(bytes, bytes.length === 4 ? 4 : 8);
  return encoded;
}

/** Throws RangeError for an address of another family. */
export function decodeAddress(encoded: Buffer): Endpoint {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const family = encoded.length >= 2 ? view.getUint16(0, LITTLE) : 0;
  if (family === AF_INET) return { address: formatIpv4(encoded.subarray(4, 8)), port: view.getUint16(2) };
  if (family === AF_INET6) return { address: formatIpv6(encoded.subarray(8, 24)), port: view.getUint16(2) };
  throw new RangeError(`an address of family ${family} has no port`);
}
