import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dropNotes,
  isDetail,
  netfilterInfo,
  netfilterNote,
  returnNote,
  socketNotes,
  typedReturn,
  visitNote,
} from '../../../src/explain/notes.js';
import type { Kernel } from '../../../src/load/kernel.js';
import type { ProbeDefinition, ReturnCondition, ValueFormat } from '../../../src/load/probe-definition.js';
import { readKernel } from '../../support/real-kernel.js';
import { attached, probeNamed, traceEvent } from '../../support/traces.js';

const MINUS_13 = BigInt.asIntN(64, 0xfffffff3n); // as eax leaves it: the upper half is zero

describe('a return register', () => {
  it.each([
    ['int', MINUS_13, -13n],
    ['int', -13n, -13n],
    ['int', 0x1_0000_0000n, 0n],
    ['enum skb_drop_reason', 0xdead_0000_0002n, 2n],
    [undefined, MINUS_13, -13n],
    ['bool', 0x7f00n, 0n],
    ['bool', 0x7f01n, 1n],
    ['_Bool', -1n, 1n],
    ['unsigned int', -1n, 0xffffffffn],
    ['u32', MINUS_13, 0xfffffff3n],
    ['long int', -13n, -13n],
    ['ssize_t', MINUS_13, 0xfffffff3n],
    ['long unsigned int', -1n, 2n ** 64n - 1n],
    ['u64', -2n, 2n ** 64n - 2n],
    ['struct sock *', -0x7700_0000_0000n, 2n ** 64n - 0x7700_0000_0000n],
    ['struct sk_buff *', 0n, 0n],
  ])('of %s with %d is %d', (type, register, value) => {
    expect(typedReturn(register, type)).toBe(value);
  });

  it('of an int looks at the lower half alone, whatever the upper half holds', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (value, upper) => {
        const register = BigInt.asIntN(64, (BigInt(upper) << 32n) | BigInt.asUintN(32, BigInt(value)));
        expect(typedReturn(register, 'int')).toBe(BigInt(value));
      }),
    );
  });
});

