import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

/** Of tcpdump's last words. */
function lastCount(text: string, what: string): number {
  return Number(new RegExp(`(\\d+) packets? ${what}`).exec(text)?.[1] ?? Number.NaN);
}

export default defineCase({
  name: 'tcpdump-ring-full',
  group: 'queues',
  title: 'tcpdump reports packets "dropped by kernel": its ring was full, and nothing else was lost',
  description: `tcpdump reads packets from a ring that it shares with the kernel (-B sets its size). While it does not
get to run, because it writes to a slow disk or resolves names, the ring fills, and the kernel has no room for its copies:
they are what tcpdump counts as "dropped by kernel" in its last lines. The packets themselves reach their receiver. Here
tcpdump is stopped while datagrams are sent. Where functions are traced tpacket_rcv tells of each packet that the ring had
no room for it. What helps: a larger -B, -n, -w to a fast disk, a filter, a smaller snapshot length (-s).`,
  parameters: {
    port: { default: 5000, text: 'port that is sent to', range: [1, 65535] },
    datagrams: { default: 300, text: 'how many are sent while tcpdump is stopped', range: [250, 1000] },
    buffer: { default: 32, text: "tcpdump's -B", unit: 'KiB', range: [16, 128] },
  },
  requires: { modules: ['veth', 'af_packet'], tools: ['tcpdump'] },
  trace: ['pkt'],
  patienceMs: 5000,
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port, datagrams, buffer }, step, until }) {
    const receiver = server.udp({ port });
    const sender = client.udp();
    const tcpdump = await step('tcpdump begins', async () => {
      const options = ['-Z', 'root', '-n', '-i', 'eth0', '-B', String(buffer), '-w', '/dev/null'];
      const started = server.start(['tcpdump', ...options, 'udp', 'port', String(port)]);
      await started.output(/listening on/);
      return started;
    });
    await step('tcpdump is stopped', async () => {
      tcpdump.kill('SIGSTOP');
      await until('tcpdump does not run', () => tcpdump.state === 'T');
    });
    const received = await step(`${datagrams} datagrams are sent and received`, async () => {
      let count = 0;
      for (; count < datagrams; count++) {
        await sender.send(Buffer.alloc(1400), receiver.local);
        await receiver.receive();
      }
      return count;
    });
    const said = await step('tcpdump goes on, and ends by Ctrl-C', async () => {
      tcpdump.kill('SIGCONT');
      return (await tcpdump.stop('SIGINT')).stderr;
    });
    return {
      captured: lastCount(said, 'captured'),
      seen: lastCount(said, 'received by filter'),
      dropped: lastCount(said, 'dropped by kernel'),
      received,
    };
  },
  expectations({ expect, facts, net: { server }, parameters: { port, datagrams } }) {
    const { captured, seen, dropped, received } = facts;
    const datagram = { proto: 'udp', dport: port } as const;
    const missed = 'the ring of the packet socket had no room for its copy';
    expect.value('datagrams that the application received', received).toBe(datagrams);
    expect.value('what tcpdump says came by its filter', seen).toBe(datagrams);
    expect.value('tcpdump says that some were dropped by kernel', dropped > 0 && dropped < datagrams).toBe(true);
    expect.that('for each of them tpacket_rcv tells of the ring', ({ traces, noFunctions }) => {
      if (noFunctions !== undefined) return { invisible: noFunctions };
      const counted = traces.filter(({ events }) =>
        events.some(({ func, notes }) => func === 'tpacket_rcv' && notes.some(({ text }) => text === missed)),
      ).length;
      return {
        ok: counted === dropped,
        seen: `${counted} traces, and tcpdump counted ${dropped} (captured ${captured})`,
      };
    });
    expect.trace(datagram).toNotBeDropped();
    expect
      .trace(datagram, { needs: 'functions' })
      .toSatisfy(
        'was missed by tcpdump, and delivered',
        ({ verdict }) => verdict.outcome === 'delivered' && verdict.facts.includes('packet-ring-full'),
      );
    expect.counter('UdpInDatagrams', { on: server }).toRise(datagrams);
    expect.counter('UdpInErrors', { on: server }).toStay();
  },
});
