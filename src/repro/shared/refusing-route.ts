import type { PlayContext } from '../case.js';
import type { Host } from '../host.js';
import type { Network } from '../network.js';
import type { ParameterDefinitions } from '../parameters.js';
import { failureOf, type UdpSocket } from '../sockets.js';

/** The router has such a route to this address, and the sender itself one to the other. */
export const FAR = '192.0.2.1';
export const NEAR = '198.51.100.1';

/** A sender behind a router; both have a route of this type, as ip-route(8) names it. */
export function networkWithRoute(
  net: Network,
  type: 'blackhole' | 'prohibit' | 'unreachable',
): { sender: Host; router: Host } {
  const sender = net.host('sender', { ip: ['route add default via 10.0.0.2', `route add ${type} 198.51.100.0/24`] });
  const router = net.router('router', { ip: [`route add ${type} 192.0.2.0/24`] });
  net.link(sender, router);
  return { sender, router };
}

/** What the calls of the sender say, for the router's route and for its own. `what`: with its article. */
export async function meetRoute(
  socket: UdpSocket,
  sender: Host,
  step: PlayContext<ParameterDefinitions, unknown>['step'],
  what: string,
): Promise<{ far: string | undefined; near: string | undefined }> {
  const to = { address: FAR, port: 9000 };
  socket.connect(to);
  await step(`the sender sends a datagram that the router has ${what} route for`, () => socket.send('far', to));
  const far = await step('and waits for an answer', () => failureOf(socket.receive()));
  const near = await step('it connects where it has such a route itself', () =>
    failureOf(sender.connect({ address: NEAR, port: 80 })),
  );
  return { far, near };
}
