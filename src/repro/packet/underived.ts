import type { AnyLayer } from './layers.js';

/** Fields that `build` fills in. */
const DERIVED = ['checksum', 'length', 'totalLength', 'payloadLength', 'headerLength'];
const ANNOUNCING = ['protocol', 'nextHeader', 'type'];
/** Layers whose `type` announces nothing. */
const OWN_TYPE = ['icmp', 'icmpv6', 'routing'];

/**
 * The layers without their lengths and checksums, and without the numbers that announce the next layer: `build` works all
 * of them out anew. For packets that were parsed and are to be sent with a change. Numbers that announce a payload stay, and
 * so does a UDP checksum of 0, which says that there is none.
 */
export function withoutDerived(layers: readonly AnyLayer[]): AnyLayer[] {
  return layers.map((layer, i) => {
    const next = layers[i + 1];
    const announces = next !== undefined && next.kind !== 'payload';
    const kept = Object.entries(layer).filter(([name]) => {
      if (name === 'type' && OWN_TYPE.includes(layer.kind)) return true;
      return !DERIVED.includes(name) && !(announces && ANNOUNCING.includes(name));
    });
    const copy = Object.fromEntries(kept) as unknown as AnyLayer; // what was left out is optional in every layer
    if (copy.kind === 'gre' && 'checksum' in layer && layer.checksum !== undefined)
      return { ...copy, checksum: 'right' };
    if (copy.kind === 'udp' && 'checksum' in layer && layer.checksum === 0) return { ...copy, checksum: 0 };
    return copy;
  });
}
