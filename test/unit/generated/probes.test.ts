import { describe, expect, it } from 'vitest';
import { SpecField } from '../../../src/generated/layout.js';
import { PROBES, STAGES } from '../../../src/generated/probes.js';
import { type NoteDefinition, tracksOwner } from '../../../src/load/probe-definition.js';

/** Functions that the default set must hold under some name, by stage. */
const EXPECTED: Readonly<Record<string, string>> = {
  'device-in': 'napi_gro_receive_entry __netif_receive_skb_core enqueue_to_backlog',
  'device-out': '__dev_queue_xmit dev_hard_start_xmit',
  'packet-socket': 'packet_rcv tpacket_rcv',
  netfilter: 'nf_hook_slow nft_do_chain ipt_do_table nf_nat_manip_pkt',
  'ip-in': 'ip_rcv ip_rcv_core ip_rcv_finish ip_local_deliver ip_local_deliver_finish ip_forward',
  route: 'ip_route_input_slow fib_validate_source',
  'ip-out': '__ip_local_out ip_output ip_finish_output ip_finish_output2',
  'ipv6-in': 'ipv6_rcv ip6_rcv_core ip6_rcv_finish ip6_input ip6_input_finish ip6_forward',
  'ipv6-out': '__ip6_local_out ip6_output ip6_finish_output ip6_finish_output2',
  'tcp-in':
    'tcp_v4_rcv tcp_v6_rcv tcp_filter tcp_v4_do_rcv tcp_check_req tcp_child_process tcp_rcv_state_process ' +
    'tcp_rcv_established tcp_ack tcp_queue_rcv tcp_data_queue_ofo tcp_conn_request tcp_v4_syn_recv_sock ' +
    '__inet_lookup_listener',
  'tcp-out': 'tcp_v4_send_reset __tcp_transmit_skb __tcp_retransmit_skb',
  life: 'skb_clone consume_skb kfree_skb __kfree_skb kfree_skb_partial skb_attempt_defer_free',
};

/** Stages that must have something in the default set, and groups that must not. */
const DEFAULT_STAGES = ['udp', 'icmp', 'icmpv6', 'arp', 'bridge', 'qdisc'];
const OPTIONAL_STAGES = ['bonding', 'vlan', 'vxlan', 'ipvlan', 'xfrm', 'ovs'];

const notes = (): [probe: string, note: NoteDefinition, ofValue: boolean][] =>
  PROBES.flatMap((p) => [
    ...(p.note ? [[p.name, p.note, false] as [string, NoteDefinition, boolean]] : []),
    ...p.returns.map((r) => [p.name, r.note, true] as [string, NoteDefinition, boolean]),
  ]);

