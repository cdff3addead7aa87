import { describe, expect, it } from 'vitest';
import { countersText } from '../../../src/sinks/counters-text.js';
import { leftoversText } from '../../../src/sinks/leftovers-text.js';
import type { CountersRecord, InetSocket, MovedCounter } from '../../../src/types.js';
import { inetSocket } from '../../support/inet-sockets.js';

const record = (more: Partial<CountersRecord> = {}): CountersRecord => ({
  v: 1,
  type: 'counters',
  t: 2,
  date: '2026-03-01T12:00:00.000100Z',
  netns: 4026531840,
  from: 'begin',
  since: 1,
  complete: true,
  counters: [],
  traffic: [],
  interfaces: [],
  ...more,
});
const moved = (more: Partial<MovedCounter> = {}): MovedCounter => ({
  name: 'TcpExtPAWSEstab',
  delta: 1,
  explained: 1,
  unexplained: 0,
  evidence: 1,
  traces: { count: 1, ids: ['2a'], verdicts: [{ outcome: 'dropped', cause: 'paws-reject-in-handshake', count: 1 }] },
  ...more,
});
const nothing = { count: 0, ids: [], verdicts: [] };

describe('the section of counters', () => {
  it('says what moved, by which traces, and what no trace accounts for', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const verdicts = [
      { outcome: 'dropped', cause: 'accept-queue-full', count: 3 },
      { outcome: 'unknown', cause: 'events-lost', count: 1 },
    ];
    const text = countersText(
      record({
        name: 'web',
        counters: [
          moved({ name: 'TcpInErrs', explained: 0, unexplained: 1, evidence: 0, traces: nothing, meaning: 'bad ones' }),
          moved(),
          moved({
            name: 'TcpExtListenDrops',
            delta: 5,
            explained: 4,
            unexplained: 1,
            evidence: 4,
            traces: { count: 4, ids, verdicts },
          }),
          moved({
            name: 'rx_dropped',
            ifname: 'eth0',
            delta: 1,
            evidence: 2,
            traces: { count: 2, ids: ['a', 'b'], verdicts: [] },
          }),
        ],
        traffic: [
          { name: 'TcpInSegs', delta: 12 },
          { name: 'TcpCurrEstab', delta: -1 },
          { name: 'rx_bytes', ifname: 'eth0', delta: '18446744073709551615' },
        ],
        interfaces: [{ ifname: 'eth1', what: 'vanished' }],
        complete: false,
      }),
      undefined,
    );
    expect(text).toBe(
      [
        'counters of network namespace 4026531840 (web), since begin trace:',
        '  TcpExtPAWSEstab       +1  by 1 trace (dropped, paws-reject-in-handshake): 2a',
        '  TcpExtListenDrops     +5  by 4 traces (3 dropped, accept-queue-full; unknown, events-lost): a b c ...; unexplained: 1',
        '    of 5',
        '  eth0 rx_dropped       +1  by some of 2 traces (): a b',
        '  TcpInErrs             +1  unexplained: 1 (bad ones)',
        '  interface eth1 vanished meanwhile',
        '  traffic: TcpInSegs +12, TcpCurrEstab -1, eth0 rx_bytes +18446744073709551615',
        '  events were lost: what is unexplained may have been among them',
        '',
        '',
      ].join('\n'),
    );
  });

  it('names one trace as a whole, though not each of its retransmissions counted', () => {
    const one = { count: 1, ids: ['a'], verdicts: [] };
    const text = countersText(
      record({ counters: [moved({ explained: 2, unexplained: 0, evidence: 3, traces: one })] }),
      120,
    );
    expect(text).toContain('by 1 trace (');
  });

  it('says when it began to count, and why there is nothing', () => {
    expect(countersText(record({ from: 'first-seen', unread: 'it has gone' }), undefined)).toBe(
      'counters of network namespace 4026531840, since its first packet was seen:\n  not known: it has gone\n\n',
    );
  });

  it('is left out where nothing moved, and for the machine where nothing went wrong', () => {
    expect(countersText(record(), undefined)).toBe('');
    const { netns: _netns, ...machine } = record({ traffic: [{ name: 'softnet:processed', delta: 9 }] });
    expect(countersText(machine, undefined)).toBe('');
    expect(countersText({ ...machine, counters: [moved()] }, undefined)).toMatch(/^counters of the machine, since/);
  });

  it('fits a narrow terminal, and prints no control characters', () => {
    const traffic = Array.from({ length: 30 }, (_, i) => ({ name: `Counter${i}`, delta: i + 1 }));
    const text = countersText(
      record({ name: 'a\x1bb', traffic, interfaces: [{ ifname: 'e\x1b', what: 'appeared' }] }),
      60,
    );
    const [title = '', ...lines] = text.split('\n');
    expect(title).toContain('a\\x1bb');
    expect(lines.filter((line) => line.length > 60)).toEqual([]);
    expect(text).not.toContain('\x1b');
  });
});

describe('the section of sockets', () => {
  const socket = (more: Partial<InetSocket> = {}) =>
    inetSocket({ tuple: { saddr: '10.0.0.1', sport: 80, daddr: 'fd00::1', dport: 41000 }, ...more });

  it('names strays, and the packets that made each', () => {
    const text = leftoversText({
      v: 1,
      type: 'leftovers',
      t: 1,
      date: '',
      sockets: [
        { socket: socket({ isUnaccepted: true }), syn: 's', synAck: 'sa', ack: 'a', refusedReset: 'r', isStray: true },
        {
          socket: socket({ owner: { pid: 7, comm: 'a\x1bb' }, recvQueue: 5, timer: { kind: 'on', left: 0.5 } }),
          syn: 't',
          isStray: false,
        },
      ],
      omitted: 2,
      forgotten: 3,
    });
    expect(text).toBe(
      [
        'sockets left of traced connections: 4',
        '  ! ESTABLISHED 10.0.0.1:80 <-> [fd00::1]:41000: stray connection: an RST was refused in its handshake, and no peer is left, not accepted yet',
        '      by SYN s, SYN-ACK sa, refused RST r, ACK a',
        '    ESTABLISHED 10.0.0.1:80 <-> [fd00::1]:41000: a\\x1bb-7, recv-q:5, timer:(on, 0.500s)',
        '      by SYN t',
        '  ... and 2 more',
        '  3 connections were too many to be followed',
        '',
        '',
      ].join('\n'),
    );
  });
});
