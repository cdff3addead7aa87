import { describe, expect, it } from 'vitest';
import { dropAdvice } from '../../../src/explain/drop-advice.js';
import { judge } from '../../../src/explain/verdict.js';
import type { TraceEvent } from '../../../src/types.js';
import { readKernel } from '../../support/real-kernel.js';
import { traceEvent } from '../../support/traces.js';

const at = (stage: string, func: string, more: Partial<TraceEvent> = {}) => traceEvent({ stage, func, ...more });
const freed = at('life', 'consume_skb', { notes: [{ level: 'info', text: 'packet is freed (normally)' }] });

describe('the verdict', () => {
  it.each([
    ['delivered', 'taken by TCP', [at('ip-in', 'ip_rcv'), at('tcp-in', 'tcp_v4_rcv'), freed], 'freed'],
    [
      'delivered',
      'taken by a packet socket',
      [at('device-in', 'netif_rx'), at('packet-socket', 'packet_rcv'), freed],
      'freed',
    ],
    ['delivered', 'an ARP request that is answered from its own skb', [at('arp', 'arp_rcv'), freed], 'freed'],
    ['delivered', 'held in a receive queue at the end', [at('udp', 'udp_queue_rcv_skb')], 'end'],
    [
      'sent',
      'handed to the driver',
      [at('ip-out', 'ip_output'), at('device-out', 'dev_hard_start_xmit'), freed],
      'freed',
    ],
    [
      'sent',
      'of which a tap saw a clone',
      [at('packet-socket', 'packet_rcv'), at('device-out', 'dev_hard_start_xmit'), freed],
      'freed',
    ],
    ['freed', 'freed on its way', [at('ip-in', 'ip_rcv'), freed], 'freed'],
    ['open', 'silent on its way', [at('ip-in', 'ip_rcv')], 'age'],
    ['open', 'on its way at the end', [at('ip-in', 'ip_rcv')], 'end'],
    ['open', 'whose address is in use again', [at('ip-in', 'ip_rcv')], 'reused'],
    [
      'dropped',
      'dropped',
      [at('tcp-in', 'tcp_v4_rcv'), at('life', 'kfree_skb', { drop: { location: 'tcp_v4_rcv+0x65' } })],
      'freed',
    ],
  ] as const)('is %s for a packet %s', (outcome, _what, events, closed) => {
    expect(judge(events, closed).outcome).toBe(outcome);
  });

  it('of a drop names the place, the reason, what it means and what to do', () => {
    const advice = dropAdvice('NO_SOCKET')!;
    const drop = at('life', 'kfree_skb', {
      drop: { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' },
      notes: [{ level: 'error', text: 'packet is dropped by kernel', advice: `${advice.meaning}; ${advice.action}` }],
    });
    expect(judge([at('tcp-in', 'tcp_v4_rcv'), drop], 'freed')).toEqual({
      outcome: 'dropped',
      cause: 'no-socket',
      text: `dropped in tcp_v4_rcv+0x65 (NO_SOCKET: ${advice.meaning})`,
      advice: [`${advice.meaning}; ${advice.action}`],
      evidence: ['kfree_skb: packet is dropped by kernel'],
    });
  });

  it('of a drop without a reason is named by the first thing that went wrong', () => {
    const listener = at('tcp-in', '__inet_lookup_listener', {
      notes: [{ level: 'warning', text: 'tcp port is not listened' }],
    });
    const drop = at('life', 'kfree_skb', {
      drop: { location: 'tcp_v4_rcv+0x65' },
      notes: [{ level: 'error', text: 'packet is dropped by kernel' }],
    });
    const verdict = judge([listener, drop], 'freed');
    expect(verdict.cause).toBe('tcp-port-is-not-listened');
    expect(verdict.text).toBe('dropped in tcp_v4_rcv+0x65');
    expect(verdict.evidence).toEqual([
      '__inet_lookup_listener: tcp port is not listened',
      'kfree_skb: packet is dropped by kernel',
    ]);
  });

  it('has the outcome as cause where nothing went wrong', () => {
    const verdict = judge([at('tcp-in', 'tcp_v4_rcv'), freed], 'freed');
    expect(verdict).toMatchObject({
      cause: 'delivered',
      text: 'delivered: last seen in tcp_v4_rcv',
      advice: [],
      evidence: [],
    });
  });

  it('gives each advice once', () => {
    const note = { level: 'warning', text: 'packet is retransmitted', advice: 'look for a drop on the way' } as const;
    const events = [at('tcp-out', 'a', { notes: [note] }), at('tcp-out', 'b', { notes: [note] })];
    expect(judge(events, 'end').advice).toEqual(['look for a drop on the way']);
  });

  it('of nothing at all is still a verdict', () => {
    expect(judge([], 'end')).toMatchObject({ outcome: 'open', cause: 'open' });
  });
});

describe('advice for drop reasons', () => {
  it('is there for reasons and not for what is none', () => {
    expect(dropAdvice('TCP_RFC7323_PAWS')?.meaning).toMatch(/timestamp/);
    expect(dropAdvice('NOT_SPECIFIED')).toBeUndefined();
    expect(dropAdvice(undefined)).toBeUndefined();
  });

  it('covers most reasons that this kernel gives', (ctx) => {
    const reasons = readKernel(ctx).btf.enumValues('skb_drop_reason');
    ctx.skip(reasons === null, 'this kernel has no drop reasons');
    const names = [...reasons!.keys()].map((name) => name.replace('SKB_DROP_REASON_', ''));
    const known = names.filter((name) => dropAdvice(name));
    expect(known.length).toBeGreaterThan(names.length / 2);
  });
});