describe('a return rule', () => {
  const probe = (when: ReturnCondition, text: string, show?: ValueFormat): ProbeDefinition => ({
    name: 'f',
    stage: 'ip-in',
    groups: [],
    isDefault: true,
    symbols: ['f'],
    read: 'nothing',
    returns: [{ when, note: { level: 'error', text, advice: 'do something' } }],
    ...(show ? { show } : {}),
  });

  it.each([
    [{ eq: 0 }, [0n], [1n, -1n]],
    [{ ne: 0 }, [1n, -1n], [0n]],
    [{ lt: 0 }, [-1n, -100n], [0n, 1n]],
    [{ gt: 1 }, [2n, 100n], [1n, 0n, -1n]],
    [{ gt: 0, lt: 10 }, [1n, 9n], [0n, 10n]],
    [{ mask: 0xff, eq: 0 }, [0n, 0x100n, -0x10000n], [1n, 0x101n]],
    [{ mask: 0x0f, eq: 1 }, [1n, 0x11n], [0x10n]],
  ] satisfies [ReturnCondition, bigint[], bigint[]][])('with %j holds for %s and not for %s', (when, yes, no) => {
    const outcome = attached(probe(when, 'x'), 0, 'int');
    const noKernel = undefined as never; // the text holds no value: nothing is asked of the kernel
    for (const value of yes) expect(returnNote(outcome, value, noKernel)?.text).toBe('x');
    for (const value of no) expect(returnNote(outcome, value, noKernel)).toBeUndefined();
  });

  it.each([
    [{ type: ['reason'], ne: 0 }, 'enum skb_drop_reason', true],
    [{ type: ['reason'], ne: 0 }, 'bool', false],
    [{ type: ['bool'], eq: 1 }, 'bool', true],
    [{ type: ['bool'], eq: 1 }, '_Bool', true],
    [{ type: ['bool'], eq: 1 }, 'enum skb_drop_reason', false],
    [{ type: ['pointer'], ne: 0 }, 'struct sock *', true],
    [{ type: ['pointer'], ne: 0 }, 'int', false],
    [{ type: ['int'], eq: 1 }, 'int', true],
    [{ type: ['int'], eq: 1 }, undefined, true],
    [{ type: ['int', 'bool'], eq: 1 }, 'bool', true],
  ] satisfies [ReturnCondition, string | undefined, boolean][])(
    'with %j of a function that returns %s: %s',
    (when, type, holds) => {
      const note = returnNote(attached(probe(when, 'x'), 0, type), 1n, undefined as never);
      expect(note?.text).toBe(holds ? 'x' : undefined);
    },
  );

  it('knows drop reasons by name, and negative ones, in the numbers of this kernel', (ctx) => {
    const kernel = readKernel(ctx);
    const value = kernel.btf.enumValues('skb_drop_reason')?.get('SKB_DROP_REASON_IP_RPFILTER');
    ctx.skip(value === undefined, 'this kernel has no such drop reason');
    const outcome = attached(probe({ lt: 0, reason: ['NOMEM', 'IP_RPFILTER'] }, 'x'), 0, 'int');
    expect(returnNote(outcome, BigInt(-value!), kernel)?.text).toBe('x');
    expect(returnNote(outcome, BigInt(value!), kernel)).toBeUndefined();
    expect(returnNote(outcome, BigInt(-value! - 1), kernel)).toBeUndefined();
  });

  it('can hold only where the kernel has a reason, or only where it has not', (ctx) => {
    const kernel = readKernel(ctx);
    ctx.skip(!kernel.hasDropReason('NOT_SPECIFIED'), 'this kernel has no drop reasons');
    const text = (hasReason: string) =>
      returnNote(attached(probe({ eq: 1, hasReason }, 'x'), 0, 'int'), 1n, kernel)?.text;
    expect(text('NOT_SPECIFIED')).toBe('x');
    expect(text('!NOT_SPECIFIED')).toBeUndefined();
    expect(text('NO_SUCH_REASON')).toBeUndefined();
    expect(text('!NO_SUCH_REASON')).toBe('x');
  });

  it('never reads one kernel of fib_validate_source by the numbers of another', (ctx) => {
    const kernel = readKernel(ctx);
    const text = (value: number) => {
      const outcome = attached(probeNamed('fib_validate_source'), 0, 'int');
      return returnNote(outcome, BigInt(value), kernel)?.text;
    };
    const strict = 'source address fails the reverse path filter';
    const martian = 'source address is not valid here (martian source)';
    if (kernel.hasDropReason('IP_LOCAL_SOURCE')) {
      const reasons = kernel.btf.enumValues('skb_drop_reason')!;
      expect(text(-reasons.get('SKB_DROP_REASON_IP_RPFILTER')!)).toBe(strict);
      expect(text(-reasons.get('SKB_DROP_REASON_IP_LOCAL_SOURCE')!)).toBe(martian);
      expect(text(-18)).toBe(martian);
    } else {
      expect(text(-18)).toBe(strict);
      expect(text(-22)).toBe(martian);
    }
    expect(text(0)).toBeUndefined();
    expect(text(1)).toBeUndefined();
  });

  it.each([
    ['tcp_v4_inbound_md5_hash', 'bool', 1n, 'the TCP MD5 signature is refused'],
    ['tcp_v4_inbound_md5_hash', 'bool', 0n, undefined],
    ['tcp_add_backlog', 'bool', 1n, 'packet is dropped: the backlog of the socket is full'],
    ['tcp_rcv_state_process', 'int', 1n, 'the segment does not fit the state of the socket: a reset is answered'],
    ['tcp_rcv_state_process', 'int', 0n, undefined],
    ['tcp_validate_incoming', 'bool', 1n, undefined],
    ['__udp_enqueue_schedule_skb', 'int', -12n, 'the receive buffer of the socket is full: ENOMEM'],
    ['__udp_enqueue_schedule_skb', 'int', -105n, 'all UDP sockets together use too much memory: ENOBUFS'],
    ['ip_route_input_slow', 'int', -18n, 'the route lookup refuses the source address (rp_filter)'],
    ['ip_route_input_slow', 'int', -22n, 'source or destination address is not valid here (martian)'],
    ['fib_table_lookup', undefined, -13n, 'the route says prohibit: EACCES'],
    ['fib_table_lookup', undefined, -113n, 'the route says unreachable: EHOSTUNREACH'],
    ['tcf_classify', 'int', 2n, 'packet is dropped by a tc filter (TC_ACT_SHOT)'],
    ['dev_qdisc_enqueue', 'int', 0x10001n, 'packet is dropped by the qdisc (NET_XMIT_DROP)'],
    ['net_dev_xmit', undefined, 16n, 'the NIC driver did not take the skb (NETDEV_TX_BUSY)'],
    ['nf_conntrack_tcp_packet', 'int', -1n, 'conntrack takes the packet for INVALID'],
    ['__skb_checksum_complete', '__sum16', 0x7f000000n, undefined],
  ] as const)('of %s (%s) reads %d as: %s', (name, type, value, text) => {
    const outcome = attached(probeNamed(name), 0, type);
    const kernel = { dropReason: (n: number) => String(n), hasDropReason: () => false };
    expect(returnNote(outcome, value, kernel as unknown as Kernel)?.text).toBe(text);
  });

  it('takes the first that holds', () => {
    const outcome = attached(probeNamed('__dev_queue_xmit'), 0, 'int');
    const noKernel = undefined as never;
    expect(returnNote(outcome, 1n, noKernel)?.text).toContain('NET_XMIT_DROP');
    expect(returnNote(outcome, -100n, noKernel)?.text).toBe('sending failed: ENETDOWN');
    expect(returnNote(outcome, 0n, noKernel)).toBeUndefined();
  });

  it('keeps its level and advice', (ctx) => {
    const note = returnNote(attached(probe({ eq: 0 }, 'x'), 0, 'int'), 0n, readKernel(ctx));
    expect(note).toEqual({ level: 'error', text: 'x', advice: 'do something' });
  });

  it.each([
    ['errno', -11n, 'int', 'EAGAIN'],
    ['errno', -95n, 'int', 'EOPNOTSUPP'],
    ['errno', -105n, 'int', 'ENOBUFS'],
    ['errno', -524n, 'int', '-524'],
    ['errno', 3n, 'int', '3'],
    ['number', -11n, 'int', '-11'],
    ['verdict', 0x0000_0003n, 'unsigned int', 'NF_QUEUE'],
    ['hex', -1n, 'int', '0xffffffffffffffff'],
    [undefined, 0xffff8880deadbeefn, 'struct sock *', '0xffff8880deadbeef'],
    [undefined, -111n, 'int', 'ECONNREFUSED'],
  ] as const)('shown as %s writes %d of %s as %s', (show, value, type, text) => {
    const outcome = attached(probe({ ne: 12345 }, 'v=%v', show), 0, type);
    expect(returnNote(outcome, value, undefined as never)?.text).toBe(`v=${text}`);
  });

  it('writes a drop reason by the name that this kernel has for it', (ctx) => {
    const kernel = readKernel(ctx);
    const value = kernel.btf.enumValues('skb_drop_reason')?.get('SKB_DROP_REASON_NO_SOCKET');
    ctx.skip(value === undefined, 'this kernel has no drop reasons');
    const outcome = attached(probe({ ne: 0 }, 'dropped: %v'), 0, 'enum skb_drop_reason');
    expect(returnNote(outcome, BigInt(value!), kernel)?.text).toBe('dropped: NO_SOCKET');
  });
});

