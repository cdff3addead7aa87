import { describe, expect, it } from 'vitest';
import { ListedStates } from '../../../src/connections/socket-states.js';
import { inetSocket } from '../../support/inet-sockets.js';

const HERE = '10.0.0.1 41000';
const THERE = '10.0.0.2 8000';
const tuple = { saddr: '10.0.0.1', sport: 41000, daddr: '10.0.0.2', dport: 8000 };
const sender = { netns: 1, isBeforeNat: true };

function listed(...tuples: (typeof tuple)[]): ListedStates {
  const states = new ListedStates();
  states.add(
    1,
    tuples.map((one) => inetSocket({ tuple: one })),
  );
  return states;
}

describe('the state of the socket that sent a segment', () => {
  it('is what was listed, with IPv4 addresses also where the socket is of IPv6', () => {
    expect(listed(tuple).stateOf(sender, HERE, THERE)).toBe('ESTABLISHED');
    const mapped = { ...tuple, saddr: '::ffff:a00:1', daddr: '::ffff:a00:2' };
    expect(listed(mapped).stateOf(sender, HERE, THERE)).toBe('ESTABLISHED');
  });

  it('is CLOSE where it was not among those of its namespace, and not known where that was not listed', () => {
    expect(listed().stateOf(sender, HERE, THERE)).toBe('CLOSE');
    expect(listed({ ...tuple, sport: 41001 }).stateOf(sender, HERE, THERE)).toBe('CLOSE');
    expect(listed(tuple).stateOf({ ...sender, netns: 2 }, HERE, THERE)).toBeUndefined();
  });

  it('is not known where NAT may have changed what was seen of it', () => {
    const behind = { netns: 1, isBeforeNat: false };
    expect(listed().stateOf(behind, HERE, THERE)).toBe('CLOSE');
    expect(listed(tuple).stateOf(behind, '192.0.2.1 41000', THERE)).toBeUndefined();
    expect(listed(tuple).stateOf(behind, HERE, '10.0.0.3 80')).toBeUndefined();
  });
});
