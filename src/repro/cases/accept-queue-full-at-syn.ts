import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { fillAcceptQueue } from '../shared/listen-queues.js';

export default defineCase({
  name: 'accept-queue-full-at-syn',
  group: 'queues',
  title: 'A SYN for a listener whose accept queue is full is thrown away',
  description: `Connections whose handshake has ended wait in the listener's accept queue until the application calls
accept(). The queue takes one more than listen() asked for (or than net.core.somaxconn allows). While it is full the
kernel does not answer a SYN at all: it frees it as if it had been taken, without a drop that a drop monitor would show,
and only ListenOverflows and ListenDrops count it. The client sends its SYN again after 1, 3, 7 ... seconds. Here a first
client gives up at once, and a second one waits; the application accepts one connection, and the second client's next
SYN is taken: its connect() took a second. To tell it from a firewall that drops: ss -lnt shows Recv-Q greater than
Send-Q. What helps: accept() faster, or a larger backlog and somaxconn.`,
  parameters: {
    port: { default: 8000, text: 'port of the listener', range: [1, 65535] },
    backlog: { default: 1, text: 'what listen() asks for', unit: 'connections', range: [1, 100] },
  },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play(context) {
    const { net, parameters, step, until } = context;
    const { client, server } = net;
    const listener = server.listen(parameters);
    const overflows = (count: number) => until('the SYN is counted', () => server.counter('ListenOverflows') === count);
    await step('connections that nobody accepts fill the queue', () =>
      fillAcceptQueue(context, listener, parameters.backlog + 1),
    );
    await step('a client sends a SYN, and gives up', async () => {
      const started = client.startConnection(listener.local, { from: { port: 41000 } });
      await overflows(1);
      started.close();
    });
    const late = await step('another one sends a SYN, and waits', async () => {
      const started = client.startConnection(listener.local, { from: { port: 41001 } });
      await overflows(2);
      return started;
    });
    await step('the application accepts one connection', () => listener.accept());
    await step('the SYN is sent again, and taken', () => late.done);
    return {};
  },
  expectations({ expect, net: { client, server }, parameters: { port, backlog } }) {
    const givenUp = { flags: 'S', dport: port, sport: 41000 };
    const late = { flags: 'S', dport: port, sport: 41001 };
    const full = `accept queue is full: ${backlog + 1} of ${backlog}`;
    expect.trace(givenUp).toPass('tcp_conn_request', { note: full });
    expect.trace(givenUp).toNotBeDropped();
    expect.trace(givenUp, { needs: 'functions' }).toHaveOutcome('dropped');
    expect.trace(givenUp, { needs: 'functions' }).toHaveCause('accept-queue-full');
    expect.trace(late).toPass('tcp_conn_request', { note: full });
    expect.trace({ flags: 'SA', sport: port, dport: 41000 }).toNotBeSeen();
    expect.trace({ flags: 'SA', sport: port, dport: 41001 }).toBeSeen(1);
    expect.that('the SYN-ACK comes a second after the first SYN', ({ traces }) => {
      const [syn] = traces.filter(({ tuple }) => tuple?.sport === 41001);
      const [answer] = traces.filter(({ tuple }) => tuple?.dport === 41001);
      const seconds = (answer?.start ?? 0) - (syn?.start ?? 0);
      return { ok: seconds > 0.9 && seconds < 2, seen: `it comes after ${seconds.toFixed(3)} s` };
    });
    expect.connection({ clientPort: 41000 }, { needs: 'functions' }).toHaveCause('syn-unanswered');
    expect.counter('ListenOverflows', { on: server }).toRise(2);
    expect.counter('ListenDrops', { on: server }).toRise(2);
    expect.counter('TCPSynRetrans', { on: client }).toRise(1);
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(backlog + 2);
    expect.socket({ state: 'ESTABLISHED', on: server, peerPort: 41000 }).toNotRemain();
  },
});
