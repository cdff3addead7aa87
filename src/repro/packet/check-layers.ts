import { inspect } from 'node:util';
import type { AnyLayer, Layer, LayerKind } from './layers.js';

/** The layer of a kind, also where one type has several. */
type OfKind<K extends LayerKind, L = Layer> = L extends { kind: infer Kind } ? (K extends Kind ? L : never) : never;

/** The fields of each kind of layer. */
const FIELDS: { readonly [K in LayerKind]: Readonly<Record<Exclude<keyof OfKind<K>, 'kind'>, true>> } = {
  ethernet: { source: true, destination: true, type: true },
  vlan: { tpid: true, id: true, priority: true, dropEligible: true, type: true },
  arp: {
    operation: true,
    senderMac: true,
    senderIp: true,
    targetMac: true,
    targetIp: true,
    hardwareType: true,
    protocolType: true,
    hardwareSize: true,
    protocolSize: true,
  },
  ipv4: {
    source: true,
    destination: true,
    dscp: true,
    ecn: true,
    id: true,
    reservedFlag: true,
    dontFragment: true,
    moreFragments: true,
    fragmentOffset: true,
    ttl: true,
    protocol: true,
    checksum: true,
    options: true,
    version: true,
    headerLength: true,
    totalLength: true,
    trailer: true,
  },
  ipv6: {
    source: true,
    destination: true,
    dscp: true,
    ecn: true,
    flowLabel: true,
    nextHeader: true,
    hopLimit: true,
    version: true,
    payloadLength: true,
    trailer: true,
  },
  'hop-by-hop': { nextHeader: true, options: true, headerLength: true },
  'destination-options': { nextHeader: true, options: true, headerLength: true },
  routing: { nextHeader: true, type: true, segmentsLeft: true, data: true, headerLength: true },
  fragment: {
    nextHeader: true,
    reserved: true,
    fragmentOffset: true,
    reservedBits: true,
    moreFragments: true,
    id: true,
  },
  tcp: {
    sourcePort: true,
    destinationPort: true,
    seq: true,
    ack: true,
    flags: true,
    reserved: true,
    window: true,
    checksum: true,
    urgentPointer: true,
    options: true,
    headerLength: true,
  },
  udp: { sourcePort: true, destinationPort: true, length: true, checksum: true, trailer: true },
  icmp: { type: true, code: true, checksum: true, rest: true },
  icmpv6: { type: true, code: true, checksum: true, message: true },
  vxlan: { flags: true, reserved: true, vni: true, reservedLast: true },
  gre: {
    checksum: true,
    reservedOffset: true,
    key: true,
    sequence: true,
    moreFlags: true,
    version: true,
    protocol: true,
  },
  payload: { data: true },
};

/** Throws TypeError for what are no layers, and for fields that a layer does not have: also where no compiler has looked. */
export function checkLayers(layers: readonly AnyLayer[]): void {
  if (!Array.isArray(layers)) throw new TypeError(`a packet is an array of layers, not ${inspect(layers)}`);
  layers.forEach((layer: unknown, i) => {
    const { kind } = (layer ?? {}) as { kind?: unknown };
    if (typeof layer !== 'object' || layer === null || typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind))
      throw new TypeError(
        `layer ${i} must be made by ethernet(), ipv4(), tcp() and the like, and is ${inspect(layer)}`,
      );
    const known = Object.keys(FIELDS[kind as LayerKind]);
    const wrong = Object.keys(layer).find((name) => name !== 'kind' && !known.includes(name));
    if (wrong !== undefined) throw new TypeError(`${kind} has no field '${wrong}': there are ${known.join(', ')}`);
  });
}
