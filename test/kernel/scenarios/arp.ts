import { expect, it } from 'vitest';
import { must, type Scenario } from './scenario.js';

export const arp: Scenario = {
  name: 'ARP',
  async play({ net, client, address }) {
    net.ip('client', 'neighbour flush dev c1');
    await must(client, `ping -c 1 -W 20 ${address('2.254')}`);
  },
  tests(recorded) {
    it('shows the question and the answer', () => {
      const { recording, stage } = recorded();
      const pair = { [stage.address('2.1')]: stage.address('2.254'), [stage.address('2.254')]: stage.address('2.1') };
      for (const [arpOp, saddr] of [
        [1, stage.address('2.1')],
        [2, stage.address('2.254')],
      ] as const) {
        const one = recording.find({ proto: 'arp', arpOp, saddr });
        expect(one.tuple).toEqual({ saddr, daddr: pair[saddr] });
        recording.expectWay(one, {
          functions: [
            'arp_xmit',
            '__dev_queue_xmit',
            'dev_hard_start_xmit',
            '__netif_receive_skb_core',
            'arp_rcv',
            'arp_process',
            'consume_skb',
          ].map((func) => ({ func, skb: 'a' })),
          tracepoints: ['net_dev_queue', 'net_dev_xmit', 'netif_receive_skb', 'consume_skb'].map((func) => ({
            func,
            skb: 'a',
          })),
        });
        expect(one).toMatchObject({ complete: true, closed: 'freed' });
        if (recording.hasFunctions)
          expect(one.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-kernel' });
      }
    });
  },
};
