import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findings } from '../../../src/explain/findings.js';
import { dropNotes, socketNotes } from '../../../src/explain/notes.js';
import type { DropInfo, Note, SocketInfo } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const note = (level: Note['level'], text: string, more: Partial<Note> = {}): Note => ({ level, text, ...more });
const kfree = (drop: DropInfo) => traceEvent({ func: 'kfree_skb', stage: 'life', drop, notes: dropNotes(drop) });

describe('findings', () => {
  it('are none of a trace where nothing went wrong', () => {
    const events = [traceEvent(), traceEvent({ notes: [note('info', 'packet is cloned')] })];
    expect(findings(skbTrace({ events }))).toEqual([]);
  });

  it('are one for a free, with its place and reason', () => {
    const found = findings(skbTrace({ events: [kfree({ location: 'tcp_v4_rcv+0x9a', reason: 'NO_SOCKET' })] }));
    expect(found).toMatchObject([
      {
        level: 'error',
        func: 'kfree_skb',
        group: 'life',
        message: 'packet is dropped by kernel',
        location: 'tcp_v4_rcv+0x9a',
        dropReason: 'NO_SOCKET',
      },
    ]);
    expect(found[0]?.advice[0]).toMatch(/^no socket is bound/);
  });

  it('leave out a reason that the kernel does not give, and a free that is no loss', () => {
    const [first, ...rest] = findings(
      skbTrace({ events: [kfree({ location: 'a+0x1' }), kfree({ location: 'b+0x1', noLoss: 'it did its work' })] }),
    );
    expect(first).toEqual({
      level: 'error',
      func: 'kfree_skb',
      group: 'life',
      message: 'packet is dropped by kernel',
      location: 'a+0x1',
      advice: [],
      values: [],
    });
    expect(rest).toEqual([]);
  });

  it('have the level of the reason: useless copies are no errors', () => {
    const events = [kfree({ location: 'a+0x1', reason: 'TCP_OFOMERGE' })];
    expect(findings(skbTrace({ events })).map((f) => f.level)).toEqual(['warning']);
  });

  it('are one for a reset, with state and reason', () => {
    const reset = (socket: SocketInfo) =>
      traceEvent({
        func: 'tcp_v4_send_reset',
        stage: 'tcp-out',
        socket,
        notes: [...socketNotes(socket, true), note('error', 'connection reset', { advice: 'look' })],
      });
    const events = [reset({}), reset({ state: 'ESTABLISHED', resetReason: 'TCP_ABORT_ON_DATA' })];
    expect(findings(skbTrace({ events }))).toEqual([
      {
        level: 'error',
        func: 'tcp_v4_send_reset',
        group: 'tcp-out',
        message: 'connection reset',
        state: 'no socket',
        advice: ['look'],
        values: [],
      },
      expect.objectContaining({ state: 'ESTABLISHED', resetReason: 'TCP_ABORT_ON_DATA' }),
    ]);
  });

  it('do not take a socket that only changed its state for a reset', () => {
    const socket: SocketInfo = { state: 'SYN_RECV', newState: 'ESTABLISHED' };
    const events = [traceEvent({ socket, notes: [...socketNotes(socket, false), note('warning', 'strange')] })];
    const [finding] = findings(skbTrace({ events }));
    expect(finding).toMatchObject({ level: 'warning', message: 'strange' });
    expect(finding?.state).toBeUndefined();
  });

  it('have the hook functions in their order, with the one that is to blame', () => {
    const hooks = [{ name: 'first' }, { name: 'second', blamed: true }];
    const events = [hooks, hooks.slice(0, 1), []].map((list) =>
      traceEvent({ netfilter: { hooks: list }, notes: [note('error', 'dropped')] }),
    );
    expect(findings(skbTrace({ events })).map((f) => f.hooks)).toEqual([
      [{ name: 'first' }, { name: 'second', blamed: true }],
      [{ name: 'first' }],
      undefined,
    ]);
  });

  it('are one for each note that warns, in order, with its values', () => {
    const values = [{ name: 'net.core.somaxconn', value: '128' }];
    const events = [
      traceEvent({ func: 'a', notes: [note('warning', 'one'), note('info', 'x'), note('error', 'two', { values })] }),
      traceEvent({ func: 'b', notes: [note('error', 'three')] }),
    ];
    const found = findings(skbTrace({ events }));
    expect(found.map((f) => [f.func, f.level, f.message])).toEqual([
      ['a', 'warning', 'one'],
      ['a', 'error', 'two'],
      ['b', 'error', 'three'],
    ]);
    expect(found[1]?.values).toEqual(values);
  });

  it('are as many as there are warnings and errors', () => {
    const level = fc.constantFrom<Note['level']>('info', 'warning', 'error');
    const notes = fc.array(fc.record({ level, text: fc.string() }));
    fc.assert(
      fc.property(fc.array(notes), (lists) => {
        const events = lists.map((list) => traceEvent({ notes: list }));
        const warnings = lists.flat().filter((n) => n.level !== 'info');
        expect(findings(skbTrace({ events }))).toHaveLength(warnings.length);
      }),
    );
  });
});
