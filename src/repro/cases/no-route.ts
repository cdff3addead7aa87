import { defineCase } from '../case.js';
import { failureOf } from '../sockets.js';

export default defineCase({
  name: 'no-route',
  group: 'path',
  title: 'The sender has no route: ENETUNREACH, and no packet at all',
  description: `The host has a route for its own network, and no default route. connect() and sendto() to any other
address fail at once with ENETUNREACH ("Network is unreachable"): the route is looked up before a packet is made, so a
tracer or sniffer has nothing to show. What is left to see is the counter IpOutNoRoutes; ip route get ADDRESS asks the
same question.`,
  parameters: { address: { default: '192.0.2.1', text: 'address that there is no route to' } },
  requires: { modules: ['veth'] },
  network(net) {
    const sender = net.host('sender');
    net.link(sender, net.host('neighbour'));
    return { sender };
  },
  async play({ net: { sender }, parameters: { address }, step }) {
    const socket = sender.udp();
    const connect = await step('the sender connects', () => failureOf(sender.connect({ address, port: 80 })));
    const send = await step('it sends a datagram', () => failureOf(socket.send('hello', { address, port: 53 })));
    return { connect, send };
  },
  expectations({ expect, facts, net: { sender }, parameters: { address } }) {
    expect.value('what connect() says', facts.connect).toBe('ENETUNREACH');
    expect.value('what sendto() says', facts.send).toBe('ENETUNREACH');
    expect.trace({ daddr: address }).toNotBeSeen();
    expect.counter('IpOutNoRoutes', { on: sender }).toRise(2);
    expect.counter('IpOutRequests', { on: sender }).toStay();
    expect.socket({ state: 'SYN_SENT', on: sender }).toNotRemain();
  },
});
