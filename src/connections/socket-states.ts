import { plainAddress } from '../decode/addresses.js';
import type { SocketStates } from '../explain/connections/reading.js';
import { endpointKey, type Sender } from '../explain/connections/segment-fact.js';
import type { InetSocket } from '../types.js';

/** Of one network namespace: states by both endpoints, and which endpoints there are. */
interface Listed {
  states: Map<string, string>;
  ends: Set<string>;
}

/** States of the TCP sockets of some namespaces, as they were listed. */
export class ListedStates implements SocketStates {
  readonly #byNetns = new Map<number, Listed>();

  /** All sockets of a namespace: what is not among them is gone. */
  add(netns: number, sockets: readonly Pick<InetSocket, 'proto' | 'tuple' | 'state'>[]): void {
    const listed: Listed = { states: new Map(), ends: new Set() };
    for (const { proto, tuple, state } of sockets) {
      if (proto !== 'tcp' || state === 'LISTEN') continue;
      const local = endpointKey(plainAddress(tuple.saddr), tuple.sport);
      const remote = endpointKey(plainAddress(tuple.daddr), tuple.dport);
      listed.states.set(`${local} ${remote}`, state);
      listed.ends.add(`local ${local}`).add(`remote ${remote}`);
    }
    this.#byNetns.set(netns, listed);
  }

  stateOf({ netns, isBeforeNat }: Sender, local: string, remote: string): string | undefined {
    const listed = this.#byNetns.get(netns);
    if (!listed) return undefined;
    const state = listed.states.get(`${local} ${remote}`);
    // NAT rewrites one end: a socket that has the other may be the one
    const mayBeHidden = !isBeforeNat && (listed.ends.has(`local ${local}`) || listed.ends.has(`remote ${remote}`));
    return state ?? (mayBeHidden ? undefined : 'CLOSE');
  }
}