describe('notes of the table', () => {
  it('say what a visit means', () => {
    expect(visitNote(probeNamed('__tcp_retransmit_skb'))).toMatchObject({
      level: 'warning',
      text: 'packet is retransmitted',
    });
    expect(visitNote(probeNamed('ip_rcv'))).toBeUndefined();
  });
});

describe('netfilter notes', () => {
  const raw = { family: 0, hook: 0, hasState: false, table: '', chain: '', rule: undefined };

  it.each([
    [{ ...raw, hasState: true, family: 2, hook: 0 }, 'ipv4 in chain: PRE_ROUTING'],
    [{ ...raw, hasState: true, family: 10, hook: 3 }, 'ipv6 in chain: OUTPUT'],
    [{ ...raw, table: 'nat', chain: 'PREROUTING' }, 'iptables table:nat, chain:PREROUTING'],
    [
      { ...raw, hasState: true, family: 2, hook: 1, table: 'filter', chain: 'my input' },
      'iptables table:filter, chain:my input',
    ],
    [{ ...raw, hasState: true, family: 2, hook: 4, table: 'nat' }, 'iptables table:nat, chain:POSTROUTING'],
    [{ ...raw, table: 'mangle' }, 'iptables table:mangle'],
  ])('%j reads %s', (section, text) => {
    expect(netfilterNote(netfilterInfo(section))).toEqual({ level: 'info', text });
  });

  it('are not made of an empty section', () => {
    expect(netfilterInfo(raw)).toEqual({});
    expect(netfilterNote({})).toBeUndefined();
  });

  it.each([
    [0, 'NF_DROP'],
    [1, 'NF_ACCEPT'],
    [-1, 'NFT_CONTINUE'],
    [-3, 'NFT_JUMP'],
    [-9, '-9'],
  ])('hold the rule that nftables told of, with its verdict %d as %s', (verdict, name) => {
    expect(netfilterInfo({ ...raw, rule: { handle: 7, verdict } })).toEqual({ rule: { handle: 7, verdict: name } });
  });
});

