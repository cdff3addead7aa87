import { describe, expect, it } from 'vitest';
import { PROBES } from '../../../src/generated/probes.js';
import type { AttachOutcome } from '../../../src/load/backends.js';
import { requireWanted, wordsNotTraced } from '../../../src/load/words-not-traced.js';

function outcomes(attached: readonly string[], refused: readonly string[] = []): AttachOutcome[] {
  const outcome = (name: string, backend?: 'tracepoint') => {
    const definition = PROBES.find((probe) => probe.name === name)!;
    return { probe: { definition, target: name }, backend, hasReturn: false, failures: [] } as unknown as AttachOutcome;
  };
  return [...attached.map((name) => outcome(name, 'tracepoint')), ...refused.map((name) => outcome(name))];
}

describe('words that nothing is attached for', () => {
  const here = {
    outcomes: outcomes(['kfree_skb', 'net_dev_queue', 'tcp_retransmit_skb'], ['tcp_v4_rcv', 'vxlan_rcv']),
  };

  it.each([
    [['net_dev_queue', 'tcp_v4_rcv'], ['tcp_v4_rcv']],
    [['vxlan', 'link'], ['vxlan']],
    [['tcp', 'tcp-out'], []],
    [['net_dev_*', 'vxlan_*'], ['vxlan_*']],
    [
      ['ovs', 'bonding', 'ovs'],
      ['ovs', 'bonding'],
    ],
    [['default', 'all'], []],
    [[], []],
  ])('of %j are %j', (words, missing) => {
    expect(wordsNotTraced(words, here)).toEqual(missing);
  });

  it.each([[['vxlan']], [['ovs', 'bonding', 'ovs']]])('are an error where they are all: %j', (words) => {
    expect(() => requireWanted(words, here)).toThrow(/^nothing of what is to be traced is here: /);
  });

  it.each([[[]], [['vxlan', 'link']], [['default', 'vxlan']]])('are none where something is there: %j', (words) => {
    requireWanted(words, here);
  });
});
