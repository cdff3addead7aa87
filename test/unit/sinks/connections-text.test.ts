import { describe, expect, it } from 'vitest';
import { connectionsText, durationText } from '../../../src/sinks/connections-text.js';
import type { InetSocket } from '../../../src/types.js';
import { inetSocket } from '../../support/inet-sockets.js';

const socket = (more: Partial<InetSocket> = {}) => inetSocket({ recvQueue: 5, uid: 33, inode: 7, ...more });

describe('sockets as text', () => {
  it('are a table where there is room', () => {
    const sockets = [
      socket({
        owner: { pid: 12, comm: 'ng\x1binx' },
        timer: { kind: 'on', left: 0.2 },
        retransmits: 3,
        tcp: { lastDataSentMs: 4100, lastDataReceivedMs: 9000 },
      }),
      socket({ state: 'SYN_RECV', isRequest: true, recvQueue: 0, inode: 0 }),
    ];
    expect(connectionsText(sockets, { listen: false, columns: undefined })).toBe(
      [
        'STATE        RECV-Q  SEND-Q  LOCAL        PEER            TIMER        IDLE  OWNER',
        'ESTABLISHED       5       0  10.0.0.1:80  10.0.0.2:41000  on 200ms x3  4.1s  ng\\x1binx-12',
        'SYN_RECV          0       0  10.0.0.1:80  10.0.0.2:41000                     request',
        '',
      ].join('\n'),
    );
  });

  it('are two lines each on a narrow terminal', () => {
    expect(
      connectionsText([socket({ timer: { kind: 'keepalive', left: 7200 } })], { listen: false, columns: 80 }),
    ).toBe('ESTABLISHED 10.0.0.1:80 10.0.0.2:41000\n    recv-q:5 send-q:0 timer:(keepalive 2h) uid 33\n');
  });

  it('that listen show both queues, and a question mark where one is not known', () => {
    const listener = { state: 'LISTEN', tuple: { saddr: '::', sport: 80, daddr: '::', dport: 0 }, acceptLimit: 128 };
    const sockets = [
      socket({ ...listener, acceptQueue: 129, synQueue: 4, ifindex: 2 }),
      socket({ ...listener, acceptQueue: 0 }),
    ];
    expect(connectionsText(sockets, { listen: true, columns: 40 })).toBe(
      [
        'ACCEPT-Q  LIMIT  SYN-Q  LOCAL      OWNER',
        '     129    128      4  [::]:80%2  uid 33',
        '       0    128      ?  [::]:80    uid 33',
        '',
      ].join('\n'),
    );
  });

  it('of IPv6 with an IPv4 peer show the IPv4 address', () => {
    const mapped = socket({ tuple: { saddr: '::ffff:a00:1', sport: 80, daddr: '::ffff:a00:2', dport: 0 } });
    const text = connectionsText([mapped], { listen: false, columns: 80 });
    expect(text).toMatch(/^ESTABLISHED \[::ffff:10\.0\.0\.1\]:80 \[::ffff:10\.0\.0\.2\]:\*\n/);
  });

  it('that are none say so', () => {
    expect(connectionsText([], { listen: false, columns: undefined })).toBe('no sockets\n');
    expect(connectionsText([], { listen: true, columns: undefined })).toBe('no listeners\n');
  });

  it.each([
    [0, '0ms'],
    [999, '999ms'],
    [4100, '4.1s'],
    [600_000, '10min'],
    [7_200_000, '2h'],
  ])('%i ms are %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
