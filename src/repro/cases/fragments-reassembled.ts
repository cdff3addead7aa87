import { defineCase } from '../case.js';
import { clientAndServer } from '../shared/client-and-server.js';

const BYTES = 3000;
const FRAGMENTS = 3;

export default defineCase({
  name: 'fragments-reassembled',
  group: 'path',
  title: 'A datagram larger than the MTU is sent in fragments, which the receiver puts together again',
  description: `The client's IP cuts the datagram up: one fragment with the UDP header, the others with data alone. The server
keeps them in a queue until all are there, and makes one packet of them, before the firewall's input chain and UDP see it (with
connection tracking even before prerouting). Each fragment but one ends there: it is no loss, its data goes on in another skb.
A capture shows the fragments, UdpInDatagrams counts one datagram.`,
  parameters: { port: { default: 5000, text: 'port of the server', range: [1, 65535] } },
  requires: { modules: ['veth'] },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step }) {
    const receiver = server.udp({ port });
    await step(`the client sends ${BYTES} bytes in one datagram`, () =>
      client.udp().send(Buffer.alloc(BYTES), { address: server.address, port }),
    );
    const { data } = await receiver.receive();
    return { received: data.length };
  },
  expectations({ expect, facts, net: { client, server } }) {
    const fragment = { proto: 'udp', saddr: client.address, daddr: server.address } as const;
    expect.value('bytes that arrive', facts.received).toBe(BYTES);
    expect.trace(fragment, { needs: 'functions' }).toHaveCause('fragments-reassembled');
    expect.trace(fragment, { needs: 'functions' }).toHaveOutcome('merged');
    expect.counter('IpFragCreates', { on: client }).toRise(FRAGMENTS);
    expect.counter('IpReasmReqds', { on: server }).toRise(FRAGMENTS);
    expect.counter('IpReasmOKs', { on: server }).toRise(1);
    expect.counter('IpReasmFails', { on: server }).toStay();
    expect.counter('UdpInDatagrams', { on: server }).toRise(1);
  },
});
