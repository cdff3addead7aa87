import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { PROBES } from '../../../src/generated/probes.js';
import { keepsIdentity, selectProbes } from '../../../src/load/select-probes.js';
import type { ProbeDefinition } from '../../../src/load/probe-definition.js';
import { readKernel } from '../../support/real-kernel.js';

const identity = PROBES.filter((p) => p.isDefault && keepsIdentity(p)).map((p) => p.name);
const names = (probes: readonly ProbeDefinition[]) => probes.map((p) => p.name);
/** Without those that are always there. */
const asked = (probes: readonly ProbeDefinition[]) => names(probes).filter((name) => !identity.includes(name));

describe('without -t', () => {
  it('the default set is traced, as the table has it', (ctx) => {
    const chosen = selectProbes([], readKernel(ctx));
    expect(chosen).toEqual(PROBES.filter((p) => p.isDefault));
  });
});

describe('-t', () => {
  it.each([
    ['a function', 'ip_rcv', ['ip_rcv']],
    ['another name of a function', 'tcp_inbound_md5_hash', ['tcp_v4_inbound_md5_hash']],
    ['a stage', 'packet-socket', ['packet_rcv', 'tpacket_rcv', 'packet_rcv_spkt', 'packet_rcv_fanout']],
    ['a group', 'pkt', ['packet_rcv', 'tpacket_rcv', 'packet_rcv_spkt', 'packet_rcv_fanout']],
  ])('with %s takes it', (_what, word, expected) => {
    // words of the table need no kernel
    const chosen = selectProbes([word], undefined as never);
    expect(asked(chosen)).toEqual(expected);
  });

  it('with any word also takes what begins or ends an skb: without it traces would mix', () => {
    expect(names(selectProbes(['ip_rcv'], undefined as never))).toEqual([...identity, 'ip_rcv']);
    expect(identity).toEqual(expect.arrayContaining(['kfree_skb', 'consume_skb', '__kfree_skb', 'skb_clone']));
  });

  it('makes an entry of what was asked for, and of nothing else', () => {
    const chosen = selectProbes(['ip_rcv'], undefined as never);
    expect(chosen.find((p) => p.name === 'ip_rcv')?.entry).toBe(true);
    for (const probe of chosen.filter(keepsIdentity)) expect(probe).toEqual(PROBES.find((p) => p.name === probe.name));
    expect(PROBES.find((p) => p.name === 'ip_rcv')?.entry).toBeUndefined();
  });

  it('makes no entry of a probe that sees no headers', () => {
    const chosen = selectProbes(['device-out', 'tcp-in'], undefined as never);
    for (const probe of chosen) if (probe.noParse || probe.read === 'request') expect(probe.entry).toBeUndefined();
    expect(chosen.some((p) => p.noParse)).toBe(true);
  });

  it('with several words takes them all, each probe once', () => {
    const chosen = selectProbes(['ip_rcv', 'ip-in', 'arp_rcv', 'ip_rcv'], undefined as never);
    expect(new Set(names(chosen)).size).toBe(chosen.length);
    expect(asked(chosen)).toEqual(expect.arrayContaining(['ip_rcv', 'ip_forward', 'arp_rcv']));
  });

  it('with all takes the whole table and leaves its entries as they are', () => {
    const chosen = selectProbes(['all'], undefined as never);
    expect(names(chosen).sort()).toEqual(names(PROBES).sort());
    for (const probe of chosen) expect(probe).toEqual(PROBES.find((p) => p.name === probe.name));
  });

  it('with a glob takes table and kernel, each function once', (ctx) => {
    const kernel = readKernel(ctx);
    const chosen = selectProbes(['tcp_v?_rc*'], kernel);
    expect(asked(chosen)).toEqual(expect.arrayContaining(['tcp_v4_rcv', 'tcp_v6_rcv']));
    const wide = selectProbes(['ip_*'], kernel);
    expect(new Set(names(wide)).size).toBe(wide.length);
    const own = wide.filter((p) => p.stage === 'other');
    expect(own.length).toBeGreaterThan(0);
    const inBtf = new Set(kernel.btf.functions({ pattern: 'ip_*', pointsTo: 'sk_buff' }).map((f) => f.name));
    for (const probe of own) expect(inBtf.has(probe.name)).toBe(true);
    expect(asked(wide).every((name) => name.startsWith('ip_'))).toBe(true);
  });

  it('with a function that only the kernel knows takes it where it has an skb', (ctx) => {
    const kernel = readKernel(ctx);
    const known = new Set(PROBES.flatMap((p) => [p.name, ...(p.symbols ?? [])]));
    const other = kernel.btf.functions({ pattern: 'skb_*', pointsTo: 'sk_buff' }).find((f) => !known.has(f.name))!;
    const chosen = selectProbes([other.name], kernel);
    expect(chosen.find((p) => p.name === other.name)).toMatchObject({
      stage: 'other',
      symbols: [other.name],
      entry: true,
    });
  });

  it('does not take what neither table nor kernel has, and says what to do', (ctx) => {
    const kernel = readKernel(ctx);
    for (const [word, message, advice] of [
      ['no_such_function', "unknown function or group 'no_such_function'", 'nettrace probes lists'],
      ['no_such_*', "no function matches 'no_such_*'", 'nettrace probes lists'],
      ['', "unknown function or group ''", 'nettrace probes lists'],
      ['tcp_v4_rcv(', "unknown function or group 'tcp_v4_rcv('", 'nettrace probes lists'],
      ['[a-z*', "no function matches '[a-z*'", 'nettrace probes lists'],
      ['schedule', "unknown function or group 'schedule'", 'the kernel has this function, but it takes no skb'],
    ] as const) {
      const error = refusal(() => selectProbes([word], kernel));
      expect(error.message).toBe(message);
      expect(error.advice).toContain(advice);
    }
  });
});

function refusal(act: () => unknown): UsageError {
  try {
    act();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
