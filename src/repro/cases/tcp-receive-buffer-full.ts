import { isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const DROPPERS = /^tcp_(data_queue|rcv_established)\+/;

export default defineCase({
  name: 'tcp-receive-buffer-full',
  group: 'queues',
  title: 'TCP data that was offered a window finds no memory in the receive buffer, and is dropped',
  description: `A TCP receiver promises room by its window, and usually keeps the promise: a full buffer closes the window
(see zero-window) and nothing is dropped. But the window counts bytes of data while the buffer counts the memory that
packets take, and the buffer can become smaller after the promise: by SO_RCVBUF, as here, or when memory of all TCP sockets
is short (tcp_mem). Data in the window is then dropped in tcp_data_queue (TCPRcvQDrop), and the sender sends it again until
the application has read. What helps: read, leave SO_RCVBUF alone and let the kernel size the buffer (tcp_rmem).`,
  parameters: {
    port: { default: 8000, text: 'port of the server', range: [1, 65535] },
    first: { default: 30_000, text: 'sent while there is room, and not read', unit: 'bytes', range: [20_000, 40_000] },
    second: { default: 8000, text: 'sent when the buffer is smaller', unit: 'bytes', range: [6000, 10_000] },
  },
  requires: { modules: ['veth'] },
  network(net) {
    const client = net.host('client');
    const server = net.host('server', { sysctl: { 'net.ipv4.tcp_moderate_rcvbuf': 0 } });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port, first, second }, step, until }) {
    const listener = server.listen({ port });
    const sender = await step('a client connects', () => client.connect(listener.local, { from: { port: 41000 } }));
    const receiver = await listener.accept();
    const queueOf = async (port: number) =>
      (await server.sockets()).find(({ state, tuple }) => state !== 'LISTEN' && tuple.sport === port)?.recvQueue;
    await step(`it sends ${first} bytes, which nobody reads`, async () => {
      await sender.send(Buffer.alloc(first, 'a'));
      await until('they wait to be read', async () => (await queueOf(port)) === first);
    });
    await step('the application makes its receive buffer small', () =>
      receiver.socket.setOption(SOL_SOCKET, SO_RCVBUF, 4096),
    );
    await step(`the client sends ${second} bytes more, in the window that it was offered`, async () => {
      await sender.send(Buffer.alloc(second, 'b'));
      await until('the drop is counted', () => server.counter('TCPRcvQDrop') > 0);
    });
    const waited = await queueOf(port);
    const received = await step(
      'the application reads',
      async () => (await receiver.receiveBytes(first + second)).length,
    );
    return { waited, received };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port, first, second }, version }) {
    expect.value('bytes that wait to be read after the drop', facts.waited).toBe(first);
    expect.value('bytes that the application reads in the end', facts.received).toBe(first + second);
    expect.trace({ dport: port }).toPass('tcp_try_rmem_schedule', { note: 'no room in the receive buffer' });
    // before 5.17 TCP frees what it drops without telling; tcp_data_queue may be inlined into its caller
    if (isInRange(version, '>=5.17'))
      expect.that(
        'segments are dropped there for PROTO_MEM, and each is counted by TCPRcvQDrop or TCPOFODrop',
        (observed) => {
          const drops = observed.traces
            .flatMap(({ events }) => events.flatMap(({ drop }) => drop ?? []))
            .filter(({ reason, location }) => reason === 'PROTO_MEM' && DROPPERS.test(location)).length;
          const [inOrder = 0, behindGap = 0] = ['TCPRcvQDrop', 'TCPOFODrop'].map((name) =>
            observed.counter(name, server.name),
          );
          return {
            ok: drops > 0 && drops === inOrder + behindGap,
            seen: `${drops} drops; TCPRcvQDrop rose by ${inOrder}, TCPOFODrop by ${behindGap}`,
          };
        },
      );
    expect.counter('TCPRcvQDrop', { on: server }).toRiseAtLeast(1);
    expect.counter('TcpRetransSegs', { on: client }).toRiseAtLeast(1);
    expect.connection({ serverPort: port }).toHaveCause('connection-open');
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
  },
});
