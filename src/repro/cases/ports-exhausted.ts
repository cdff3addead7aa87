import { BpfError } from '#bpf-loader';
import { defineCase } from '../case.js';
import { CONNECTED_SILENTLY } from '../shared/tcp-repair.js';
import { encodeAddress } from '../socket-address.js';

const PORT = 8000;
const OTHER_PORT = 8001;
const LOW = 20_000;
const TRIES = 5;

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
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

Here the range has 1000 ports, and their connections are made by TCP_REPAIR, without packets.`,
  parameters: { ports: { default: 1000, text: 'local ports', range: [100, 3000] } },
  requires: { modules: ['veth'] },
  network(net, { parameters: { ports } }) {
    const client = net.host('client', { sysctl: { 'net.ipv4.ip_local_port_range': `${LOW} ${LOW + ports - 1}` } });
    const server = net.host('server');
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, parameters: { ports }, step }) {
    const to = encodeAddress({ address: server.address, port: PORT });
    const failures: string[] = [];
    const connectUs = () => {
      const socket = client.tcp(CONNECTED_SILENTLY);
      const start = process.hrtime.bigint();
      let end: bigint;
      try {
        socket.connect(to);
        end = process.hrtime.bigint();
      } catch (error) {
        end = process.hrtime.bigint();
        if (!(error instanceof BpfError)) throw error;
        failures.push(error.code);
        socket.close();
      }
      return Number(end - start) / 1000;
    };
    const times = await step(`the client connects ${ports} times`, () => Array.from({ length: ports }, connectUs));
    const failuresBefore = failures.length;
    const search = await step(`the client tries to connect ${TRIES} times more`, () =>
      Array.from({ length: TRIES }, connectUs),
    );
    const listener = server.listen({ port: OTHER_PORT });
    const other = await step('the client connects to another port of the server', () => client.connect(listener.local));
    return {
      failuresBefore,
      failures,
      first: median(times.slice(0, 50)),
      last: median(times.slice(-10)),
      search: median(search),
      isFromRange: other.local.port >= LOW && other.local.port < LOW + ports,
    };
  },
  expectations({ expect, facts, net: { client }, parameters: { ports } }) {
    const { first, last, search } = facts;
    expect.value('how many of the first calls fail', facts.failuresBefore).toBe(0);
    expect.value('what the next calls say', facts.failures).toBe(Array(TRIES).fill('EADDRNOTAVAIL'));
    expect.value('connect() with all ports free takes', first).toBeBetween(0.1, 20_000, 'µs');
    expect.value('connect() with the last ten ports free takes', last).toBeBetween(first / 2, 100_000, 'µs');
    expect
      .value('connect() with no port free takes longer than with all ports free:', search)
      .toBeBetween(first, 500_000, 'µs');
    expect.value('another port of the server is reached from a port of the range', facts.isFromRange).toBe(true);
    expect.trace({ dport: PORT }).toNotBeSeen();
    expect.trace({ flags: 'S', dport: OTHER_PORT }).toBeSeen(1);
    expect.socket({ state: 'ESTABLISHED', on: client, peerPort: PORT }).toRemain(ports);
    expect.socket({ state: 'ESTABLISHED', on: client, peerPort: OTHER_PORT }).toRemain(1);
  },
});
