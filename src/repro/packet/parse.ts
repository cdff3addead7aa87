import { decodeArp } from './arp.js';
import { type DecodeContext, type Decoded, Malformed, type Problem } from './codec.js';
import { decodeEthernet, decodeVlan } from './ethernet.js';
import { copy } from './fields.js';
import { decodeGre } from './gre.js';
import { decodeIcmp } from './icmp.js';
import { decodeIcmpv6 } from './icmpv6.js';
import { decodeIpv4 } from './ipv4.js';
import { decodeIpv6 } from './ipv6.js';
import { decodeIpv6Fragment, decodeIpv6Options, decodeRouting } from './ipv6-extensions.js';
import type { Layer, LayerKind } from './layers.js';
import { decodeTcp } from './tcp.js';
import { decodeUdp } from './udp.js';
import { decodeVxlan, VXLAN_PORT, VXLAN_PORT_LINUX } from './vxlan.js';

export interface ParseOptions {
  /** What the bytes begin with; default `ethernet`. */
  first?: LayerKind;
  /** The kernel said that transport checksums are not computed yet (TP_STATUS_CSUMNOTREADY): none is looked at. */
  checksumPending?: boolean;
  /** UDP destination ports of VXLAN; default 4789, and 8472 as Linux has it. */
  vxlanPorts?: readonly number[];
}

export interface Parsed {
  /** With all their fields; building them gives the same bytes again. */
  layers: Layer[];
  /** What is not as it should be. */
  problems: Problem[];
}

/** More headers than anyone stacks: what is deeper stays payload. */
const MAX_LAYERS = 64;

/** Never throws, whatever the bytes are: what makes no header stays payload, and a problem says why. */
export function parse(bytes: Uint8Array, options: ParseOptions = {}): Parsed {
  const layers: Layer[] = [];
  const problems: Problem[] = [];
  let context: DecodeContext = {
    ends: undefined,
    partial: false,
    checksumPending: options.checksumPending ?? false,
    vxlanPorts: options.vxlanPorts ?? [VXLAN_PORT, VXLAN_PORT_LINUX],
  };
  let kind = options.first ?? 'ethernet';
  let rest = bytes;
  while (kind !== 'payload' && layers.length < MAX_LAYERS) {
    const decoded = decode(kind, rest, context, layers.at(-1));
    const at = layers.length;
    if (decoded instanceof Malformed) {
      // cut off where it is no one's fault, and where the packet itself has no more
      const name = context.partial ? 'truncated' : 'malformed';
      problems.push({ at, layer: kind, name, text: decoded.text });
      break;
    }
    layers.push(decoded.layer);
    for (const problem of decoded.problems ?? []) problems.push({ at, layer: kind, ...problem });
    context = { ...context, ...decoded.inner };
    rest = decoded.content;
    kind = decoded.next;
  }
  if (rest.length > 0) layers.push({ kind: 'payload', data: copy(rest) });
  return { layers, problems };
}

function decode(
  kind: Exclude<LayerKind, 'payload'>,
  bytes: Uint8Array,
  context: DecodeContext,
  before: Layer | undefined,
): Decoded | Malformed {
  switch (kind) {
    case 'ethernet':
      return decodeEthernet(bytes);
    case 'vlan':
      return decodeVlan(bytes, announced(before));
    case 'arp':
      return decodeArp(bytes);
    case 'ipv4':
      return decodeIpv4(bytes, context);
    case 'ipv6':
      return decodeIpv6(bytes, context);
    case 'hop-by-hop':
    case 'destination-options':
      return decodeIpv6Options(kind, bytes);
    case 'routing':
      return decodeRouting(bytes, context);
    case 'fragment':
      return decodeIpv6Fragment(bytes, context);
    case 'tcp':
      return decodeTcp(bytes, context);
    case 'udp':
      return decodeUdp(bytes, context);
    case 'icmp':
      return decodeIcmp(bytes, context);
    case 'icmpv6':
      return decodeIcmpv6(bytes, context);
    case 'vxlan':
      return decodeVxlan(bytes);
    case 'gre':
      return decodeGre(bytes, context);
  }
}

/** The EtherType in front of a VLAN tag. */
function announced(before: Layer | undefined): number | undefined {
  if (before?.kind === 'ethernet' || before?.kind === 'vlan') return before.type;
  return before?.kind === 'gre' ? before.protocol : undefined;
}
