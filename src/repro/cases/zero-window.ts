import type { SkbTrace } from '../../types.js';
import { byKernel, isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';

/** Seconds: the first probe comes after the RTO, at least 200 ms, the next after twice that; a little less for the clock's ticks. */
const FIRST_GAP = 0.38;

export default defineCase({
  name: 'zero-window',
  group: 'time',
  title: 'The receiver does not read: its window closes, and the sender probes it until it opens',
  description: `What the application does not read stays in the socket's receive buffer, and the window that each ACK
offers shrinks with it, to zero at last (TCPToZeroWindowAdv). The sender then has data and may send none of it. As the ACK
that opens the window again could be lost, it sends probes: segments without data, one sequence number below the next, to
which the receiver must answer (TCPWinProbe counts them). They come after 200 ms and then each time twice as late, up to
two minutes, as long as they are answered. As soon as the application has read enough, an ACK with a new window
(TCPFromZeroWindowAdv) lets the rest through. ss -tm shows Recv-Q of the receiver and the timer "persist" at the sender:
the network is fine, the application is slow. Nothing is lost here, and no data is sent twice. The receiver frees the
probes as it frees dropped packets (TCP_OLD_SEQUENCE on newer kernels): a drop monitor shows losses that are none.`,
  parameters: {
    port: { default: 8000, text: 'port of the server', range: [1, 65535] },
    probes: { default: 3, text: 'how many probes are waited for before the application reads', range: [2, 6] },
    bytes: { default: 300_000, text: 'how much is sent', unit: 'bytes', range: [200_000, 2_000_000] },
  },
  requires: { modules: ['veth'] },
  network(net) {
    // a loss probe would send data again that is only acknowledged late
    const client = net.host('client', { sysctl: { 'net.ipv4.tcp_early_retrans': 0 } });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { port, probes, bytes }, step, until }) {
    const listener = server.listen({ port, options: { receiveBuffer: 8192 } });
    const sender = await step('the client connects', () =>
      client.connect(listener.local, { from: { port: 41000 }, options: { sendBuffer: 4_000_000 } }),
    );
    const receiver = await listener.accept();
    const sent = await step('it sends more than the receive buffer holds', () =>
      sender.sendSome(Buffer.alloc(bytes, 'x')),
    );
    await step('the window is closed, and probed', () =>
      until('the probes are counted', () => client.counter('TCPWinProbe') >= probes),
    );
    const waiting = (await client.sockets()).find(({ tuple }) => tuple.sport === 41000)?.sendQueue ?? 0;
    const received = await step('the application reads', async () => (await receiver.receiveBytes(sent)).length);
    await until('all is acknowledged', async () =>
      (await client.sockets()).every(({ tuple, sendQueue }) => tuple.sport !== 41000 || sendQueue === 0),
    );
    return { sent, waiting, received };
  },
  expectations({
    expect,
    facts: { sent, waiting, received },
    net: { client, server },
    parameters: { port, probes },
    version,
  }) {
    // where a segment begins, in the socket, its window is not written yet
    const tcpOf = (trace: SkbTrace) => trace.events.findLast(({ tcp }) => tcp)?.tcp;
    const isClosed = { text: 'with window 0', test: (trace: SkbTrace) => tcpOf(trace)?.win === 0 };
    expect.value('data waits at the sender while the window is closed', waiting > 0).toBe(true);
    expect.value('bytes that the application received', received).toBe(sent);
    expect.trace({ flags: 'A', sport: port, where: isClosed }).toBeSeen();
    expect.that(
      `probes repeat the number before the next, and each pause is twice as long, or longer`,
      ({ traces }) => {
        const closed = traces.find((trace) => trace.tuple?.sport === port && isClosed.test(trace));
        const next = closed && tcpOf(closed)?.ack;
        const times = traces
          .filter(
            (trace) => trace.tuple?.dport === port && next !== undefined && tcpOf(trace)?.seq === (next - 1) >>> 0,
          )
          .filter((trace) => tcpOf(trace)?.payload === 0 && tcpOf(trace)?.flags === 'A')
          .map(({ start }) => start);
        const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
        // the kernel's timers are never early: each is held against what it says, not against one before that may have been late
        const isLate = gaps.every((gap, i) => gap >= FIRST_GAP * 2 ** i);
        return {
          ok: times.length >= probes && isLate,
          measured: true,
          seen: `gaps of ${gaps.map((gap) => gap.toFixed(3)).join(', ')} s`,
        };
      },
    );
    expect.trace({ sport: 41000, flags: 'A', payload: 0 }, { needs: 'functions' }).toHaveCause('probe-answered');
    // before 5.17 TCP frees what it drops without telling
    if (isInRange(version, '>=5.17'))
      expect
        .trace({ sport: 41000, flags: 'A', payload: 0 })
        .toBeDroppedAt('tcp_validate_incoming', byKernel({ '<6.6': 'TCP_INVALID_SEQUENCE', else: 'TCP_OLD_SEQUENCE' }));
    const hasData = { text: 'with data', test: (trace: SkbTrace) => (tcpOf(trace)?.payload ?? 0) > 0 };
    expect.trace({ dport: port, where: hasData }).toNotBeDropped();
    expect.counter('TCPWinProbe', { on: client }).toRiseAtLeast(probes);
    expect.counter('TCPToZeroWindowAdv', { on: server }).toRise();
    expect.counter('TCPFromZeroWindowAdv', { on: server }).toRise();
    expect.counter('TcpRetransSegs').toStay();
    expect.counter('TCPRcvQDrop').toStay();
    expect.socket({ state: 'ESTABLISHED', on: server }).toRemain(1);
  },
});
