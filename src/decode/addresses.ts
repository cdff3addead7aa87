import { isIPv4, isIPv6, SocketAddress } from 'node:net';

const ETH_P_IPV6 = 0x86dd;
const MAX_CACHED = 4096;
const ipv4Texts = new Map<number, string>();

/** Four bytes in network order to dotted form. */
export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** Sixteen bytes in network order to the form of RFC 5952. */
export function formatIpv6(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  // the longest run of at least two zero words, the first of equals, becomes ::
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && words[i + length] === 0) length++;
    if (length > bestLength) {
      best = i;
      bestLength = length;
    }
  }
  const hex = words.map((w) => w.toString(16));
  if (best < 0) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}

/** The address at `at` in text: IPv6 by the packet's ethertype, else four bytes. */
export function addressText(view: DataView, at: number, l3Proto: number): string {
  if (l3Proto === ETH_P_IPV6) return formatIpv6(new Uint8Array(view.buffer, view.byteOffset + at, 16));
  const key = view.getUint32(at);
  let text = ipv4Texts.get(key);
  if (text === undefined) {
    text = formatIpv4(new Uint8Array(view.buffer, view.byteOffset + at, 4));
    if (ipv4Texts.size >= MAX_CACHED) ipv4Texts.clear();
    ipv4Texts.set(key, text);
  }
  return text;
}

/** `text` to bytes in network order: 4 for IPv4, 16 for IPv6; null where it is neither. */
export function parseAddress(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return null;
  // the normal form has no embedded IPv4 left but for mapped addresses
  let normal = new SocketAddress({ address: text, family: 'ipv6' }).address;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(normal);
  if (dotted) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    normal = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [left = '', right] = normal.split('::');
  const wordsOf = (part: string) => (part ? part.split(':').map((w) => Number.parseInt(w, 16)) : []);
  const head = wordsOf(left);
  const tail = right === undefined ? [] : wordsOf(right);
  const words = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return Uint8Array.from(words.flatMap((w) => [w >> 8, w & 0xff]));
}

/** address:port, with brackets around IPv6; the address alone where there is no port. */
export function formatEndpoint(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The IPv4 address in an IPv6 address that stands for one; else as it is. */
export function plainAddress(address: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return `${a >> 8}.${a & 0xff}.${b >> 8}.${b & 0xff}`;
}
