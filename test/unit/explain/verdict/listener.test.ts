import { describe, expect, it } from 'vitest';
import { judge } from '../../../../src/explain/verdict/judge.js';
import type { SocketInfo, TraceEvent } from '../../../../src/types.js';
import { skbTrace, traceEvent } from '../../../support/traces.js';

const TCP = { seq: 1, ack: 0, flags: 'S', win: 1, payload: 0 };
const LISTENER: SocketInfo = {
  state: 'LISTEN',
  acceptQueue: 0,
  acceptLimit: 4,
  synQueue: 0,
  synQueueAfter: 1,
  maxSynBacklog: 256,
  syncookies: 1,
};
const consumed = traceEvent({ func: 'consume_skb', stage: 'life' });

function syn(socket: Partial<SocketInfo>, ...more: TraceEvent[]) {
  const at = traceEvent({ func: 'tcp_conn_request', stage: 'tcp-in', tcp: TCP, socket: { ...LISTENER, ...socket } });
  return judge(skbTrace({ events: [at, ...more, consumed] }));
}

describe('a SYN at a listener', () => {
  it('is taken where the SYN queue grows', () => {
    expect(syn({})).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket' });
  });

  it('is lost where the accept queue is full, though it is freed as if it were taken', () => {
    const verdict = syn({ acceptQueue: 5, synQueueAfter: 0 });
    expect(verdict).toMatchObject({ outcome: 'dropped', cause: 'accept-queue-full' });
    expect(verdict.text).toContain('(5 of 4)');
    expect(verdict.evidence[0]).toContain(
      'accept queue 5 of 4; SYN queue 0, tcp_max_syn_backlog 256, tcp_syncookies 1',
    );
  });

  it('is answered with a cookie where one is made', () => {
    const cookie = traceEvent({
      func: 'cookie_v4_init_sequence',
      stage: 'tcp-in',
      notes: [{ level: 'warning', text: 'a SYN cookie is the answer', cause: 'syn-cookie-sent' }],
    });
    expect(syn({ synQueueAfter: 0 }, cookie)).toMatchObject({ outcome: 'rejected', cause: 'syn-cookie-sent' });
  });

  it('is lost where the SYN queue is full and cookies are off', () => {
    const full = { syncookies: 0, synQueue: 4, synQueueAfter: 4 };
    expect(syn(full)).toMatchObject({ outcome: 'dropped', cause: 'syn-queue-full' });
    const threeQuarters = { ...full, acceptLimit: 4096, synQueue: 193, synQueueAfter: 193 };
    expect(syn(threeQuarters)).toMatchObject({ outcome: 'dropped', cause: 'syn-queue-full' });
  });

  it('is not said to be lost where another handshake may have ended in that moment', () => {
    expect(syn({ synQueue: 2, synQueueAfter: 2 })).toMatchObject({
      outcome: 'unknown',
      cause: 'syn-dropped-by-listener',
    });
  });
});

describe('the last ACK of a handshake', () => {
  const ack = (socket: Partial<SocketInfo>, ...more: TraceEvent[]) => {
    const tcp = { ...TCP, flags: 'A' };
    const at = { func: 'tcp_v4_syn_recv_sock', stage: 'tcp-in', tcp, socket: { ...LISTENER, ...socket }, ret: 0 };
    const drop = { location: 'tcp_v4_rcv+0x1', reason: 'NOT_SPECIFIED' };
    const events = [traceEvent(at), ...more, traceEvent({ func: 'kfree_skb', stage: 'life', tcp, drop })];
    return judge(skbTrace({ events }));
  };

  it('finds the accept queue full', () => {
    const verdict = ack({ acceptQueue: 5 });
    expect(verdict).toMatchObject({ outcome: 'dropped', cause: 'accept-queue-full' });
    expect(verdict.text).toContain('the client believes in a connection that the server does not have');
  });

  it('is answered with an RST with tcp_abort_on_overflow', () => {
    const reset = traceEvent({ func: 'tcp_v4_send_reset', stage: 'tcp-out', tcp: { ...TCP, flags: 'A' } });
    const verdict = ack({ acceptQueue: 5 }, reset);
    expect(verdict).toMatchObject({ outcome: 'rejected', cause: 'accept-queue-full' });
    expect(verdict.text).toContain('the answer is an RST');
  });

  it('may be refused for another reason', () => {
    expect(ack({ acceptQueue: 1 })).toMatchObject({ outcome: 'dropped', cause: 'handshake-refused' });
  });
});
