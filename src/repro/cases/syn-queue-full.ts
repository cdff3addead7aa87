import { defineCase } from '../case.js';
import { fillSynQueue, networkWithSilentAddress, SILENT_ADDRESS } from '../shared/listen-queues.js';

export default defineCase({
  name: 'syn-queue-full',
  group: 'queues',
  title: 'A SYN for a listener whose SYN queue is full, without SYN cookies, is thrown away',
  description: `Each handshake that waits for its last ACK is a request (SYN_RECV) in the listener's SYN queue, which
holds as many as listen() asked for (on newer kernels one more). Clients that never send the ACK (a SYN flood from forged addresses, or SYN-ACKs that
are lost on their way back) keep their places until the SYN-ACK has been sent tcp_synack_retries times. With
net.ipv4.tcp_syncookies=0 every other SYN is then thrown away, without an answer and without a drop that a drop monitor
would show: TCPReqQFullDrop and ListenDrops count it, ListenOverflows does not. The silent clients here have an address
that the server reaches nobody at. What helps: SYN cookies, a larger backlog.`,
  parameters: {
    port: { default: 8000, text: 'port of the listener', range: [1, 65535] },
    backlog: { default: 2, text: 'what listen() asks for', unit: 'connections', range: [1, 100] },
  },
  requires: { modules: ['veth'] },
  network: (net) => networkWithSilentAddress(net, 0),
  async play(context) {
    const { net, step, until } = context;
    const { listener, requests, refused } = await fillSynQueue(context);
    await step('one more client sends its SYN, and gives up', async () => {
      const started = net.client.startConnection(listener.local, { from: { port: 41000 } });
      await until('the SYN is counted', () => net.server.counter('TCPReqQFullDrop') > refused);
      started.close();
    });
    return { requests, refused };
  },
  expectations({ expect, facts: { requests, refused }, net: { server }, parameters: { port } }) {
    const syn = { flags: 'S', dport: port, sport: 41000 };
    expect.trace(syn).toPass('tcp_conn_request', { socket: { synQueue: requests, synQueueAfter: requests } });
    expect.trace(syn).toNotBeDropped();
    expect.trace(syn, { needs: 'functions' }).toHaveOutcome('dropped');
    expect.trace(syn, { needs: 'functions' }).toHaveCause('syn-queue-full');
    expect.trace({ sport: port, dport: 41000 }).toNotBeSeen();
    expect.trace({ flags: 'SA', daddr: SILENT_ADDRESS }).toBeSeen();
    expect.connection({ clientPort: 41000 }, { needs: 'functions' }).toHaveCause('syn-unanswered');
    expect.counter('TCPReqQFullDrop', { on: server }).toRise(1 + refused);
    expect.counter('ListenDrops', { on: server }).toRise(1 + refused);
    expect.counter('ListenOverflows', { on: server }).toStay();
    expect.counter('SyncookiesSent', { on: server }).toStay();
    expect.socket({ state: 'SYN_RECV', on: server, peer: SILENT_ADDRESS }).toRemain(requests);
    expect.socket({ state: 'SYN_RECV', on: server, peerPort: 41000 }).toNotRemain();
  },
});
