import { byKernel, isInRange } from '../by-kernel.js';
import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

export default defineCase({
  name: 'udp-receive-buffer-full',
  group: 'queues',
  title: 'Datagrams for a UDP socket whose receive buffer is full are dropped',
  description: `Datagrams that the application has not read yet wait in the socket's receive buffer. What counts there
is not their data but the memory that they take (a datagram of one byte takes several hundred bytes), against SO_RCVBUF
(net.core.rmem_default where the application sets none). What does not fit is dropped: UdpRcvbufErrors and UdpInErrors
count it, the column "drops" of /proc/net/udp and ss -uamn show which socket it was, and the sender is told nothing. Here
nobody reads while datagrams are sent, and what is read afterwards is exactly what was not dropped, the oldest first. What
helps: read faster, or give the socket more (SO_RCVBUF up to net.core.rmem_max).`,
  parameters: {
    port: { default: 5000, text: 'port of the server', range: [1, 65535] },
    datagrams: { default: 40, text: 'how many are sent', range: [20, 1000] },
    size: { default: 100, text: 'of each', unit: 'bytes', range: [4, 1400] },
    buffer: { default: 4096, text: 'SO_RCVBUF of the server', unit: 'bytes', range: [1, 8192] },
  },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port, datagrams, size, buffer }, step, until }) {
    const receiver = server.udp({ port, options: { receiveBuffer: buffer } });
    const sender = client.udp();
    await step(`${datagrams} datagrams are sent, and nobody reads`, async () => {
      for (let i = 0; i < datagrams; i++) {
        const data = Buffer.alloc(size);
        data.writeUInt32BE(i);
        await sender.send(data, receiver.local);
      }
      await until('all have come', () => server.counter('IpInDelivers') >= datagrams);
    });
    const read = await step('the application reads', async () => {
      const numbers: number[] = [];
      for (let data = receiver.receiveNow(); data; data = receiver.receiveNow()) numbers.push(data.data.readUInt32BE());
      return numbers;
    });
    return { read };
  },
  expectations({ expect, facts: { read }, net: { server }, parameters: { port, datagrams }, version }) {
    const lost = datagrams - read.length;
    const datagram = { proto: 'udp', dport: port } as const;
    expect.value('some were read, and some were lost', read.length > 0 && lost > 0).toBe(true);
    expect
      .value(
        'the oldest ones were read',
        read.every((number, i) => number === i),
      )
      .toBe(true);
    expect.trace(datagram).toBeSeen(datagrams);
    expect
      .trace(datagram)
      .toBeDroppedAt('udp_queue_rcv_one_skb', byKernel({ '<5.17': undefined, else: 'SOCKET_RCVBUFF' }));
    expect.trace(datagram).toHaveOutcome('dropped');
    expect.trace(datagram).toHaveCause('socket-receive-buffer-full');
    expect.that('as many are dropped as were not read', ({ traces }) => {
      const dropped = traces.filter(({ verdict }) => verdict.cause === 'socket-receive-buffer-full').length;
      return { ok: dropped === lost, seen: `${dropped} are dropped, ${read.length} of ${datagrams} were read` };
    });
    expect.counter('UdpRcvbufErrors', { on: server }).toRise(lost);
    expect.counter('UdpInErrors', { on: server }).toRise(lost);
    expect.counter('UdpInDatagrams', { on: server }).toRise(read.length);
    if (isInRange(version, '>=5.11')) expect.counter('UdpMemErrors', { on: server }).toStay();
  },
});
