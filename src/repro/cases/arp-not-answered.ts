import { defineCase } from '../case.js';
import { reasonSince } from '../shared/drop-places.js';
import { failureOf } from '../sockets.js';

const ABSENT = '10.0.0.9';
const REQUEST = 1;

export default defineCase({
  name: 'arp-not-answered',
  group: 'path',
  title: 'Nobody answers ARP for the next hop: EHOSTUNREACH after three requests',
  description: `The address is in the host's own network, but no host there has it. The SYN waits in the neighbour
entry while the kernel asks by ARP, mcast_solicit (3) times, retrans_time_ms (1000, here 100) apart; then the entry is
FAILED, arp_error_report frees what waited and tells the sockets: connect() fails with EHOSTUNREACH ("No route to
host") after 3 seconds. That tells a dead or wrongly cabled next hop from a firewall (ETIMEDOUT after minutes) and
from a missing route (ENETUNREACH at once).`,
  parameters: {
    retransMs: { default: 100, text: 'time between two ARP requests', unit: 'ms', range: [10, 10_000] },
    requests: { default: 3, text: 'ARP requests until the next hop is given up', range: [1, 20] },
  },
  requires: { modules: ['veth'] },
  network(net, { parameters: { retransMs, requests } }) {
    const client = net.host('client', {
      sysctl: { 'net.ipv4.neigh.eth0.retrans_time_ms': retransMs, 'net.ipv4.neigh.eth0.mcast_solicit': requests },
    });
    net.link(client, net.host('neighbour'), { arp: true });
    return { client };
  },
  async play({ net: { client }, step }) {
    const answer = await step('the client connects to an address that no host has', () =>
      failureOf(client.connect({ address: ABSENT, port: 80 })),
    );
    const entry = await client.must(['ip', 'neigh', 'show', ABSENT]);
    return { answer, entry: entry.trim().split(/\s+/).at(-1) };
  },
  expectations({ expect, facts, net: { client }, parameters: { requests } }) {
    const syn = { flags: 'S', daddr: ABSENT };
    const request = { proto: 'arp', arpOp: REQUEST } as const;
    expect.value('what connect() says', facts.answer).toBe('EHOSTUNREACH');
    expect.value('the state of the neighbour entry', facts.entry).toBe('FAILED');
    expect.connection({ server: ABSENT }).toHaveCause('next-hop-unreachable');
    // the host's own ICMP error tells its socket
    expect.trace(syn, { needs: 'functions' }).toHaveOutcome('rejected');
    expect.trace(syn).toPass('arp_error_report');
    // arp_error_report() ends by a jump to kfree_skb(), so that its caller is the place
    expect.trace(syn).toBeDroppedAt('neigh_invalidate', reasonSince('5.18', 'NEIGH_FAILED'));
    expect.trace(syn).toHaveCause('neighbour-failed');
    expect.trace(request).toBeSeen(requests);
    expect.trace({ proto: 'arp', arpOp: 2 }).toNotBeSeen();
    expect.counter('IcmpOutDestUnreachs', { on: client }).toRise(1);
    expect.counter('IcmpInDestUnreachs', { on: client }).toRise(1);
    expect.counter('TcpAttemptFails', { on: client }).toRise(1);
    expect.socket({ state: 'SYN_SENT', on: client }).toNotRemain();
  },
});
