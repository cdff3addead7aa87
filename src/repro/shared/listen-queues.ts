import type { PlayContext } from '../case.js';
import type { Host, HostOptions } from '../host.js';
import type { Network } from '../network.js';
import type { ParameterDefinitions } from '../parameters.js';
import type { Connection, Listener } from '../sockets.js';

/** What the cases about a listener's queues have in common: a client, a server, a port and a backlog. */
interface QueueContext extends Pick<PlayContext<ParameterDefinitions, unknown>, 'step' | 'until'> {
  net: { client: Host; server: Host };
  parameters: { port: number; backlog: number };
}

/** Connections that wait in the listener's accept queue, as `ss -lnt` shows them in Recv-Q. */
async function acceptQueueLength(server: Host, { port }: Listener): Promise<number> {
  const sockets = await server.sockets();
  return sockets.find(({ state, tuple }) => state === 'LISTEN' && tuple.sport === port)?.acceptQueue ?? 0;
}

/** Handshakes that wait for their last ACK. */
async function requestCount(server: Host): Promise<number> {
  const sockets = await server.sockets();
  return sockets.filter(({ state }) => state === 'SYN_RECV').length;
}

/** Connects so many times, and returns when all of them wait to be accepted. */
export async function fillAcceptQueue(
  { net: { client, server }, until }: Pick<QueueContext, 'net' | 'until'>,
  listener: Listener,
  count: number,
): Promise<void> {
  const before = await acceptQueueLength(server, listener);
  for (let i = 0; i < count; i++) await client.connect(listener.local);
  // a client has connected before its ACK has reached the server
  await until('the accept queue is filled', async () => (await acceptQueueLength(server, listener)) === before + count);
}

/** An address of the client that the server's answers do not reach: handshakes from there stay half open. */
export const SILENT_ADDRESS = '10.0.0.66';

/** A client that also has SILENT_ADDRESS, and a server that sends what is for it to a hardware address that nobody has. */
export function networkWithSilentAddress(net: Network, syncookies: number): QueueContext['net'] {
  const client = net.host('client', { ip: [`address add ${SILENT_ADDRESS}/24 dev eth0`] });
  const server = net.host('server', {
    sysctl: { 'net.ipv4.tcp_syncookies': syncookies },
    ip: [`neighbour add ${SILENT_ADDRESS} lladdr 02:00:00:00:00:42 dev eth0 nud permanent`],
  });
  net.link(client, server);
  return { client, server };
}

/** A SYN queue that takes no more. */
export interface FullSynQueue {
  listener: Listener;
  /** How many requests it holds. */
  requests: number;
  /** How many SYNs were refused (without cookies) or answered with a cookie when that was found out. */
  refused: number;
}

/**
 * SYNs from SILENT_ADDRESS until the listener's SYN queue is full. inet_csk_reqsk_queue_is_full() is true at the backlog on
 * older kernels, and behind it on newer ones, stable series included: so the queue itself is asked.
 */
export async function fillSynQueue({ net, parameters, step, until }: QueueContext): Promise<FullSynQueue> {
  const { client, server } = net;
  const listener = server.listen(parameters);
  return step('SYNs of clients that never answer fill the SYN queue', async () => {
    for (let i = 1; i <= parameters.backlog + 1; i++) {
      const silent = client.startConnection(listener.local, { from: { address: SILENT_ADDRESS } });
      const isRefused = () => server.counter('TCPReqQFullDrop') + server.counter('TCPReqQFullDoCookies') > 0;
      await until('the SYN has come', async () => isRefused() || (await requestCount(server)) === i);
      silent.close();
      if (isRefused()) return { listener, requests: i - 1, refused: 1 };
    }
    return { listener, requests: parameters.backlog + 1, refused: 0 };
  });
}

/** Answers no ARP request for any of its addresses (arp_ignore of ip-sysctl.rst), or all. */
const ARP_IGNORE = 'net.ipv4.conf.all.arp_ignore';
const IGNORE_ALL = 8;

/**
 * A client that also has SILENT_ADDRESS and answers no ARP request, and a server that asks ten times a second: what the server
 * sends there waits in the neighbour's queue until `overtakenHandshake` lets the client answer.
 */
export function networkWithWaitingAddress(net: Network, client: HostOptions, server: HostOptions): QueueContext['net'] {
  const hosts = {
    client: net.host('client', {
      ...client,
      sysctl: { [ARP_IGNORE]: IGNORE_ALL },
      ip: [`address add ${SILENT_ADDRESS}/24 dev eth0`, ...(client.ip ?? [])],
    }),
    server: net.host('server', {
      ...server,
      sysctl: {
        'net.ipv4.neigh.eth0.retrans_time_ms': 100,
        'net.ipv4.neigh.eth0.mcast_solicit': 200,
        ...server.sysctl,
      },
    }),
  };
  net.link(hosts.client, hosts.server);
  return hosts;
}

/**
 * A handshake whose SYN finds room in the listener's accept queue, and whose last ACK does not. Returns when the ACK has
 * been refused: the client's connect() ends as it may.
 */
export async function overtakenHandshake(context: QueueContext): Promise<{ done: Promise<Connection> }> {
  const { net, parameters, step, until } = context;
  const { client, server } = net;
  const listener = server.listen(parameters);
  await step('connections that nobody accepts fill the accept queue but for one place', () =>
    fillAcceptQueue(context, listener, parameters.backlog),
  );
  const overtaken = await step('a client sends its SYN, and the SYN-ACK waits for ARP', async () => {
    const started = client.startConnection(listener.local, { from: { address: SILENT_ADDRESS, port: 41000 } });
    await until('the request is there', async () => (await requestCount(server)) === 1);
    return started;
  });
  await step('another client takes the last place', () => fillAcceptQueue(context, listener, 1));
  await step('ARP is answered, the SYN-ACK goes out, and the ACK comes back', async () => {
    client.setSysctl({ [ARP_IGNORE]: 0 });
    await until('the ACK is counted', () => server.counter('ListenOverflows') > 0);
  });
  return overtaken;
}
