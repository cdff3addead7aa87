import { describe, expect, it } from 'vitest';
import { judge } from '../../../../src/explain/verdict/judge.js';
import { skbTrace, traceEvent } from '../../../support/traces.js';

const drop = (location: string, reason: string) =>
  traceEvent({ func: 'kfree_skb', stage: 'life', drop: { location, reason } });

describe('a packet that a socket had no memory for', () => {
  it('of TCP found the receive buffer full, which PROTO_MEM does not tell from a lack of memory', () => {
    const { outcome, cause, text } = judge(
      skbTrace({
        proto: 'tcp',
        events: [
          traceEvent({ func: 'tcp_v4_rcv', stage: 'tcp-in', proto: 'tcp' }),
          drop('tcp_data_queue+0x1', 'PROTO_MEM'),
        ],
      }),
    );
    expect([outcome, cause]).toEqual(['dropped', 'socket-receive-buffer-full']);
    expect(text).toMatch(/receive buffer of the socket is full, or memory of all TCP sockets is short/);
  });

  it('of UDP found that all sockets together use too much', () => {
    const events = [
      traceEvent({ func: 'udp_rcv', stage: 'udp', proto: 'udp' }),
      drop('udp_queue_rcv_one_skb+0x1', 'PROTO_MEM'),
    ];
    expect(judge(skbTrace({ proto: 'udp', events })).cause).toBe('no-memory');
  });

  it('is dropped where only the return of tcp_try_rmem_schedule tells', () => {
    const note = { level: 'error', text: 'no room', cause: 'socket-receive-buffer-full' } as const;
    const events = [
      traceEvent({ func: 'tcp_data_queue', stage: 'tcp-in', proto: 'tcp' }),
      traceEvent({ func: 'tcp_try_rmem_schedule', stage: 'tcp-in', proto: 'tcp', ret: -1, notes: [note] }),
    ];
    const { outcome, cause } = judge(skbTrace({ proto: 'tcp', events }));
    expect([outcome, cause]).toEqual(['dropped', 'socket-receive-buffer-full']);
  });
});
