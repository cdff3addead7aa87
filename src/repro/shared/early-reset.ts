/** What the cases have in common in which a health checker's RST overtakes the last ACK of its handshake. */
import { byKernel } from '../by-kernel.js';
import type { PlayContext } from '../case.js';
import { craftHost, type SegmentOptions } from '../crafted/index.js';
import type { Expect } from '../expect.js';
import type { Host } from '../host.js';
import { findLayer } from '../packet/index.js';
import type { ParameterDefinitions } from '../parameters.js';
import type { ClientAndServer } from './client-and-server.js';

export const CLIENT_PORT = 41_000;
export const ISN = 1000;
/** The SYN's timestamp: ts_recent of the request. */
export const SYN_TSVAL = 100_000;

export const PARAMETERS = {
  port: { default: 8000, text: 'port of the server', range: [1, 65_535] },
} as const satisfies ParameterDefinitions;

interface Early {
  context: Pick<PlayContext<typeof PARAMETERS, ClientAndServer>, 'net' | 'parameters' | 'step'>;
  /** What the RST has otherwise than the next segment would. */
  reset: SegmentOptions;
  /** The ACK is taken, and makes the connection. */
  establishes: boolean;
}

/** SYN, SYN-ACK, then the RST, then the ACK that it has overtaken. Returns the flags of the answer to that ACK. */
export async function playEarlyReset({ context, reset, establishes }: Early): Promise<string | undefined> {
  const { net, parameters, step } = context;
  const { client, server } = net;
  server.listen({ port: parameters.port });
  const checker = craftHost(client);
  const tcp = checker.tcp({ port: parameters.port, sourcePort: CLIENT_PORT, isn: ISN, tsval: SYN_TSVAL });
  await step('SYN, and its SYN-ACK', async () => {
    await tcp.syn();
    await tcp.synAck();
  });
  await step('the RST, which has overtaken the ACK', () => tcp.rst({ seq: tcp.nextSeq, ...reset }));
  return await step('the ACK', async () => {
    tcp.ack({ tsval: SYN_TSVAL + 1 });
    if (establishes) {
      await server.untilSocket({ state: 'ESTABLISHED', peerPort: CLIENT_PORT });
      return undefined;
    }
    return findLayer((await tcp.receive({ flags: 'R' })).layers, 'tcp')?.flags;
  });
}

const client = { sport: CLIENT_PORT };
/** The kernel's reason where it says only that there is one. */
const NOT_SPECIFIED = { '<5.17': undefined, else: 'NOT_SPECIFIED' } as const;

/** The RST did its work: the request is gone, and the ACK finds nothing. */
export function expectResetWorked(expect: Expect, server: Host): void {
  const rst = { ...client, flags: 'R' };
  const ack = { ...client, flags: 'A' };
  expect.trace(rst).toBeDroppedAt('tcp_v4_rcv', byKernel(NOT_SPECIFIED));
  expect.trace(rst).toPass('tcp_check_req', { socket: { tsRecent: SYN_TSVAL, requestLeft: false } });
  expect.trace(rst, { needs: 'functions' }).toHaveOutcome('worked');
  expect.trace(rst, { needs: 'functions' }).toHaveCause('rst-did-its-work');
  expect
    .trace(ack)
    .toBeDroppedAt('tcp_v4_do_rcv', byKernel({ '<5.17': undefined, '<6.12': 'NOT_SPECIFIED', else: 'TCP_FLAGS' }));
  expect.trace(ack).toPass('tcp_v4_send_reset');
  expect.counter('EmbryonicRsts', { on: server }).toRise(1);
  expect.counter('PAWSEstab', { on: server }).toStay();
  expect.socket({ peerPort: CLIENT_PORT }).toNotRemain();
}

/** The RST was refused, and the ACK made a connection that nobody on the other side knows of. */
export function expectStrayConnection(expect: Expect, server: Host): void {
  const rst = { ...client, flags: 'R' };
  expect
    .trace(rst)
    .toBeDroppedAt('tcp_v4_rcv', byKernel({ '<5.17': undefined, '<6.15': 'NOT_SPECIFIED', else: 'TCP_RFC7323_PAWS' }));
  expect.trace(rst).toPass('tcp_check_req', { socket: { tsRecent: SYN_TSVAL, requestLeft: true } });
  expect.trace(rst, { needs: 'functions' }).toHaveOutcome('dropped');
  expect.trace(rst, { needs: 'functions' }).toHaveCause('paws-reject-in-handshake');
  expect.trace({ ...client, flags: 'A' }).toNotBeDropped();
  expect.counter('PAWSEstab', { on: server }).toRise(1);
  expect.counter('EmbryonicRsts', { on: server }).toStay();
  expect.socket({ state: 'ESTABLISHED', on: server, peerPort: CLIENT_PORT }).toRemain(1);
  expect.connection({ clientPort: CLIENT_PORT }, { needs: 'functions' }).toHaveOutcome('stray');
}
