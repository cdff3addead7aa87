import { formatEndpoint } from '../../decode/addresses.js';
import type { Arp } from './arp.js';
import type { Icmp } from './icmp.js';
import type { Icmpv6 } from './icmpv6.js';
import { findLayer, type Layer } from './layers.js';

/** A packet in one line, for messages: its innermost addresses and what it is. */
export function summarize(layers: readonly Layer[]): string {
  const from = layers.findLastIndex(({ kind }) => kind === 'ipv4' || kind === 'ipv6');
  const ip = layers[from];
  if (ip?.kind === 'ipv4' || ip?.kind === 'ipv6') return ipText(ip.source, ip.destination, layers.slice(from + 1));
  const arp = findLayer(layers, 'arp');
  if (arp) return arpText(arp);
  const first = layers[0];
  return first?.kind === 'ethernet'
    ? `Ethernet: ${first.source} -> ${first.destination} type:0x${first.type.toString(16).padStart(4, '0')}`
    : `${layers.map(({ kind }) => kind).join(', ') || 'nothing'}`;
}

function ipText(source: string, destination: string, inner: readonly Layer[]): string {
  const ends = (from?: number, to?: number) => `${formatEndpoint(source, from)} -> ${formatEndpoint(destination, to)}`;
  for (const layer of inner) {
    if (layer.kind === 'tcp')
      return `TCP: ${ends(layer.sourcePort, layer.destinationPort)} seq:${layer.seq}, ack:${layer.ack}, flags:${layer.flags}`;
    if (layer.kind === 'udp') return `UDP: ${ends(layer.sourcePort, layer.destinationPort)} length:${layer.length}`;
    if (layer.kind === 'icmp' || layer.kind === 'icmpv6') return icmpText(ends(), layer);
  }
  return `IP: ${ends()}`;
}

function icmpText(ends: string, layer: Icmp | Icmpv6): string {
  return `${layer.kind === 'icmp' ? 'ICMP' : 'ICMPv6'}: ${ends} type:${layer.type}, code:${layer.code}`;
}

function arpText({ operation, senderIp, senderMac, targetIp }: Arp): string {
  if (operation === 1) return `ARP: ${senderIp} asks for ${targetIp}`;
  return operation === 2 ? `ARP: ${senderIp} is at ${senderMac}` : `ARP: operation ${operation}`;
}
