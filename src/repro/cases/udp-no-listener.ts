import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { reasonSince, UDP_PLACE } from '../shared/drop-places.js';
import type { SocketError } from '../sockets.js';

const UNREACHABLE = 3;

export default defineCase({
  name: 'udp-no-listener',
  group: 'path',
  title: 'A datagram to a port that nobody listens on is answered with ICMP port unreachable',
  description: `The datagram reaches __udp4_lib_rcv, which finds no socket, has ICMP say so, and frees it. The sender
learns of it only if its socket is connected: the next call on it fails with ECONNREFUSED. An unconnected socket
hears nothing, which looks like a network that loses packets.`,
  parameters: { port: { default: 9000, text: 'port that is sent to', range: [1, 65535] } },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    const to = { address: server.address, port };
    const socket = client.udp();
    socket.connect(to);
    await step('the client sends a datagram', () => socket.send('hello', to));
    const answer = await step('and waits for an answer', () =>
      socket.receive().then(
        () => 'a datagram',
        (error: SocketError) => error.code,
      ),
    );
    return { answer };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const datagram = { proto: 'udp', dport: port } as const;
    expect.value('what the next call says', facts.answer).toBe('ECONNREFUSED');
    expect.trace(datagram).toPass('__icmp_send');
    expect.trace(datagram).toBeDroppedAt(UDP_PLACE, reasonSince('5.17', 'NO_SOCKET'));
    expect.trace(datagram, { needs: 'functions' }).toHaveOutcome('rejected');
    expect.trace(datagram).toHaveCause('no-listener');
    expect.trace({ proto: 'icmp', icmpType: UNREACHABLE }).toBeSeen(1);
    expect.counter('UdpNoPorts', { on: server }).toRise(1);
    expect.counter('IcmpInDestUnreachs', { on: client }).toRise(1);
  },
});
