import { describe, expect, it } from 'vitest';
import { blameHooks, HOOK_STAGE } from '../../../src/explain/hooks.js';
import type { TraceEvent } from '../../../src/types.js';
import { traceEvent } from '../../support/traces.js';

const hook = (names: readonly string[], ret: number, t: number): TraceEvent =>
  traceEvent({ func: 'nf_hook_slow', t, ret, netfilter: { hooks: names.map((name) => ({ name })) } });
const blamedOf = (event: TraceEvent) => event.netfilter?.hooks?.map((h) => (h.blamed ? `!${h.name}` : h.name));

describe('the hook function that returned the verdict', () => {
  it('is the one whose own return says drop', () => {
    const slow = hook(['selinux_ip_forward', 'evil_hook [evil]', 'nft_do_chain_ipv4 [nf_tables]'], -1, 1);
    blameHooks([slow, traceEvent({ func: 'evil_hook', stage: HOOK_STAGE, ret: 0, t: 2 })]);
    expect(blamedOf(slow)).toEqual(['selinux_ip_forward', '!evil_hook [evil]', 'nft_do_chain_ipv4 [nf_tables]']);
  });

  it.each([
    ['nft_do_chain', undefined, 'nft_do_chain_inet'],
    ['ipt_do_table', 'filter', 'ipt_do_table'],
    ['ipt_do_table', 'filter', 'iptable_filter_hook'],
    ['ip6t_do_table', 'raw', 'ip6table_raw_hook'],
  ])('is told by %s of table %s: %s', (func, table, name) => {
    const slow = hook(['nf_conntrack_in', name], -1, 1);
    blameHooks([slow, traceEvent({ func, ret: 0, t: 2, ...(table ? { netfilter: { table } } : {}) })]);
    expect(blamedOf(slow)).toEqual(['nf_conntrack_in', `!${name}`]);
  });

  it('is the only one that is registered', () => {
    const slow = hook(['third_party_hook'], -1, 1);
    blameHooks([slow]);
    expect(blamedOf(slow)).toEqual(['!third_party_hook']);
  });

  it('is not looked for behind the next hook, nor where the packet went on', () => {
    const passed = hook(['nft_do_chain_ipv4'], 1, 1);
    const dropped = hook(['a', 'b'], -1, 2);
    const later = hook(['nft_do_chain_ipv4', 'c'], -1, 3);
    const drop = traceEvent({ func: 'nft_do_chain', ret: 0, t: 4 });
    blameHooks([passed, dropped, later, drop]);
    expect([passed, dropped, later].map(blamedOf)).toEqual([
      ['nft_do_chain_ipv4'],
      ['a', 'b'],
      ['!nft_do_chain_ipv4', 'c'],
    ]);
  });
});
