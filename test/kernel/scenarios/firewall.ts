import { expect, it } from 'vitest';
import { kernelFrom, type Recording } from '../../support/kernel-recording.js';
import { must, type Scenario, type Stage } from './scenario.js';

const NFT_PORT = 8002;
const IPTABLES_PORT = 8003;
/** Longer than many a buffer, because names are shown whole. */
const TABLE = 'a_table_of_more_than_thirty_two_letters';
const CHAIN = 'a_chain_of_more_than_thirty_two_letters';

async function sendDatagram({ client, address }: Stage, port: number): Promise<void> {
  const socket = await client.bound(address('1.1'), port, 'SOCK_DGRAM');
  await socket.call('sendto', 'x', [address('1.2'), port]);
  await socket.close();
}

function findDatagram(recording: Recording, stage: Stage, dport: number) {
  return recording.find({ proto: 'udp', saddr: stage.address('1.1'), daddr: stage.address('1.2'), dport });
}

function expectNetfilterDrop(recording: Recording, stage: Stage, port: number, location: RegExp): void {
  const one = findDatagram(recording, stage, port);
  const event = one.events.find((e) => e.drop);
  expect(event?.func).toBe('kfree_skb');
  expect(event?.drop?.location).toMatch(location);
  expect(event?.drop?.reason).toBe(kernelFrom(5, 19) ? 'NETFILTER_DROP' : undefined);
  expect(one.verdict).toMatchObject({ outcome: 'dropped', cause: 'netfilter-drop' });
}

export const nftDrop: Scenario = {
  name: 'a drop by a rule of nftables',
  async prepare({ server }) {
    await must(
      server,
      'nft -f -',
      `table inet ${TABLE} { chain ${CHAIN} { type filter hook input priority 0; udp dport ${NFT_PORT} drop; }; }`,
    );
  },
  play: (stage) => sendDatagram(stage, NFT_PORT),
  tests(recorded) {
    it('says which table and chain dropped it, and where', () => {
      const { recording, stage } = recorded();
      const drop = { func: 'kfree_skb', note: 'packet is dropped by kernel', skb: 'p' };
      const one = findDatagram(recording, stage, NFT_PORT);
      recording.expectWay(one, {
        functions: [
          { func: 'ip_local_deliver', skb: 'p' },
          {
            func: 'nf_hook_slow',
            skb: 'p',
            note: 'packet is dropped by netfilter (NF_DROP)',
            with: { netfilter: { family: 'ipv4', hook: 'INPUT' } },
          },
          {
            func: 'nft_do_chain',
            skb: 'p',
            note: /packet is (dropped|taken) by an nftables rule/,
            with: { netfilter: expect.objectContaining({ table: TABLE, chain: CHAIN }) },
          },
          drop,
        ],
        tracepoints: [{ func: 'netif_receive_skb', skb: 'p' }, drop],
      });
      if (recording.hasFunctions)
        expect(one.events.some((e) => e.stage === 'udp' && e.func !== 'udp_send_skb')).toBe(false);
      // nftables gives the reason itself since 6.7 (and in the stable 6.1), and frees where it does
      expectNetfilterDrop(recording, stage, NFT_PORT, kernelFrom(6, 1) ? /^nft_do_chain\+0x/ : /^nf_hook_slow\+0x/);
    });
  },
};

/** Why the rule could not be made. */
let noLegacyTables: string | undefined;

export const iptablesDrop: Scenario = {
  name: 'a drop by a rule of iptables',
  async prepare({ server }) {
    const { status, stderr } = await server.run(
      `iptables-legacy -w 20 -A INPUT -p udp --dport ${IPTABLES_PORT} -j DROP`.split(' '),
    );
    if (status !== 0) noLegacyTables = `iptables-legacy makes no rule here: ${stderr.trim().split('\n')[0]}`;
  },
  play: (stage) => sendDatagram(stage, IPTABLES_PORT),
  tests(recorded) {
    it('says which table dropped it, and where', (ctx) => {
      const { recording, stage } = recorded();
      if (noLegacyTables) ctx.skip(noLegacyTables);
      const drop = { func: 'kfree_skb', note: 'packet is dropped by kernel', skb: 'p' };
      recording.expectWay(findDatagram(recording, stage, IPTABLES_PORT), {
        functions: [
          { func: 'nf_hook_slow', skb: 'p', note: 'NF_DROP', with: { netfilter: { family: 'ipv4', hook: 'INPUT' } } },
          {
            func: 'ipt_do_table',
            skb: 'p',
            note: 'packet is dropped by an iptables rule',
            with: { netfilter: expect.objectContaining({ table: 'filter' }) },
          },
          drop,
        ],
        tracepoints: [{ func: 'netif_receive_skb', skb: 'p' }, drop],
      });
      expectNetfilterDrop(recording, stage, IPTABLES_PORT, /^nf_hook_slow\+0x/);
    });
  },
};
