import { BpfError, type NetnsSocket } from '#bpf-loader';
import { defineCase } from '../case.js';
import { CONNECTED_SILENTLY } from '../shared/tcp-repair.js';
import { decodeAddress, encodeAddress } from '../socket-address.js';

const PORT = 8000;
const OTHER_PORT = 8001;
const LOW = 20_000;
const TRIES = 100;
/** The search is compared with one in so small a part of the range. */
const PART = 4;

/** A call of connect(): its port, or why there is none, and the time that it took. */
interface Attempt {
  socket: NetnsSocket;
  port?: number;
  failure?: string;
  us: number;
}

/** What disturbs a call makes it longer, never shorter. */
function shortest(attempts: readonly Attempt[]): number {
  return Math.min(...attempts.map(({ us }) => us));
}

export default defineCase({
  name: 'ports-exhausted',
  group: 'ports',
  title: 'All local ports are used for one server: connect() searches them all and fails with EADDRNOTAVAIL',
  description: `A connection is told from others by both addresses and both ports. With one client address and one server port, there
are as many connections as ip_local_port_range has ports (28232 by default), those in TIME_WAIT included. The next connect() fails with
EADDRNOTAVAIL. No packet is sent, so nothing is to be seen in a capture or a trace, and the server notices nothing. Before it fails, connect()
looks at each port of the range, first those of one parity, then the others: that takes processor time within the system call, and
the fuller the range is, the longer each connect() searches: a client near its limit becomes slow before it fails.
Another port or address of the server can be reached from the same local ports, as the last step shows. More addresses on either side,
a wider range, or connections that are kept and used again are what helps.

Here the range has 1000 ports, and their connections are made by TCP_REPAIR, without packets. That it is the ports which are short
shows when one connection is closed: the next connect() gets just that port, and the one after it fails again. That each port is
looked at shows in the time: with a quarter of the range, as full, the search is over in a quarter of the time.`,
  parameters: { ports: { default: 1000, text: 'local ports', range: [500, 3000] } },
  requires: { modules: ['veth'] },
  network(net, { parameters: { ports } }) {
    const client = net.host('client', { sysctl: { 'net.ipv4.ip_local_port_range': `${LOW} ${LOW + ports - 1}` } });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { ports }, step }) {
    const to = encodeAddress({ address: server.address, port: PORT });
    const connect = (): Attempt => {
      const socket = client.tcp(CONNECTED_SILENTLY);
      const start = process.hrtime.bigint();
      const passed = () => Number(process.hrtime.bigint() - start) / 1000;
      try {
        socket.connect(to);
        const us = passed();
        return { socket, us, port: decodeAddress(socket.getName()).port };
      } catch (error) {
        const us = passed();
        socket.close();
        if (!(error instanceof BpfError)) throw error;
        return { socket, us, failure: error.code };
      }
    };
    const setRange = (count: number) =>
      client.setSysctl({ 'net.ipv4.ip_local_port_range': `${LOW} ${LOW + count - 1}` });
    const taken = await step(`the client connects ${ports} times`, () => Array.from({ length: ports }, connect));
    const before = await step('the client tries to connect once more', connect);
    const free = taken[ports >> 1];
    const again = await step('one connection is closed, and the client connects twice', () => {
      free?.socket.close();
      return [connect(), connect()];
    });
    const sizes = [ports, Math.trunc(ports / PART), 1];
    const full = sizes.map((): Attempt[] => []);
    await step(`the client tries to connect, ${TRIES} times each with all ports, a quarter of them, and one`, () => {
      const { stackTraceLimit } = Error;
      // making it takes longer than the search
      Error.stackTraceLimit = 0;
      try {
        for (let i = 0; i < TRIES; i++) {
          for (const [n, attempts] of full.entries()) {
            setRange(sizes[n] ?? 1);
            attempts.push(connect());
          }
        }
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
      setRange(ports);
    });
    const [all = 0, part = 0, one = 0] = full.map(shortest);
    const listener = server.listen({ port: OTHER_PORT });
    const other = await step('the client connects to another port of the server', () => client.connect(listener.local));
    return {
      usedPorts: new Set(taken.map(({ port }) => port)).size,
      failures: [before, ...full.flat()].map(({ failure }) => failure ?? 'none'),
      free: free?.port,
      again: again.map(({ port, failure }) => port ?? failure),
      all,
      one,
      // without what a call takes however many ports there are
      toPart: (all - one) / (part - one),
      isFromRange: other.local.port >= LOW && other.local.port < LOW + ports,
    };
  },
  expectations({ expect, facts, net: { client }, parameters: { ports } }) {
    const { all, one, toPart } = facts;
    expect.value('how many different ports the first calls get', facts.usedPorts).toBe(ports);
    expect.value('what the next calls say, in one word', [...new Set(facts.failures)].join(', ')).toBe('EADDRNOTAVAIL');
    expect
      .value('the port that is given back is got by the next call, and then none', facts.again)
      .toBe([facts.free, 'EADDRNOTAVAIL']);
    expect.value('connect() with only one port to look at fails after', one).toBeBetween(0.1, 20_000, 'µs');
    expect.value('connect() with all ports to look at fails after', all).toBeBetween(one, 500_000, 'µs');
    expect
      .value('the search in all ports takes so many times as long as in a quarter of them', toPart)
      .toBeBetween(2, 8);
    expect.value('another port of the server is reached from a port of the range', facts.isFromRange).toBe(true);
    expect.trace({ dport: PORT }).toNotBeSeen();
    expect.trace({ flags: 'S', dport: OTHER_PORT }).toBeSeen(1);
    expect.socket({ state: 'ESTABLISHED', on: client, peerPort: PORT }).toRemain(ports);
    expect.socket({ state: 'ESTABLISHED', on: client, peerPort: OTHER_PORT }).toRemain(1);
  },
});
