import { describe, expect, it } from 'vitest';
import { leftovers } from '../../../src/connections/leftovers.js';
import type { InetSocket, SkbTrace, Tuple } from '../../../src/types.js';
import { inetSocket } from '../../support/inet-sockets.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const CLIENT = { saddr: '10.0.0.2', sport: 41000, daddr: '10.0.0.1', dport: 8000 };
const SERVER = { saddr: '10.0.0.1', sport: 8000, daddr: '10.0.0.2', dport: 41000 };

function segment(
  id: string,
  flags: string,
  tuple: Tuple,
  more: { start?: number; cause?: string; at?: Tuple } = {},
): SkbTrace {
  const { start = 1, cause = 'taken-by-socket', at } = more;
  return skbTrace({
    id,
    start,
    tuple,
    verdict: { outcome: 'delivered', cause, facts: [], text: '', advice: [], evidence: [] },
    events: [
      traceEvent({ netns: 1, stage: 'device-in', tcp: { seq: 1, ack: 2, flags, win: 1, payload: 0 } }),
      traceEvent({ netns: 1, stage: 'tcp-in', ...(at ? { tuple: at } : {}) }),
    ],
  });
}

const socket = (more: Partial<InetSocket> = {}) => inetSocket({ tuple: SERVER, ...more });

const STRAY = [
  // traces do not finish in the order in which they began
  segment('ack', 'A', CLIENT, { start: 4 }),
  segment('later', 'AP', CLIENT, { start: 5 }),
  segment('synack', 'SA', SERVER, { start: 2 }),
  segment('rst', 'R', CLIENT, { start: 3, cause: 'paws-reject-in-handshake' }),
  segment('syn', 'S', CLIENT, { start: 1 }),
];

describe('a socket that is left', () => {
  it('of a refused RST is a stray connection, with the packets that made it', () => {
    const found = leftovers(STRAY, [socket()]);
    expect(found).toEqual([
      { socket: socket(), syn: 'syn', synAck: 'synack', ack: 'ack', refusedReset: 'rst', isStray: true },
    ]);
  });

  it('is no stray where its peer is there, where it is a request, or where no RST was refused', () => {
    const peer = socket({ netns: 2, tuple: CLIENT });
    expect(leftovers(STRAY, [socket(), peer]).map((one) => one.isStray)).toEqual([false]);
    expect(leftovers(STRAY, [socket({ state: 'SYN_RECV', isRequest: true })])[0]?.isStray).toBe(false);
    expect(leftovers(STRAY.slice(4), [socket()])[0]).toEqual({ socket: socket(), syn: 'syn', isStray: false });
  });

  it('belongs to the namespace, by the addresses that the packet has there', () => {
    const before = { ...CLIENT, daddr: '192.0.2.1', dport: 80 };
    expect(leftovers([segment('syn', 'S', before, { at: CLIENT })], [socket()])).toHaveLength(1);
    expect(leftovers(STRAY, [socket({ netns: 2 })])).toEqual([]);
  });

  it('was there before where its SYN was not traced', () => {
    expect(leftovers(STRAY.slice(0, 4), [socket()])).toEqual([]);
  });

  it('has IPv4 addresses in IPv6 ones where its listener is of IPv6', () => {
    const mapped = { ...SERVER, saddr: '::ffff:a00:1', daddr: '::ffff:a00:2' };
    expect(leftovers(STRAY, [socket({ tuple: mapped })])[0]?.isStray).toBe(true);
  });

  it('is found from the side that connected', () => {
    expect(leftovers(STRAY.slice(4), [socket({ tuple: CLIENT, state: 'SYN_SENT' })])).toMatchObject([{ syn: 'syn' }]);
  });
});
