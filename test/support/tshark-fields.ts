import { parseTcpFlags } from '../../src/decode/names.js';
import { type AnyIpOption, build, type IpOption, type Layer, type Tcp } from '../../src/repro/packet/index.js';
import type { NdpOption } from '../../src/repro/packet/ndp.js';

/** Numbers, booleans, addresses as text, bytes; lists of such where a field is there several times. */
export type Value = number | boolean | string | Uint8Array;
export type ExpectedFields = Record<string, Value | readonly Value[]>;

/** The name that tshark has for the protocol, and the fields that it must show for this layer. */
export function expectedFields(layer: Layer): { protocol: string; fields: ExpectedFields } | undefined {
  switch (layer.kind) {
    case 'ethernet':
      return {
        protocol: 'eth',
        fields: { 'eth.src': layer.source, 'eth.dst': layer.destination, 'eth.type': layer.type },
      };
    case 'vlan':
      return vlanFields(layer);
    case 'arp':
      return {
        protocol: 'arp',
        fields: {
          'arp.hw.type': layer.hardwareType,
          'arp.proto.type': layer.protocolType,
          'arp.hw.size': layer.hardwareSize,
          'arp.proto.size': layer.protocolSize,
          'arp.opcode': layer.operation,
          'arp.src.hw_mac': layer.senderMac,
          'arp.src.proto_ipv4': layer.senderIp,
          'arp.dst.hw_mac': layer.targetMac,
          'arp.dst.proto_ipv4': layer.targetIp,
        },
      };
    case 'ipv4':
      return {
        protocol: 'ip',
        fields: {
          'ip.version': layer.version,
          'ip.hdr_len': layer.headerLength,
          'ip.dsfield.dscp': layer.dscp,
          'ip.dsfield.ecn': layer.ecn,
          'ip.len': layer.totalLength,
          'ip.id': layer.id,
          'ip.flags.rb': layer.reservedFlag,
          'ip.flags.df': layer.dontFragment,
          'ip.flags.mf': layer.moreFragments,
          'ip.frag_offset': layer.fragmentOffset,
          'ip.ttl': layer.ttl,
          'ip.proto': layer.protocol,
          'ip.checksum': layer.checksum,
          'ip.src': layer.source,
          'ip.dst': layer.destination,
          'ip.opt.type': shownOptions(layer.options),
        },
      };
    case 'ipv6':
      return {
        protocol: 'ipv6',
        fields: {
          'ipv6.version': layer.version,
          'ipv6.tclass.dscp': layer.dscp,
          'ipv6.tclass.ecn': layer.ecn,
          'ipv6.flow': layer.flowLabel,
          'ipv6.plen': layer.payloadLength,
          'ipv6.nxt': layer.nextHeader,
          'ipv6.hlim': layer.hopLimit,
          'ipv6.src': layer.source,
          'ipv6.dst': layer.destination,
        },
      };
    case 'hop-by-hop':
    case 'destination-options': {
      const name = layer.kind === 'hop-by-hop' ? 'ipv6.hopopts' : 'ipv6.dstopts';
      const options = layer.options.filter((option): option is IpOption => 'type' in option);
      return {
        protocol: 'ipv6',
        fields: {
          [`${name}.nxt`]: layer.nextHeader,
          [`${name}.len_oct`]: layer.headerLength,
          'ipv6.opt.type': options.map(({ type }) => type),
          'ipv6.opt.length': options.flatMap(({ type, data }) => (type === 0 ? [] : [data.length])),
        },
      };
    }
    case 'routing':
      return {
        protocol: 'ipv6',
        fields: {
          'ipv6.routing.nxt': layer.nextHeader,
          'ipv6.routing.len_oct': layer.headerLength,
          'ipv6.routing.type': layer.type,
          'ipv6.routing.segleft': layer.segmentsLeft,
        },
      };
    case 'fragment':
      return {
        protocol: 'ipv6',
        fields: {
          'ipv6.fraghdr.nxt': layer.nextHeader,
          'ipv6.fraghdr.reserved_octet': layer.reserved,
          'ipv6.fraghdr.offset': layer.fragmentOffset / 8,
          'ipv6.fraghdr.reserved_bits': layer.reservedBits,
          'ipv6.fraghdr.more': layer.moreFragments,
          'ipv6.fraghdr.ident': layer.id,
        },
      };
    case 'tcp':
      return { protocol: 'tcp', fields: tcpFields(layer) };
    case 'udp':
      return {
        protocol: 'udp',
        fields: {
          'udp.srcport': layer.sourcePort,
          'udp.dstport': layer.destinationPort,
          'udp.length': layer.length,
          'udp.checksum': layer.checksum,
        },
      };
    case 'icmp':
      return {
        protocol: 'icmp',
        fields: {
          'icmp.type': layer.type,
          'icmp.code': layer.code,
          'icmp.checksum': layer.checksum,
          ...icmpRest(layer.rest),
        },
      };
    case 'icmpv6':
      return {
        protocol: 'icmpv6',
        fields: {
          'icmpv6.type': layer.type,
          'icmpv6.code': layer.code,
          'icmpv6.checksum': layer.checksum,
          ...icmpv6Message(layer.message),
        },
      };
    case 'vxlan':
      return {
        protocol: 'vxlan',
        fields: {
          'vxlan.flags': layer.flags * 256 + (layer.reserved >> 16),
          'vxlan.gbp': layer.reserved & 0xffff,
          'vxlan.vni': layer.vni,
          'vxlan.reserved8': layer.reservedLast,
        },
      };
    case 'gre': {
      const present = ({ checksum, key, sequence }: typeof layer) =>
        [checksum, key, sequence].map((v) => v !== undefined);
      const [checksum, key, sequence] = present(layer);
      return {
        protocol: 'gre',
        fields: {
          'gre.flags.checksum': checksum!,
          'gre.flags.key': key!,
          'gre.flags.sequence_number': sequence!,
          'gre.flags.version': layer.version,
          'gre.proto': layer.protocol,
          'gre.checksum': [layer.checksum ?? []].flat(),
          'gre.key': [layer.key ?? []].flat(),
          'gre.sequence_number': [layer.sequence ?? []].flat(),
        },
      };
    }
    case 'payload':
      return undefined; // what it belongs to decides how tshark shows it
  }
}

