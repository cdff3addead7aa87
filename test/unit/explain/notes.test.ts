import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dropNotes,
  netfilterInfo,
  netfilterNote,
  returnNote,
  socketNotes,
  typedReturn,
  visitNote,
} from '../../../src/explain/notes.js';
import type { ProbeDefinition, ReturnCondition, ValueFormat } from '../../../src/load/probe-definition.js';
import { readKernel } from '../../support/real-kernel.js';
import { attached, probeNamed } from '../../support/traces.js';

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
  const raw = { family: 0, hook: 0, hasState: false, table: '', chain: '' };

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
