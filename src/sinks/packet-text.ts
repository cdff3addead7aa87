import { formatEndpoint } from '../decode/addresses.js';
import { ipProtocolName } from '../protocols.js';
import type { Proto, TcpOptions, TraceEvent, Tuple } from '../types.js';

const ICMP_NAMES: Readonly<Record<string, string>> = {
  'icmp:0': 'ping reply',
  'icmp:3': 'destination unreachable',
  'icmp:4': 'source quench',
  'icmp:5': 'redirect',
  'icmp:8': 'ping request',
  'icmp:11': 'time exceeded',
  'icmp:12': 'parameter problem',
  'icmpv6:1': 'destination unreachable',
  'icmpv6:2': 'packet too big',
  'icmpv6:3': 'time exceeded',
  'icmpv6:4': 'parameter problem',
  'icmpv6:128': 'ping request',
  'icmpv6:129': 'ping reply',
  'icmpv6:130': 'multicast listener query',
  'icmpv6:131': 'multicast listener report',
  'icmpv6:133': 'router solicitation',
  'icmpv6:134': 'router advertisement',
  'icmpv6:135': 'neighbour solicitation',
  'icmpv6:136': 'neighbour advertisement',
  'icmpv6:143': 'multicast listener report v2',
};

export const PROTO_TITLES: Readonly<Record<Proto, string>> = {
  tcp: 'TCP',
  udp: 'UDP',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  arp: 'ARP',
  ip: 'IP',
  ipv6: 'IPv6',
  unknown: 'packet',
};

export function endpoints(tuple: Tuple): string {
  return `${formatEndpoint(tuple.saddr, tuple.sport)} -> ${formatEndpoint(tuple.daddr, tuple.dport)}`;
}

function optionsText(options: TcpOptions): string {
  let text = '';
  if (options.mss !== undefined) text += `, mss:${options.mss}`;
  if (options.windowScale !== undefined) text += `, wscale:${options.windowScale}`;
  if (options.sackPermitted) text += ', sackOK';
  if (options.tsval !== undefined) text += `, ts:${options.tsval}, ecr:${options.tsecr ?? '?'}`;
  if (options.sack) text += `, sack:${options.sack.map((b) => `${b.left}-${b.right}`).join('/')}`;
  if (options.malformed) text += ', options malformed';
  return text;
}

/** Protocol, addresses and what the protocol's header says; `whole` has what the event leaves out. */
export function packetText(whole: { proto: Proto; tuple?: Tuple }, event: TraceEvent, detail: boolean): string {
  const proto = event.proto ?? whole.proto;
  const tuple = event.tuple ?? whole.tuple;
  const title = PROTO_TITLES[proto];
  if (!tuple) return `${title}: headers could not be read`;
  let text = `${title}: ${endpoints(tuple)}`;
  if (event.tcp) {
    const { tcp } = event;
    text += ` seq:${tcp.seq}, ack:${tcp.ack}, flags:${tcp.flags}`;
    if (detail) text += `, win:${tcp.win}${optionsText(tcp)}`;
  } else if (event.icmp) {
    const { icmp } = event;
    text += ` ${ICMP_NAMES[`${proto}:${icmp.type}`] ?? `type: ${icmp.type}`}`;
    if (icmp.id !== undefined) text += `, seq: ${icmp.seq ?? '?'}, id: ${icmp.id}`;
    else text += `, code: ${icmp.code}`;
  } else if (event.ipProtocol !== undefined) {
    text += ` ${ipProtocolName(event.ipProtocol) ?? `protocol: ${event.ipProtocol}`}`;
  } else if (event.arpOp !== undefined) {
    text += event.arpOp === 1 ? ' request' : event.arpOp === 2 ? ' reply' : ` operation ${event.arpOp}`;
  }
  if (detail) {
    if (event.len !== undefined) text += `, len:${event.len}`;
    if (event.mark) text += `, mark:0x${event.mark.toString(16)}`;
  }
  return text;
}
