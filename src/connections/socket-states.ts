import { plainAddress } from '../decode/addresses.js';
import type { SocketStates } from '../explain/connections/reading.js';
import { endpointKey } from '../explain/connections/segment-fact.js';
import type { InetSocket } from '../types.js';

/** States of the TCP sockets of some namespaces, as they were listed. */
export class ListedStates implements SocketStates {
  readonly #byNetns = new Map<number, Map<string, string>>();

  /** All sockets of a namespace: what is not among them is gone. */
  add(netns: number, sockets: readonly Pick<InetSocket, 'proto' | 'tuple' | 'state'>[]): void {
    const states = new Map<string, string>();
    for (const { proto, tuple, state } of sockets) {
      if (proto !== 'tcp') continue;
      const local = endpointKey(plainAddress(tuple.saddr), tuple.sport);
      states.set(`${local} ${endpointKey(plainAddress(tuple.daddr), tuple.dport)}`, state);
    }
    this.#byNetns.set(netns, states);
  }

  stateOf(netns: number, local: string, remote: string): string | undefined {
    const states = this.#byNetns.get(netns);
    return states && (states.get(`${local} ${remote}`) ?? 'CLOSE');
  }
}
