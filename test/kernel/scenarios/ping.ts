import { expect, it } from 'vitest';
import type { Way } from '../../support/kernel-recording.js';
import { must, type Scenario } from './scenario.js';

interface Version {
  proto: 'icmp' | 'icmpv6';
  addresses(stage: Parameters<Scenario['play']>[0]): [string, string];
  request: number;
  reply: number;
  out: string;
  into: [string, string];
}

function echo(name: string, version: Version): Scenario {
  const { proto, request, reply, out, into } = version;
  const way: Way = {
    functions: [out, 'dev_hard_start_xmit', ...into].map((func) => ({ func, skb: 'p' })),
    tracepoints: ['net_dev_queue', 'net_dev_xmit', 'netif_receive_skb'].map((func) => ({ func, skb: 'p' })),
  };
  return {
    name,
    async play(stage) {
      const [, server] = version.addresses(stage);
      await must(stage.client, `ping -c 2 -i 0.2 -W 20 ${server}`);
    },
    tests(recorded) {
      it('shows requests and replies, with identifier and sequence number', () => {
        const { recording, stage } = recorded();
        const [client, server] = version.addresses(stage);
        const requests = recording.all({ proto, saddr: client, daddr: server, icmpType: request }).slice(0, 2);
        const replies = recording.all({ proto, saddr: server, daddr: client, icmpType: reply }).slice(0, 2);
        const numbers = [requests, replies].map((traces) => traces.map((one) => one.events.find((e) => e.icmp)?.icmp));
        const id = numbers[0]?.[0]?.id;
        expect(id).toBeGreaterThan(0);
        expect(numbers).toEqual([
          [1, 2].map((seq) => ({ type: request, code: 0, id, seq })),
          [1, 2].map((seq) => ({ type: reply, code: 0, id, seq })),
        ]);
        for (const one of [...requests, ...replies]) {
          recording.expectWay(one, way);
          expect(one.complete).toBe(true);
          if (recording.hasFunctions) expect(one.verdict.outcome).toBe('delivered');
        }
      });
    },
  };
}

export const ping = echo('a ping', {
  proto: 'icmp',
  addresses: ({ address }) => [address('1.1'), address('1.2')],
  request: 8,
  reply: 0,
  out: '__ip_local_out',
  into: ['ip_rcv', 'icmp_rcv'],
});

export const ping6 = echo('a ping over IPv6', {
  proto: 'icmpv6',
  addresses: ({ address6 }) => [address6('1:1'), address6('1:2')],
  request: 128,
  reply: 129,
  out: '__ip6_local_out',
  into: ['ipv6_rcv', 'icmpv6_rcv'],
});
