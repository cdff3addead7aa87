import { parseAddress } from '../../src/decode/addresses.js';
import type { AnyLayer, Layer } from '../../src/repro/packet/index.js';
import type { Dissected } from './tshark.js';
import { expectedFields, type Value } from './tshark-fields.js';

const COUNTED = ['eth', 'vlan', 'ieee8021ad', 'arp', 'ip', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'vxlan'];

interface Group {
  protocol: string;
  /** Which of that protocol, from the outside. */
  place: number;
  fields: Map<string, Value[]>;
}

/** The fields of each header; those of extension headers are with their IPv6 header, as tshark has it. */
function groupsOf(layers: readonly Layer[]): Group[] {
  const groups: Group[] = [];
  for (const layer of layers) {
    const expected = expectedFields(layer);
    if (!expected) continue;
    const isExtension = expected.protocol === 'ipv6' && layer.kind !== 'ipv6';
    let group = isExtension ? groups.findLast(({ protocol }) => protocol === 'ipv6') : undefined;
    if (!group) {
      const place = groups.filter(({ protocol }) => protocol === expected.protocol).length;
      group = { protocol: expected.protocol, place, fields: new Map() };
      groups.push(group);
    }
    for (const [name, value] of Object.entries(expected.fields))
      group.fields.set(name, [...(group.fields.get(name) ?? []), ...([value].flat() as Value[])]);
  }
  return groups;
}

/** Does tshark's text stand for that value? */
function isShown(value: Value, shown: string): boolean {
  if (typeof value === 'boolean') return ['1', 'True'].includes(shown) === value;
  if (typeof value === 'number') return Number(shown) === value;
  if (typeof value !== 'string') return shown.replaceAll(':', '') === Buffer.from(value).toString('hex');
  const [one, other] = [parseAddress(value), parseAddress(shown)];
  return one && other ? Buffer.compare(one, other) === 0 : value === shown;
}

/** The same values, each as often, in any order: tshark's JSON has fields of one name together. */
function sameValues(values: readonly Value[], texts: readonly string[]): boolean {
  const left = [...texts];
  return (
    values.length === texts.length &&
    values.every((value) => {
      const at = left.findIndex((text) => isShown(value, text));
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    })
  );
}

/** What tshark shows otherwise than `layers` have it; empty where it agrees. */
export function disagreements(layers: readonly Layer[], dissected: Dissected): string[] {
  const found: string[] = [];
  const groups = groupsOf(layers);
  for (const { protocol, place, fields } of groups) {
    const shown = dissected.get(protocol)?.[place];
    for (const [name, values] of fields) {
      const texts = shown?.get(name) ?? [];
      if (!sameValues(values, texts))
        found.push(`${name}: ${values.join(' ')}, to tshark ${texts.join(' ') || 'nothing'}`);
    }
  }
  for (const protocol of COUNTED) {
    const [ours, theirs] = [
      groups.filter((one) => one.protocol === protocol).length,
      dissected.get(protocol)?.length ?? 0,
    ];
    if (ours !== theirs) found.push(`${protocol}: there ${ours} times, to tshark ${theirs}`);
  }
  return found;
}

const WITH_CHECKSUM: Partial<Record<string, string>> = {
  ipv4: 'ip',
  tcp: 'tcp',
  udp: 'udp',
  icmp: 'icmp',
  icmpv6: 'icmpv6',
  gre: 'gre',
};
/** 4 is UDP without checksum over IPv6, which only tunnels may have (RFC 6935). */
/** 4 is UDP without checksum over IPv6, which only tunnels may have (RFC 6935). */
const STATUS: Partial<Record<string, string>> = {
  0: 'bad',
  1: 'good',
  2: 'unverified',
  3: 'none',
  4: 'none',
  Bad: 'bad',
  Good: 'good',
};

/** What tshark says of each layer's checksum; undefined for layers without one. */
export function checksumsShown(layers: readonly AnyLayer[], dissected: Dissected): (string | undefined)[] {
  return layers.map(({ kind }, at) => {
    const protocol = WITH_CHECKSUM[kind];
    if (!protocol) return undefined;
    const place = layers.slice(0, at).filter((layer) => layer.kind === kind).length;
    const status = dissected.get(protocol)?.[place]?.get(`${protocol}.checksum.status`)?.[0] ?? 'none';
    return STATUS[status] ?? status;
  });
}
