import { expect, it } from 'vitest';
import type { Scenario } from './scenario.js';

const PORT = 5300;
const CLIENT_PORT = 40003;

export const udp: Scenario = {
  name: 'a UDP datagram',
  async play({ client, server, address }) {
    const far = await server.bound(address('1.2'), PORT, 'SOCK_DGRAM');
    const near = await client.bound(address('1.1'), CLIENT_PORT, 'SOCK_DGRAM');
    await near.call('sendto', 'question', [address('1.2'), PORT]);
    expect(await far.call('recv', 100)).toBe('question');
    await near.close();
    await far.close();
  },
  tests(recorded) {
    it('is shown from socket to socket', () => {
      const { recording, stage } = recorded();
      const datagram = recording.find({
        proto: 'udp',
        saddr: stage.address('1.1'),
        daddr: stage.address('1.2'),
        dport: PORT,
      });
      recording.expectWay(datagram, {
        functions: [
          { func: '__ip_local_out', skb: 'd' },
          { func: 'dev_hard_start_xmit', note: 'skb is successfully sent', skb: 'd' },
          { func: 'ip_rcv', skb: 'd' },
          { func: 'ip_local_deliver', skb: 'd' },
          { func: '__udp_enqueue_schedule_skb', skb: 'd' },
          { func: 'skb_consume_udp', skb: 'd' },
        ],
        tracepoints: [
          { func: 'net_dev_queue', skb: 'd' },
          { func: 'net_dev_xmit', note: 'skb is successfully sent', skb: 'd' },
          { func: 'netif_receive_skb', skb: 'd' },
        ],
      });
      expect(datagram).toMatchObject({ complete: true, tuple: { sport: CLIENT_PORT } });
      if (recording.hasFunctions)
        expect(datagram).toMatchObject({
          closed: 'freed',
          verdict: { outcome: 'delivered', cause: 'taken-by-socket' },
        });
    });
  },
};
