import { expect, it } from 'vitest';
import { must, type Scenario } from './scenario.js';

const PORT = 9000;
const CLIENT_PORT = 40004;

export const nat: Scenario = {
  name: 'a router that translates addresses',
  async prepare({ router, address }) {
    await must(router, 'sysctl -qw net.ipv4.ip_forward=1');
    await must(
      router,
      'nft -f -',
      `table ip nat {
        chain before { type nat hook prerouting priority -100; tcp dport ${PORT} dnat to ${address('3.2')}:${PORT}; }
        chain after { type nat hook postrouting priority 100; oifname "r1" snat to ${address('3.254')}; }
      }`,
    );
  },
  async play({ client, server, address }) {
    const listener = await server.listen(address('3.2'), PORT);
    const near = await client.bound(address('2.1'), CLIENT_PORT);
    await near.call('connect', [address('2.254'), PORT]);
    const far = await listener.accept();
    await far.close();
    await near.close();
    await listener.close();
  },
  tests(recorded) {
    it('shows one trace through the rewrite to the server', () => {
      const { recording, stage } = recorded();
      const { address } = stage;
      const syn = recording.find({
        saddr: address('2.1'),
        daddr: address('2.254'),
        sport: CLIENT_PORT,
        dport: PORT,
        flags: 'S',
      });
      const toServer = expect.objectContaining({ daddr: address('3.2'), dport: PORT });
      const fromRouter = expect.objectContaining({ saddr: address('3.254'), daddr: address('3.2'), dport: PORT });
      recording.expectWay(syn, {
        functions: [
          { func: '__tcp_transmit_skb', skb: 'kept' },
          { func: 'dev_hard_start_xmit', skb: 'p' },
          { func: 'ip_rcv', skb: 'p' },
          { func: 'nf_hook_slow', skb: 'p', with: { netfilter: { family: 'ipv4', hook: 'PRE_ROUTING' } } },
          { func: 'nf_nat_manip_pkt', skb: 'p', note: 'NAT rewrites the packet' },
          { func: 'ip_forward', skb: 'p', with: { tuple: toServer } },
          { func: 'ip_output', skb: 'p' },
          { func: 'nf_nat_manip_pkt', skb: 'p' },
          { func: 'dev_hard_start_xmit', skb: 'p', with: { tuple: fromRouter } },
          { func: 'tcp_v4_rcv', skb: 'p', with: { tuple: fromRouter } },
        ],
        tracepoints: [
          { func: 'net_dev_queue', skb: 'p', with: { ifname: 'c1' } },
          { func: 'netif_receive_skb', skb: 'p', with: { ifname: 'r0' } },
          { func: 'net_dev_queue', skb: 'p', with: { ifname: 'r1', tuple: fromRouter } },
          { func: 'netif_receive_skb', skb: 'p', with: { ifname: 's1', tuple: fromRouter } },
        ],
      });
      const rewrites = syn.events.flatMap(({ notes }) =>
        notes.filter(({ text }) => text.startsWith('packet is rewritten (NAT)')),
      );
      expect(rewrites.length).toBeGreaterThanOrEqual(recording.hasFunctions ? 2 : 1);
      expect(syn.complete).toBe(true);
      expect(syn.verdict.facts).toContain('nat-rewritten');
      if (recording.hasFunctions) expect(syn.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket' });
    });

    it('shows the way back in one trace too', () => {
      const { recording, stage } = recorded();
      const { address } = stage;
      const answer = recording.find({ saddr: address('3.2'), daddr: address('3.254'), sport: PORT, flags: 'SA' });
      const last = answer.events.findLast(({ tuple }) => tuple)?.tuple;
      expect(last).toEqual({ saddr: address('2.254'), daddr: address('2.1'), sport: PORT, dport: CLIENT_PORT });
    });
  },
};
