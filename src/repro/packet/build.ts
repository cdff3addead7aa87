import { encodeArp } from './arp.js';
import { checkLayers } from './check-layers.js';
import type { Endpoints } from './checksum.js';
import type { EncodeContext } from './codec.js';
import { encodeEthernet, encodeVlan } from './ethernet.js';
import { bytesOf, ipv4Bytes, ipv6Bytes } from './fields.js';
import { encodeGre } from './gre.js';
import { encodeIcmp } from './icmp.js';
import { encodeIcmpv6 } from './icmpv6.js';
import { encodeIpv4 } from './ipv4.js';
import { encodeIpv6 } from './ipv6.js';
import { encodeIpv6Fragment, encodeIpv6Options, encodeRouting, finalEnds } from './ipv6-extensions.js';
import type { AnyLayer } from './layers.js';
import { encodeTcp } from './tcp.js';
import { encodeUdp } from './udp.js';
import { encodeVxlan } from './vxlan.js';

/**
 * The packet's bytes, the first layer first. Lengths, checksums and the numbers that announce the next layer are right where they are
 * not given. Throws TypeError for what is no layer or no field of one, RangeError for a value that its field cannot hold.
 */
export function build(layers: readonly AnyLayer[]): Uint8Array {
  checkLayers(layers);
  return buildFrom(layers, undefined);
}

/** Like `build`, for layers that stand behind an IP header with these addresses. */
export function buildFrom(layers: readonly AnyLayer[], ends: Endpoints | undefined): Uint8Array {
  const [layer, ...following] = layers;
  if (!layer) return new Uint8Array(0);
  const content = buildFrom(following, endsInside(layer, ends));
  return encode(layer, { content, following, ends });
}

/** The addresses of pseudo headers inside of this layer. */
function endsInside(layer: AnyLayer, ends: Endpoints | undefined): Endpoints | undefined {
  switch (layer.kind) {
    case 'ipv4':
      return {
        source: ipv4Bytes(layer.source, 'ipv4.source'),
        destination: ipv4Bytes(layer.destination, 'ipv4.destination'),
      };
    case 'ipv6':
      return {
        source: ipv6Bytes(layer.source, 'ipv6.source'),
        destination: ipv6Bytes(layer.destination, 'ipv6.destination'),
      };
    case 'routing':
      return finalEnds(ends, layer);
    default:
      return ends;
  }
}

function encode(layer: AnyLayer, context: EncodeContext): Uint8Array {
  switch (layer.kind) {
    case 'ethernet':
      return encodeEthernet(layer, context);
    case 'vlan':
      return encodeVlan(layer, context);
    case 'arp':
      return encodeArp(layer, context);
    case 'ipv4':
      return encodeIpv4(layer, context);
    case 'ipv6':
      return encodeIpv6(layer, context);
    case 'hop-by-hop':
    case 'destination-options':
      return encodeIpv6Options(layer, context);
    case 'routing':
      return encodeRouting(layer, context);
    case 'fragment':
      return encodeIpv6Fragment(layer, context);
    case 'tcp':
      return encodeTcp(layer, context);
    case 'udp':
      return encodeUdp(layer, context);
    case 'icmp':
      return encodeIcmp(layer, context);
    case 'icmpv6':
      return encodeIcmpv6(layer, context);
    case 'vxlan':
      return encodeVxlan(layer, context);
    case 'gre':
      return encodeGre(layer, context);
    case 'payload':
      if (context.following.length) throw new RangeError('nothing can follow a payload');
      return bytesOf(layer.data, 'payload.data');
  }
}
