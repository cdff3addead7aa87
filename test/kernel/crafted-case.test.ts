import { expect, it } from 'vitest';
import { byKernel, craftHost, defineCase, runCase } from '../../dist/repro/index.js';

const swapped = defineCase({
  name: 'swapped-by-hand',
  group: 'handshake',
  title: 'An RST with timestamp 0 overtakes the last ACK of its handshake',
  description: 'The RST is refused by PAWS, and the connection that the ACK makes stays behind.',
  requires: { modules: ['veth'] },
  network(net) {
    const [client, server] = [net.host('client'), net.host('server')];
    net.link(client, server, { bare: 'left' });
    return { client, server };
  },
  async play({ net: { client, server }, until }) {
    const listener = server.listen({ port: 8000 });
    const connection = craftHost(client).tcp({ port: 8000 });
    await connection.syn();
    await connection.synAck();
    connection.rst({ tsval: 0 });
    connection.ack();
    return { peer: (await until('the connection', () => listener.acceptNow())).peer, port: connection.sourcePort };
  },
  expectations({ expect, facts, net: { server } }) {
    expect.value('the port of the connection', facts.peer.port).toBe(facts.port);
    expect.socket('ESTABLISHED').toRemain(1);
    expect.counter('PAWSEstab', { on: server }).toRise(1);
    expect.counter('EmbryonicRsts', { on: server }).toStay();
    const reason = byKernel({ '<5.17': undefined, '5.17-6.14': 'NOT_SPECIFIED', '>=6.15': 'TCP_RFC7323_PAWS' });
    expect.trace({ flags: 'R' }).toBeDroppedAt('tcp_v4_rcv', reason);
    // nothing answered for the crafted client
    expect.trace({ flags: 'R', sport: 8000 }).toNotBeSeen();
  },
});

it('a case with a crafted host is played, traced and judged', async (ctx) => {
  const result = await runCase(swapped);
  ctx.skip(result.outcome === 'skipped', result.reason);
  expect(result.reason).toBeUndefined();
  expect(result.checks.filter(({ status }) => status === 'failed')).toEqual([]);
  expect(result.outcome).toBe('passed');
}, 300_000);
