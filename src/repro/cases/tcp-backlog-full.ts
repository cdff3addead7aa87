import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { LOCK_HOLDER } from '../shared/lock-holder.js';

const SOL_IP = 0;
const IP_TOS = 1;

export default defineCase({
  name: 'tcp-backlog-full',
  group: 'queues',
  title: 'Segments for a socket that the application has locked fill its backlog, and are dropped',
  description: `While a system call works on a TCP socket it holds the socket's lock, and segments that come meanwhile
are put aside, on the socket's backlog, to be dealt with when the lock is released. The backlog has a limit, made of receive
and send buffer and 64 KiB; what counts is the memory that segments take. What comes beyond it is dropped (TCPBacklogDrop),
whatever it is, and the sender has to send it again. Calls are usually short, so this happens with many small segments while
an application copies into memory that is not there: pages that must come from swap or from a slow disk. Here a server's
recv() waits inside the kernel for its page (userfaultfd), and a client sends small segments. The kernel joins segments in
the backlog where it can; the client changes the TOS with each, so that it cannot. What helps: larger buffers, memory that
is there (mlock), fewer and larger segments.`,
  parameters: {
    port: { default: 8000, text: 'port of the server', range: [1, 65535] },
    segments: { default: 200, text: 'of one byte, sent while the socket is locked', range: [150, 500] },
  },
  requires: { modules: ['veth'], tools: ['python3'] },
  patienceMs: 5000,
  network(net) {
    // no ACK comes while the socket is locked: all that is sent then must fit into the first window
    const client = net.host('client', { ip: ['route change 10.0.0.0/24 dev eth0 src 10.0.0.1 initcwnd 1000'] });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port, segments }, step, until }) {
    const holder = await step('the server starts', async () => {
      const started = server.start(['python3', '-IS', '-c', LOCK_HOLDER, server.address, String(port)]);
      await started.output(/listening/);
      return started;
    });
    const sender = await step('a client connects', async () => {
      const connection = await client.connect(
        { address: server.address, port },
        { from: { port: 41000 }, options: { noDelay: true } },
      );
      await holder.output(/accepted/);
      return connection;
    });
    await step('the server receives, and holds the lock', async () => {
      await sender.send('x');
      await holder.output(/holding/);
    });
    await step(`the client sends ${segments} segments`, async () => {
      for (let i = 0; i < segments; i++) {
        sender.socket.setOption(SOL_IP, IP_TOS, i % 2 === 0 ? 0x08 : 0x10);
        await sender.send('y');
      }
      await until('segments are dropped', () => server.counter('TCPBacklogDrop') > 0);
    });
    const said = await step('the lock is released, and all is received in the end', async () => {
      holder.kill('SIGUSR1');
      sender.shutdown();
      return (await holder.ended).stdout;
    });
    return { received: Number(/received (\d+)/.exec(said)?.[1]) };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port, segments } }) {
    const segment = { sport: 41000, dport: port };
    expect.value('bytes that the server received in the end', facts.received).toBe(segments + 1);
    expect.trace(segment).toPass('tcp_add_backlog', { note: 'backlog of the socket' });
    expect.trace(segment).toBeDroppedAt('tcp_v4_rcv', byKernel({ '<5.17': undefined, else: 'SOCKET_BACKLOG' }));
    expect.trace(segment).toHaveCause('socket-backlog-full');
    expect.that('each drop at tcp_v4_rcv is counted by TCPBacklogDrop', ({ traces, counter }) => {
      const drops = traces
        .flatMap(({ events }) => events)
        .filter(({ drop }) => drop?.location.startsWith('tcp_v4_rcv')).length;
      const counted = counter('TCPBacklogDrop', server.name);
      return { ok: drops > 0 && drops === counted, seen: `${drops} drops, and it rose by ${counted}` };
    });
    expect.counter('TcpRetransSegs', { on: client }).toRiseAtLeast(1);
    expect.counter('TCPRcvQDrop', { on: server }).toStay();
  },
});
