import { expect, it } from 'vitest';
import type { Scenario } from './scenario.js';

const PORT = 5301;
const ETH_P_ALL_IN_NETWORK_ORDER = 0x0300;

export const packetSocket: Scenario = {
  name: 'a packet socket that listens',
  async play({ client, server, address }) {
    const sniffer = await server.socket('AF_PACKET', 'SOCK_RAW', ETH_P_ALL_IN_NETWORK_ORDER);
    await sniffer.call('bind', ['s0', 3]);
    const far = await server.bound(address('1.2'), PORT, 'SOCK_DGRAM');
    const near = await client.bound(address('1.1'), PORT, 'SOCK_DGRAM');
    await near.call('sendto', 'overheard', [address('1.2'), PORT]);
    expect(await far.call('recv', 100)).toBe('overheard');
    let heard = '';
    while (!heard.endsWith('overheard')) heard = (await sniffer.call('recv', 2000)) as string;
    await sniffer.close();
    await near.close();
    await far.close();
  },
  tests(recorded) {
    it('gets a clone, which is another skb of the same trace', (ctx) => {
      const { recording, stage } = recorded();
      const one = recording.find({ proto: 'udp', saddr: stage.address('1.1'), dport: PORT });
      if (!recording.hasFunctions) ctx.skip('no tracepoint tells of clones: only a function shows them');
      recording.expectWay(one, {
        functions: [
          { func: '__netif_receive_skb_core', skb: 'packet' },
          { func: 'packet_rcv', skb: 'packet' },
          { func: 'skb_clone', skb: 'packet', note: 'packet is cloned' },
          { func: 'skb_clone', skb: 'clone', with: { parent: expect.any(Number) } },
          { func: 'ip_local_deliver', skb: 'packet' },
          { func: 'skb_copy_datagram_iovec', skb: 'clone' },
          { func: 'consume_skb', skb: 'clone' },
        ],
        tracepoints: [],
      });
      expect(one.skbs).toHaveLength(2);
      expect(new Set(one.skbs).size).toBe(2);
    });

    it('does not disturb the packet itself', () => {
      const { recording, stage } = recorded();
      const one = recording.find({ proto: 'udp', saddr: stage.address('1.1'), dport: PORT });
      recording.expectWay(one, {
        functions: ['ip_rcv', 'ip_local_deliver', '__udp_enqueue_schedule_skb', 'skb_consume_udp'].map((func) => ({
          func,
          skb: 'packet',
        })),
        tracepoints: ['net_dev_xmit', 'netif_receive_skb'].map((func) => ({ func, skb: 'packet' })),
      });
      if (recording.hasFunctions)
        expect(one.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket', facts: [] });
    });
  },
};
