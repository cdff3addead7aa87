import { describe, expect, it } from 'vitest';
import { recordedMeta } from '../../../src/filter/recorded-meta.js';
import type { TraceEvent } from '../../../src/types.js';
import { traceEvent } from '../../support/traces.js';

const TUPLE = { saddr: '10.0.0.1', daddr: '10.0.0.2' };
const DETAILS = { mark: 0x12, len: 60, ifname: 'eth0', ifindex: 2, netns: 4026531840 };

function matches(expression: string, event: Partial<TraceEvent> = DETAILS): boolean {
  return recordedMeta(expression)({ proto: 'tcp', tuple: TUPLE, event: traceEvent(event) });
}

describe('--filter-meta on recorded events', () => {
  it.each([
    ['mark == 0x12', true],
    ['mark & 0xf == 2', true],
    ['mark', true],
    ['!mark', false],
    ['len > 60 || len <= 59', false],
    ['skb->len >= 60 && dev->name == "eth0"', true],
    ['dev.name != "eth0"', false],
    ['dev.ifindex == 2', true],
    ['dev.ifindex > -1', true],
    ['protocol == 0x0800', true],
    ['dev.nd_net.net.ns.inum == 4026531840', true],
    ['not (mark == 1 or len == 60)', false],
  ])('%s: %s', (expression, wanted) => {
    expect(matches(expression)).toBe(wanted);
  });

  it('is false on what the skb did not have, as live', () => {
    expect(matches('dev.name != "eth0"', { mark: 0 })).toBe(false);
    expect(matches('len < 100', { mark: 0 })).toBe(false);
  });

  it('says so where the traces were recorded without', () => {
    expect(() => matches('mark == 0', { len: 60 })).toThrow('recorded without marks and interfaces');
    expect(matches('len == 60', { len: 60 })).toBe(true);
  });

  it.each([
    ['', 'metadata filter must not be empty'],
    ['cb == 3', "column 1: 'cb' is not recorded in traces; mark, len,"],
    ['mark == 1 && sk.sk_mark == 2', "column 14: 'sk.sk_mark' is not recorded"],
    ['mark == "x"', "'mark' is a number"],
    ['mark == 0x100000000', 'has values from 0 to 4294967295'],
    ['dev.ifindex == -2147483649', 'has values from -2147483648'],
    ['protocol == 65536', "'protocol' (16 bits) has values from 0 to 65535"],
    ['dev.name', "'dev.name' is a string"],
    ['dev.name > "a"', 'strings are compared by == and != only'],
    ['dev.name & 3 == "a"', 'a string has no bits to mask'],
    ['dev.name == "0123456789abcdef"', 'has at most 15 bytes'],
    ['mark ==', 'expected a number'],
  ])('%s is refused', (expression, message) => {
    expect(() => recordedMeta(expression)).toThrow(message);
  });
});
