import { defineCase } from '../case.js';
import { fillSynQueue, networkWithSilentAddress, SILENT_ADDRESS } from '../shared/listen-queues.js';

export default defineCase({
  name: 'syn-cookies',
  group: 'queues',
  title: 'The SYN queue is full, and SYN cookies are on: the connection is made from a cookie',
  description: `As in syn-queue-full requests of clients that never answer fill the SYN queue. With
net.ipv4.tcp_syncookies=1, the default, the kernel still answers: it packs what it has to know into the sequence number of
the SYN-ACK (the cookie), and keeps no request at all. SyncookiesSent and TCPReqQFullDoCookies count it, and the log says
"possible SYN flooding". When the ACK brings the cookie back, the kernel makes the socket from it (SyncookiesRecv); if it
does not, SyncookiesFailed counts. The connection works, but options of the SYN survive only as far as the timestamp has
room for them, and a SYN-ACK that is lost is not sent again. The client notices nothing.`,
  parameters: {
    port: { default: 8000, text: 'port of the listener', range: [1, 65535] },
    backlog: { default: 2, text: 'what listen() asks for', unit: 'connections', range: [1, 100] },
  },
  requires: { modules: ['veth'] },
  network: (net) => networkWithSilentAddress(net, 1),
  async play(context) {
    const { net, step } = context;
    const { listener, requests, refused } = await fillSynQueue(context);
    const client = await step('one more client connects', () =>
      net.client.connect(listener.local, { from: { port: 41000 } }),
    );
    const server = await step('the application accepts', () => listener.accept());
    const text = await step('the client sends data', async () => {
      await client.send('hello');
      return (await server.receive()).toString();
    });
    return { text, requests, refused };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const { requests, refused } = facts;
    const syn = { flags: 'S', dport: port, sport: 41000 };
    const ack = { flags: 'A', dport: port, sport: 41000, payload: 0 };
    expect.value('what the server receives', facts.text).toBe('hello');
    expect.trace(syn).toPass('tcp_conn_request', { socket: { synQueue: requests, synQueueAfter: requests } });
    expect.trace(syn).toPass('cookie_v4_init_sequence', { note: 'a SYN cookie is the answer' });
    expect.trace(syn, { needs: 'functions' }).toHaveOutcome('rejected');
    expect.trace(syn, { needs: 'functions' }).toHaveCause('syn-cookie-sent');
    expect.trace({ flags: 'SA', sport: port, dport: 41000 }).toBeSeen(1);
    expect.trace(ack).toPass('cookie_v4_check');
    expect.trace(ack).toHaveOutcome('delivered');
    expect.counter('SyncookiesSent', { on: server }).toRise(1 + refused);
    expect.counter('SyncookiesRecv', { on: server }).toRise(1);
    expect.counter('SyncookiesFailed', { on: server }).toStay();
    expect.counter('TCPReqQFullDoCookies', { on: server }).toRise(1 + refused);
    expect.counter('ListenDrops', { on: server }).toStay();
    expect.socket({ state: 'SYN_RECV', on: server, peer: SILENT_ADDRESS }).toRemain(requests);
    expect.socket({ state: 'ESTABLISHED', on: server, peerPort: 41000 }).toRemain(1);
    expect.socket({ state: 'ESTABLISHED', on: client, localPort: 41000 }).toRemain(1);
  },
});
