import type { PlayContext } from '../case.js';
import type { Host } from '../host.js';
import type { Network } from '../network.js';
import type { ParameterDefinitions } from '../parameters.js';
import type { Connection } from '../sockets.js';

export interface ClientAndServer {
  client: Host;
  server: Host;
}

/** Two hosts, and a link between them. */
export function clientAndServer(network: Network): ClientAndServer {
  const client = network.host('client');
  const server = network.host('server');
  network.link(client, server);
  return { client, server };
}

/** The same; the client's kernel has no address, so that it does not answer for connections that it does not know. */
export function craftedClientAndServer(network: Network): ClientAndServer {
  const client = network.host('client');
  const server = network.host('server');
  network.link(client, server, { bare: 'left' });
  return { client, server };
}

/** Both ends of a connection that the server has accepted, at this port. */
export async function connectClient(
  { net: { client, server }, step }: Pick<PlayContext<ParameterDefinitions, ClientAndServer>, 'net' | 'step'>,
  port: number,
): Promise<{ connection: Connection; accepted: Connection }> {
  const listener = server.listen({ port });
  const connection = await step('the client connects', () => client.connect({ address: server.address, port }));
  return { connection, accepted: await listener.accept() };
}

/** A datagram to a port where something drops it, and one to another port. Returns what arrives there. */
export async function sendPastDrop(
  { net: { client, server }, step }: Pick<PlayContext<ParameterDefinitions, ClientAndServer>, 'net' | 'step'>,
  port: number,
): Promise<{ other: number; received: string }> {
  const other = server.udp();
  const sender = client.udp();
  await step('one datagram to the port, one to another', async () => {
    await sender.send('dropped', { address: server.address, port });
    await sender.send('taken', { address: server.address, port: other.port });
  });
  const { data } = await other.receive();
  return { other: other.port, received: data.toString() };
}
