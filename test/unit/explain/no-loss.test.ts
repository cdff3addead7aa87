import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noLoss } from '../../../src/explain/no-loss.js';
import { NO_LOSS, REASONS } from '../../../src/generated/drop-reasons.js';
import type { DropInfo, Proto, TraceEvent, Tuple } from '../../../src/types.js';
import { traceEvent } from '../../support/traces.js';

const V4: Tuple = { saddr: '10.0.0.1', daddr: '10.0.0.2' };
const segment = (flags: string, payload = 0): Partial<TraceEvent> => ({
  tcp: { seq: 1, ack: 1, flags, win: 100, payload },
});
const why = (drop: DropInfo, proto: Proto, more: Partial<TraceEvent> = {}, daddr = V4.daddr) =>
  noLoss(traceEvent({ drop, ...more }), proto, { ...V4, daddr });

describe('a free through kfree_skb', () => {
  it.each([
    [
      'an RST in a handshake, up to 6.12',
      'tcp_v4_rcv+0xc2b',
      'NOT_SPECIFIED',
      'tcp',
      segment('R'),
      /or it was refused: trace it/,
    ],
    [
      'an RST where the kernel gives no reasons',
      'tcp_v4_rcv+0x1',
      undefined,
      'tcp',
      segment('RA'),
      /or it was refused: trace it/,
    ],
    ['a FIN for TIME_WAIT', 'tcp_v6_rcv+0x1', 'NOT_SPECIFIED', 'tcp', segment('AF'), /FIN reached a connection/],
    ['the last ACK of a handshake', 'tcp_rcv_state_process+0x1', undefined, 'tcp', segment('A'), /did its work/],
    [
      'data that nobody read',
      'sk_stream_kill_queues+0x4d',
      'QUEUE_PURGE',
      'tcp',
      segment('AP', 10),
      /socket was closed/,
    ],
    ['a datagram that nobody read', 'udp_destruct_common+0x1', 'NOT_SPECIFIED', 'udp', {}, /socket was closed/],
    ['a sniffer that ends', 'skb_queue_purge_reason+0x1', 'QUEUE_PURGE', 'icmp', {}, /queue was emptied/],
    ['a unix socket', 'unix_stream_connect+0x1', undefined, 'unknown', {}, /no packet of the network/],
    ['an ARP', 'arp_process+0x1', 'NOT_SPECIFIED', 'arp', {}, /ARP/],
    ['IGMP', 'igmp_rcv+0x1', 'NOT_SPECIFIED', 'ip', {}, /IGMP/],
    [
      'neighbour discovery',
      'icmpv6_rcv+0x1',
      undefined,
      'icmpv6',
      { icmp: { type: 135, code: 0 } },
      /neighbour discovery/,
    ],
    [
      'an echo reply of a raw socket',
      'ping_rcv+0x1',
      'NO_SOCKET',
      'icmp',
      { icmp: { type: 0, code: 0 } },
      /raw sockets/,
    ],
    ["a solicitation for another's address", 'ndisc_rcv+0x1', 'IPV6_NDISC_NS_OTHERHOST', 'icmpv6', {}, /another host/],
  ] as const)('of %s is no loss', (_what, location, reason, proto, more, text) => {
    expect(why({ location, ...(reason ? { reason } : {}) }, proto, more)).toMatch(text);
  });

  it.each([
    ['an RST that PAWS refused', 'tcp_v4_rcv+0xc2b', 'TCP_RFC7323_PAWS', 'tcp', segment('R')],
    ['an RST with another sequence number', 'tcp_validate_incoming+0x1', 'TCP_RESET', 'tcp', segment('R')],
    ['an RST for no socket', 'tcp_v4_rcv+0x9a', 'NO_SOCKET', 'tcp', segment('R')],
    ['a SYN for no socket', 'tcp_v4_rcv+0x9a', 'NO_SOCKET', 'tcp', segment('S')],
    ['data after a close', 'tcp_v4_rcv+0x1', 'NOT_SPECIFIED', 'tcp', segment('AP', 1)],
    ['data with a FIN', 'tcp_v4_rcv+0x1', 'NOT_SPECIFIED', 'tcp', segment('AF', 1)],
    ['an echo request', 'icmp_rcv+0x1', 'NOT_SPECIFIED', 'icmp', { icmp: { type: 8, code: 0 } }],
    ['a datagram for no socket', '__udp4_lib_rcv+0x1', undefined, 'udp', {}],
    ['an unknown place', 'somewhere+0x1', 'NOT_SPECIFIED', 'tcp', segment('R')],
    ['a place without a name', '0xffffffff81000000', undefined, 'tcp', segment('R')],
    ['a name that only begins alike', 'tcp_v4_rcv_else+0x1', 'NOT_SPECIFIED', 'tcp', segment('R')],
    ['netfilter', 'nf_hook_slow+0x1', 'NETFILTER_DROP', 'tcp', segment('R')],
  ] as const)('of %s is a loss', (_what, location, reason, proto, more) => {
    expect(why({ location, ...(reason ? { reason } : {}) }, proto, more)).toBeUndefined();
  });

  it.each([
    ['224.0.0.22', 'ip_rcv_finish_core+0x1', /nobody here has joined/],
    ['239.255.255.255', 'ip_rcv_finish_core.constprop.0+0x1', /nobody here has joined/],
    ['ff02::16', 'ip6_mc_input+0x1', /nobody here has joined/],
    ['255.255.255.255', '__udp4_lib_mcast_deliver+0x1', /no socket here wants/],
  ])('to %s in %s is no loss', (daddr, location, text) => {
    expect(why({ location }, 'udp', {}, daddr)).toMatch(text);
    expect(why({ location }, 'udp', {}, '10.0.0.2')).toBeUndefined();
    expect(why({ location }, 'udp', {}, 'fe80::1')).toBeUndefined();
  });

  it('is judged by the function, whatever the compiler and modules add to its name', () => {
    for (const location of ['tcp_v4_rcv', 'tcp_v4_rcv.cold+0x1', 'tcp_v4_rcv.isra.0+0x1', 'tcp_v4_rcv+0x1 [tcp]'])
      expect(why({ location }, 'tcp', segment('R'))).toBeDefined();
  });

  it('with a reason that says why is never called no loss, but where the table says so of that reason', () => {
    const silent = ['NOT_SPECIFIED', 'QUEUE_PURGE', 'SOCKET_CLOSE', 'NO_SOCKET', 'IP_INNOROUTES'];
    const telling = REASONS.filter((r) => r.noLoss === undefined).flatMap((r) => r.names);
    const places = [...new Set(NO_LOSS.flatMap((rule) => rule.at))];
    fc.assert(
      fc.property(
        fc.constantFrom(...telling.filter((name) => !silent.includes(name))),
        fc.constantFrom(...places),
        fc.constantFrom<Proto>('tcp', 'udp', 'icmp', 'icmpv6', 'arp', 'ip', 'ipv6', 'unknown'),
        fc.constantFrom('R', 'AF', 'S', 'A', ''),
        fc.constantFrom('10.0.0.2', '224.0.0.1', '255.255.255.255', 'ff02::1'),
        (reason, place, proto, flags, daddr) => {
          const location = `${place.replace('*', 'x')}+0x1`;
          expect(
            why({ location, reason }, proto, { ...segment(flags), icmp: { type: 0, code: 0 } }, daddr),
          ).toBeUndefined();
        },
      ),
    );
  });

  it('is asked only of events that are one', () => {
    expect(noLoss(traceEvent(), 'tcp', V4)).toBeUndefined();
    expect(noLoss(traceEvent({ drop: { location: 'ip_rcv_finish_core+0x1' } }), 'unknown', undefined)).toBeUndefined();
  });
});
