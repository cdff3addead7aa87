import { build } from './build.js';
import { checkLayers } from './check-layers.js';
import { concat, unsigned } from './fields.js';
import type { AnyIpOption } from './ip-options.js';
import type { Ipv4Draft } from './ipv4.js';
import type { Ipv6Draft } from './ipv6.js';
import type { AnyLayer } from './layers.js';
import { protocolOf } from './protocols.js';

/** Options that are copied into every fragment have the highest bit of their type set (RFC 791). */
const COPIED = 0x80;

/**
 * The fragments of the packet's first IP layer, each with the layers in front of it: no IP packet of them is larger than `mtu`
 * bytes. Checksums are those of the whole. `id` (default that of the IPv4 header, else 1) is the same in all. A packet
 * that fits comes back as it is. Throws RangeError where the headers alone do not fit, or where there is no IP layer.
 */
export function fragment(layers: readonly AnyLayer[], mtu: number, id?: number): AnyLayer[][] {
  checkLayers(layers);
  unsigned(mtu, 32, 'mtu');
  const at = layers.findIndex(({ kind }) => kind === 'ipv4' || kind === 'ipv6');
  const ip = layers[at];
  if (ip?.kind !== 'ipv4' && ip?.kind !== 'ipv6') throw new RangeError('fragments take an IP layer');
  const [outer, inner] = [layers.slice(0, at), layers.slice(at + 1)];
  if (build([{ ...ip, trailer: undefined }, ...inner]).length <= mtu) return [[...layers]];
  const parts = ip.kind === 'ipv4' ? fragmentIpv4(ip, inner, mtu, id) : fragmentIpv6(ip, inner, mtu, id ?? 1);
  return parts.map((part) => [...outer, ...part]);
}

/** Pieces of `content`; all but the last are a multiple of eight bytes. */
function pieces(content: Uint8Array, room: number): { data: Uint8Array; offset: number; more: boolean }[] {
  const size = room - (room % 8);
  if (size < 8) throw new RangeError('the MTU leaves no room for eight bytes behind the headers');
  const all: { data: Uint8Array; offset: number; more: boolean }[] = [];
  for (let offset = 0; offset < content.length; offset += size) {
    const end = Math.min(offset + size, content.length);
    all.push({ data: content.subarray(offset, end), offset, more: end < content.length });
  }
  return all;
}

function fragmentIpv4(ip: Ipv4Draft, inner: readonly AnyLayer[], mtu: number, id = ip.id ?? 0): AnyLayer[][] {
  const headerBytes = (options: readonly AnyIpOption[] | undefined) => build([{ ...ip, options }]).length;
  const header: Ipv4Draft = { ...ip, id, totalLength: undefined, trailer: undefined, checksum: undefined };
  header.protocol = ip.protocol ?? protocolOf(inner);
  const later = (ip.options ?? []).filter((option) => 'type' in option && option.type & COPIED);
  const whole = build([{ ...ip, trailer: undefined }, ...inner]).subarray(headerBytes(ip.options));
  return pieces(whole, mtu - headerBytes(ip.options)).map(({ data, offset, more }) => [
    {
      ...header,
      options: offset === 0 ? ip.options : later,
      fragmentOffset: (ip.fragmentOffset ?? 0) + offset,
      moreFragments: more || (ip.moreFragments ?? false),
    },
    { kind: 'payload', data },
  ]);
}

/** Behind hop-by-hop options and routing headers, and destination options in front of the latter (RFC 8200, 4.5). */
function perFragment(inner: readonly AnyLayer[]): number {
  const routing = inner.findIndex(({ kind }) => kind === 'routing');
  const last = routing >= 0 ? routing : inner.findIndex(({ kind }) => kind === 'hop-by-hop');
  return last + 1;
}

function fragmentIpv6(ip: Ipv6Draft, inner: readonly AnyLayer[], mtu: number, id: number): AnyLayer[][] {
  const count = perFragment(inner);
  const [headers, rest] = [inner.slice(0, count), inner.slice(count)];
  const nextHeader = protocolOf(rest);
  const before = build([ip, ...headers]).length;
  const whole = build([{ ...ip, trailer: undefined }, ...inner]).subarray(before);
  const plain: Ipv6Draft = { ...ip, payloadLength: undefined, trailer: undefined };
  // what announced the rest announces the fragment header now
  const announcing: AnyLayer[] = [plain, ...headers].map((layer, i) =>
    i === count && 'nextHeader' in layer ? { ...layer, nextHeader: undefined } : layer,
  );
  return pieces(whole, mtu - before - 8).map(({ data, offset, more }) => [
    ...announcing,
    { kind: 'fragment', nextHeader, fragmentOffset: offset, moreFragments: more, id },
    { kind: 'payload', data },
  ]);
}

/** The layers' bytes as an ICMP error quotes them: from the IP header on, at most `bytes` (default: header and 8 more, of IPv4). */
export function quote(layers: readonly AnyLayer[], bytes = 28): Uint8Array {
  checkLayers(layers);
  unsigned(bytes, 32, 'bytes');
  const from = layers.findIndex(({ kind }) => kind === 'ipv4' || kind === 'ipv6');
  return concat(build(layers.slice(Math.max(from, 0))).subarray(0, bytes));
}
