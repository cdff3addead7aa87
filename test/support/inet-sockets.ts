import type { InetSocket } from '../../src/types.js';

/** A TCP connection as sock_diag lists it, with what the test is about. */
export function inetSocket(more: Partial<InetSocket> = {}): InetSocket {
  return {
    v: 1,
    type: 'inet-socket',
    netns: 1,
    proto: 'tcp',
    state: 'ESTABLISHED',
    tuple: { saddr: '10.0.0.1', sport: 80, daddr: '10.0.0.2', dport: 41000 },
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode: 0,
    cookie: '1',
    ...more,
  };
}
