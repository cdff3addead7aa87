import { defineCase } from '../case.js';
import { craftHost } from '../crafted/index.js';
import { craftedClientAndServer } from '../shared/client-and-server.js';
import { SYN_TSVAL } from '../shared/early-reset.js';

const FIRST_PORT = 41_000;
const LAST_CLIENT = 60_000;

export default defineCase({
  name: 'stray-connections-fill-accept-queue',
  group: 'handshake',
  title: '50 stray connections fill the accept queue, and the next SYN is dropped',
  description: `What becomes of stray connections in the end. A health checker's RSTs overtake its ACKs, and PAWS refuses
them for their timestamp of 0 (see rst-timestamp-zero-before-ack). Each leaves a connection in the accept queue of a server
whose application waits for data before it accepts, or is too slow. When the queue is full (one more than its limit) the kernel
drops the SYNs of real clients without an answer: they see timeouts, and the server is said to be down. ListenOverflows and
ListenDrops count it, ss -lnt shows a full queue, and ss -tn connections from the health checker that never end.`,
  parameters: {
    port: { default: 8000, text: 'port of the server', range: [1, 65_535] },
    strays: { default: 50, text: 'stray connections, which fill the queue', unit: 'connections', range: [1, 4000] },
  },
  requires: { modules: ['veth', 'af_packet'] },
  network: craftedClientAndServer,
  async play({ net: { client, server }, parameters: { port, strays }, step, until }) {
    server.listen({ port, backlog: strays - 1 });
    const checker = craftHost(client);
    await step(`${strays} handshakes whose RST with timestamp 0 overtakes the ACK`, async () => {
      for (let i = 0; i < strays; i++) {
        const tcp = checker.tcp({ port, sourcePort: FIRST_PORT + i, tsval: SYN_TSVAL });
        await tcp.syn();
        await tcp.synAck();
        tcp.rst({ tsval: 0 });
        tcp.ack({ tsval: SYN_TSVAL + 1 });
      }
      await until('all of them wait in the accept queue', async () => {
        const [listener] = (await server.sockets()).filter(({ state }) => state === 'LISTEN');
        return listener?.acceptQueue === strays;
      });
    });
    await step('the SYN of a real client', async () => {
      await checker.tcp({ port, sourcePort: LAST_CLIENT }).syn();
      await until('it is counted', () => server.counter('ListenOverflows') > 0);
    });
  },
  expectations({ expect, net: { server }, parameters: { port, strays } }) {
    const syn = { flags: 'S', sport: LAST_CLIENT };
    expect.trace({ flags: 'SA', sport: port }).toBeSeen();
    expect.trace(syn).toPass('tcp_v4_rcv');
    expect.trace(syn, { needs: 'functions' }).toHaveOutcome('dropped');
    expect.trace(syn, { needs: 'functions' }).toHaveCause('accept-queue-full');
    expect.trace({ flags: 'SA', dport: LAST_CLIENT }).toNotBeSeen();
    expect.counter('PAWSEstab', { on: server }).toRise(strays);
    expect.counter('ListenOverflows', { on: server }).toRise(1);
    expect.counter('ListenDrops', { on: server }).toRise(1);
    expect.socket({ state: 'ESTABLISHED', on: server, localPort: port }).toRemain(strays);
    expect.that('the accept queue is full', ({ sockets }) => {
      const listener = sockets.find(({ socket }) => socket.state === 'LISTEN')?.socket;
      return {
        ok: listener?.acceptQueue === strays && listener.acceptLimit === strays - 1,
        seen: `${listener?.acceptQueue} of ${listener?.acceptLimit}`,
      };
    });
  },
});