/** The types up to the first end of options, behind which tshark looks no further. */
function shownOptions(options: readonly AnyIpOption[]): number[] {
  const types = options.flatMap((option) => ('type' in option ? [option.type] : []));
  const end = types.indexOf(0);
  return end < 0 ? types : types.slice(0, end + 1);
}

function vlanFields(layer: Extract<Layer, { kind: 'vlan' }>): { protocol: string; fields: ExpectedFields } {
  const name = layer.tpid === 0x88a8 ? 'ieee8021ad' : 'vlan';
  return {
    protocol: name,
    fields: {
      [`${name}.id`]: layer.id,
      [`${name}.priority`]: layer.priority,
      [`${name}.dei`]: layer.dropEligible,
      [name === 'vlan' ? 'vlan.etype' : 'ieee8021ah.etype']: layer.type,
    },
  };
}

function tcpFields(layer: Tcp): ExpectedFields {
  const options = build([{ ...layer, checksum: 0 }]).subarray(20);
  const all = <K extends Tcp['options'][number]['kind']>(kind: K) =>
    layer.options.filter((option): option is Extract<Tcp['options'][number], { kind: K }> => option.kind === kind);
  return {
    'tcp.srcport': layer.sourcePort,
    'tcp.dstport': layer.destinationPort,
    'tcp.seq_raw': layer.seq,
    'tcp.ack_raw': layer.ack,
    'tcp.hdr_len': layer.headerLength,
    'tcp.flags': layer.reserved * 256 + parseTcpFlags(layer.flags)!,
    'tcp.window_size_value': layer.window,
    'tcp.checksum': layer.checksum,
    'tcp.urgent_pointer': layer.urgentPointer,
    'tcp.options': options.length ? [options] : [],
    'tcp.options.mss_val': all('mss').map(({ value }) => value),
    'tcp.options.wscale.shift': all('window-scale').map(({ shift }) => shift),
    'tcp.options.sack_perm': all('sack-permitted').map(() => Uint8Array.of(4, 2)),
    'tcp.options.sack_le': all('sack').flatMap(({ blocks }) => blocks.map(({ left }) => left)),
    'tcp.options.sack_re': all('sack').flatMap(({ blocks }) => blocks.map(({ right }) => right)),
    'tcp.options.timestamp.tsval': all('timestamps').map(({ tsval }) => tsval),
    'tcp.options.timestamp.tsecr': all('timestamps').map(({ tsecr }) => tsecr),
    'tcp.options.md5.digest': all('md5').map(({ digest }) => digest),
    'tcp.options.ao.keyid': all('ao').map(({ keyId }) => keyId),
    'tcp.options.ao.rnextkeyid': all('ao').map(({ nextKeyId }) => nextKeyId),
    'tcp.options.ao.mac': all('ao').map(({ mac }) => mac),
    'tcp.options.tfo.cookie': all('fast-open').flatMap(({ cookie }) => (cookie.length ? [cookie] : [])),
    'tcp.options.unknown.payload': all('unknown').map(({ data }) => data),
    'tcp.options.nop': all('nop').map(() => Uint8Array.of(1)),
    'tcp.options.eol': all('end').map(() => Uint8Array.of(0)),
  };
}