describe('drop notes', () => {
  it('say where, and that it is a drop', () => {
    expect(dropNotes({ location: 'tcp_v4_rcv+0x65' })).toEqual([
      { level: 'error', text: 'tcp_v4_rcv+0x65' },
      { level: 'error', text: 'packet is dropped by kernel' },
    ]);
  });

  it('say why, what that means and what to do', () => {
    const [where, what] = dropNotes({ location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' });
    expect(where?.text).toBe('reason: NO_SOCKET, tcp_v4_rcv+0x65');
    expect(what?.advice).toMatch(/^no socket is bound.*ss -l/);
  });
});

describe('notes that only repeat what the event holds', () => {
  it('are told from those that say more', () => {
    const drop = { location: 'a+0x1', reason: 'NOMEM' };
    const event = traceEvent({ drop });
    expect(dropNotes(drop).map((note) => isDetail(note, event))).toEqual([true, false]);
    const socket = { state: 'CLOSE', resetReason: 'NO_SOCKET' };
    expect(socketNotes(socket, true).map((note) => isDetail(note, traceEvent({ socket })))).toEqual([true]);
    expect(isDetail({ level: 'error', text: 'state: CLOSE' }, traceEvent())).toBe(false);
  });
});

describe('socket notes', () => {
  it('tell a change of state, and nothing where there is none', () => {
    expect(socketNotes({ state: 'SYN_RECV', newState: 'ESTABLISHED' }, false)).toEqual([
      { level: 'info', text: 'TCP socket state has changed: SYN_RECV -> ESTABLISHED' },
    ]);
    expect(socketNotes({ state: 'ESTABLISHED', newState: 'ESTABLISHED' }, false)).toEqual([]);
    expect(socketNotes({ state: 'ESTABLISHED' }, false)).toEqual([]);
  });

  it('tell a reset with its state, and the reason where the kernel gives one', () => {
    expect(socketNotes({}, true)).toEqual([{ level: 'error', text: 'state: no socket' }]);
    expect(socketNotes({ state: 'CLOSE', resetReason: 'NO_SOCKET' }, true)).toEqual([
      { level: 'error', text: 'reason: NO_SOCKET, state: CLOSE' },
    ]);
  });
});