describe('the probe table', () => {
  it.each(Object.entries(EXPECTED))('has in its default set, at stage %s: %s', (stage, names) => {
    for (const name of names.split(' ')) {
      const probe = PROBES.find((p) => p.name === name || p.symbols?.includes(name));
      expect(probe, name).toMatchObject({ stage, isDefault: true });
    }
  });

  it('has something at each stage that the default set must see, and all tunnels and the like for -t alone', () => {
    for (const stage of DEFAULT_STAGES) expect(PROBES.some((p) => p.stage === stage && p.isDefault), stage).toBe(true);
    for (const stage of OPTIONAL_STAGES) {
      const members = PROBES.filter((p) => p.stage === stage);
      expect(members.length, stage).toBeGreaterThan(0);
      expect(members.some((p) => p.isDefault), stage).toBe(false);
    }
  });

  it('has each name once', () => {
    const names = PROBES.map((p) => p.name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('has for each probe either functions or a tracepoint', () => {
    for (const { name, symbols, tracepoint } of PROBES) {
      expect((symbols !== undefined) !== (tracepoint !== undefined), name).toBe(true);
      if (symbols) expect(new Set(symbols).size, name).toBe(symbols.length);
      for (const symbol of symbols ?? []) expect(symbol).toMatch(/^[a-z_][a-z0-9_]*(\.part\.\d+)?$/);
      if (tracepoint) expect(tracepoint).toMatch(/^[a-z0-9_]+:[a-z0-9_]+$/);
    }
  });

  it('lists no function twice: it would be on each line twice', () => {
    const symbols = PROBES.flatMap((p) => p.symbols ?? []);
    expect(symbols.filter((symbol, i) => symbols.indexOf(symbol) !== i)).toEqual([]);
    // who owns a socket is not printed, and of round-trip times tcp_probe tells in modes of their own
    const printed = PROBES.filter((p) => !tracksOwner(p) && p.read !== 'rtt');
    const tracepoints = printed.flatMap((p) => p.tracepoint ?? []);
    expect(tracepoints.filter((t, i) => tracepoints.indexOf(t) !== i)).toEqual([]);
  });

  it('has stages that are known, each with a probe', () => {
    for (const { name, stage } of PROBES) expect(STAGES, name).toContain(stage);
    for (const stage of STAGES) expect(PROBES.some((p) => p.stage === stage), stage).toBe(true);
  });

  it('has no group with the name of a function, and none called all', () => {
    const functions = new Set(PROBES.flatMap((p) => [p.name, ...(p.symbols ?? [])]));
    for (const word of [...STAGES, ...PROBES.flatMap((p) => p.groups)]) {
      expect(functions.has(word), word).toBe(false);
      expect(word).not.toBe('all');
    }
  });

  it('has the groups of its stage at each probe, and more at few', () => {
    for (const stage of STAGES) {
      const groups = PROBES.filter((p) => p.stage === stage).map((p) => p.groups);
      const [common = []] = [...groups].sort((a, b) => a.length - b.length);
      for (const each of groups) expect(each.slice(0, common.length), stage).toEqual(common);
      expect(groups.filter((each) => each.length > common.length).length, stage).toBeLessThan(groups.length / 2);
    }
  });

  it('lets tracepoints stand in for functions alone that it has, and for none of another', () => {
    for (const { name, tracepoint, insteadOf } of PROBES) {
      for (const other of insteadOf ?? []) {
        expect(tracepoint, name).toBeDefined();
        expect(PROBES.find((p) => p.name === other)?.symbols, `${name} instead of ${other}`).toBeDefined();
      }
    }
  });

  it('names arguments that a program can reach', () => {
    for (const { name, skb, a, b, withoutBtf } of PROBES) {
      const numbers = [skb, withoutBtf?.skb, withoutBtf?.a, withoutBtf?.b, ...(a ?? []), ...(b ?? [])];
      for (const n of numbers) {
        if (typeof n === 'number') expect(n === SpecField.noArg || (n >= 0 && n < 6), name).toBe(true);
        else if (n !== undefined) expect(n, name).toMatch(/^(struct \w+ \*+|void \*|enum \w+|unsigned int|int|bool)$/);
      }
    }
  });

  it('has notes of known levels, whose advice is for what went wrong', () => {
    for (const [name, { level, text, advice }] of notes()) {
      expect(['info', 'warning', 'error'], name).toContain(level);
      expect(text, name).not.toBe('');
      if (level === 'info') expect(advice, name).toBeUndefined();
    }
  });

  it('writes a value only where there is one', () => {
    for (const [name, { text }, ofValue] of notes()) if (!ofValue) expect(text, name).not.toContain('%v');
  });

  it('has rules that can hold', () => {
    for (const { name, returns } of PROBES) {
      for (const { when } of returns) {
        expect([when.eq, when.ne, when.lt, when.gt].some((n) => n !== undefined), name).toBe(true);
        if (when.mask !== undefined && when.eq !== undefined) expect(when.eq & when.mask, name).toBe(when.eq);
      }
    }
  });

  it('begins and ends traces by default: what keeps identity is always there', () => {
    for (const { name, read, isDefault } of PROBES) if (['drop', 'free', 'derive'].includes(read)) expect(isDefault, name).toBe(true);
    expect(PROBES.filter((p) => p.isDefault && p.entry).length).toBeGreaterThan(3);
  });
});