function icmpRest(rest: Extract<Layer, { kind: 'icmp' }>['rest']): ExpectedFields {
  switch (rest.kind) {
    case 'echo':
      return { 'icmp.ident': rest.id, 'icmp.seq': rest.sequence };
    case 'mtu':
      return { 'icmp.mtu': rest.mtu };
    case 'gateway':
      return { 'icmp.redir_gw': rest.gateway };
    case 'pointer':
      return { 'icmp.pointer': rest.pointer };
    case 'unused':
      return {};
  }
}

function icmpv6Message(message: Extract<Layer, { kind: 'icmpv6' }>['message']): ExpectedFields {
  switch (message.kind) {
    case 'echo':
      return { 'icmpv6.echo.identifier': message.id, 'icmpv6.echo.sequence_number': message.sequence };
    case 'mtu':
      return { 'icmpv6.mtu': message.mtu };
    case 'pointer':
      return { 'icmpv6.pointer': message.pointer };
    case 'router-solicitation':
      return ndpOptions(message.options);
    case 'router-advertisement':
      return {
        'icmpv6.nd.ra.cur_hop_limit': message.hopLimit,
        'icmpv6.nd.ra.flag.m': message.managed,
        'icmpv6.nd.ra.flag.o': message.otherConfiguration,
        'icmpv6.nd.ra.router_lifetime': message.routerLifetime,
        'icmpv6.nd.ra.reachable_time': message.reachableTime,
        'icmpv6.nd.ra.retrans_timer': message.retransTimer,
        ...ndpOptions(message.options),
      };
    case 'neighbor-solicitation':
      return { 'icmpv6.nd.ns.target_address': message.target, ...ndpOptions(message.options) };
    case 'neighbor-advertisement':
      return {
        'icmpv6.nd.na.target_address': message.target,
        'icmpv6.nd.na.flag.r': message.router,
        'icmpv6.nd.na.flag.s': message.solicited,
        'icmpv6.nd.na.flag.o': message.override,
        ...ndpOptions(message.options),
      };
    default:
      return {};
  }
}

function ndpOptions(options: readonly NdpOption[]): ExpectedFields {
  const all = <K extends NdpOption['kind']>(kind: K) =>
    options.filter((option): option is Extract<NdpOption, { kind: K }> => option.kind === kind);
  return {
    'icmpv6.opt.src_linkaddr': all('source-link-address').map(({ mac }) => mac),
    'icmpv6.opt.target_linkaddr': all('target-link-address').map(({ mac }) => mac),
    'icmpv6.opt.mtu': all('mtu').map(({ mtu }) => mtu),
    'icmpv6.opt.prefix': all('prefix').map(({ prefix }) => prefix),
    'icmpv6.opt.prefix.length': all('prefix').map(({ prefixLength }) => prefixLength),
    'icmpv6.opt.prefix.flag.l': all('prefix').map(({ onLink }) => onLink),
    'icmpv6.opt.prefix.flag.a': all('prefix').map(({ autonomous }) => autonomous),
    'icmpv6.opt.prefix.valid_lifetime': all('prefix').map(({ validLifetime }) => validLifetime),
    'icmpv6.opt.prefix.preferred_lifetime': all('prefix').map(({ preferredLifetime }) => preferredLifetime),
  };
}
