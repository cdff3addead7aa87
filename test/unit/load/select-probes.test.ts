import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { PROBES } from '../../../src/generated/probes.js';
import { carriesSkb, type ProbeDefinition, tracksOwner } from '../../../src/load/probe-definition.js';
import { keepsIdentity, type ProbeChoice, selectProbes } from '../../../src/load/select-probes.js';
import { MODES } from '../../../src/modes.js';
import { readKernel } from '../../support/real-kernel.js';

const identity = PROBES.filter((p) => p.isDefault && keepsIdentity(p)).map((p) => p.name);
/** Words of the table need no kernel: a test that asks it fails. */
const select = (choice: Partial<ProbeChoice>) => selectProbes({ mode: 'life', ...choice }, undefined as never);
const inTable = (name: string) => PROBES.find((p) => p.name === name);
const names = (probes: readonly ProbeDefinition[]) => probes.map((p) => p.name);
/** Without those that are always there. */
const asked = (probes: readonly ProbeDefinition[]) => names(probes).filter((name) => !identity.includes(name));

describe('without -t', () => {
  it('the default set is traced, as the table has it', () => {
    const chosen = select({});
    expect(chosen).toEqual(PROBES.filter((p) => p.isDefault));
  });
});

describe('-t', () => {
  it.each([
    ['a function', 'ip_rcv', ['ip_rcv']],
    ['another name of a function', 'tcp_inbound_md5_hash', ['tcp_v4_inbound_md5_hash']],
    ['a stage', 'packet-socket', ['packet_rcv', 'tpacket_rcv', 'packet_rcv_spkt', 'packet_rcv_fanout']],
    ['a group', 'pkt', ['packet_rcv', 'tpacket_rcv', 'packet_rcv_spkt', 'packet_rcv_fanout']],
    ['a name that only older kernels have', 'skb_entail', ['tcp_skb_entail']],
  ])('with %s takes it', (_what, word, expected) => {
    const chosen = select({ trace: [word] });
    expect(asked(chosen)).toEqual(expected);
  });

  it.each([
    ['link', ['__netif_receive_skb_core', 'dev_hard_start_xmit', 'sch_direct_xmit', 'arp_rcv', 'br_handle_frame']],
    ['link-in', ['__netif_receive_skb_core']],
    ['link-out', ['dev_hard_start_xmit']],
    ['sched', ['sch_direct_xmit', 'tcf_classify']],
    ['packet', ['packet_rcv']],
    ['pkt-in', ['packet_rcv']],
    ['netfilter', ['nf_hook_slow', 'nft_do_chain', 'ipt_do_table']],
    ['conntrack', ['nf_conntrack_in']],
    ['ip', ['ip_rcv', 'ip_output', 'ipv6_rcv', 'ip6_output', 'ip_route_input_slow', 'fib_validate_source']],
    ['ip-in', ['ip_rcv', 'ipv6_rcv']],
    ['ip-out', ['ip_output', 'ip6_output']],
    ['ip-route', ['fib_validate_source']],
    ['esp', ['xfrm_input']],
    ['tcp', ['tcp_v4_rcv', 'tcp_v6_rcv', '__tcp_transmit_skb', 'tcp_v4_send_reset']],
    ['udp-in', ['udp_queue_rcv_skb']],
    ['icmp', ['icmp_rcv', 'icmpv6_rcv']],
    ['icmp-in', ['icmp_echo']],
    ['bonding', ['bond_dev_queue_xmit']],
  ])('%s means what it has always meant', (word, expected) => {
    expect(asked(select({ trace: [word] }))).toEqual(expect.arrayContaining(expected));
  });

  it('with any word also takes what begins or ends an skb: without it traces would mix', () => {
    expect(names(select({ trace: ['ip_rcv'] }))).toEqual([...identity, 'ip_rcv']);
    expect(identity).toEqual(expect.arrayContaining(['kfree_skb', 'consume_skb', '__kfree_skb', 'skb_clone']));
  });

  it('makes an entry of what was asked for, and of nothing else', () => {
    const chosen = select({ trace: ['ip_rcv'] });
    expect(chosen.find((p) => p.name === 'ip_rcv')?.entry).toBe(true);
    for (const probe of chosen.filter(keepsIdentity)) expect(probe).toEqual(inTable(probe.name));
    expect(inTable('ip_rcv')?.entry).toBeUndefined();
  });

  it('makes no entry of a probe that sees no headers', () => {
    const chosen = select({ trace: ['device-out', 'tcp-in'] });
    for (const probe of chosen)
      if (probe.noParse || probe.name === 'tcp_check_req') expect(probe.entry).toBeUndefined();
    expect(chosen.some((p) => p.noParse)).toBe(true);
  });

  it('with several words takes them all, each probe once', () => {
    const chosen = select({ trace: ['ip_rcv', 'ip-in', 'arp_rcv', 'ip_rcv'] });
    expect(new Set(names(chosen)).size).toBe(chosen.length);
    expect(asked(chosen)).toEqual(expect.arrayContaining(['ip_rcv', 'ip_forward', 'arp_rcv']));
  });

  it('with all takes the whole table of packets and leaves its entries as they are', () => {
    const chosen = select({ trace: ['all'] });
    const ofPackets = PROBES.filter((p) => carriesSkb(p) || p.read === 'state' || p.read === 'route');
    expect(names(chosen).sort()).toEqual(names(ofPackets).sort());
    for (const probe of chosen) expect(probe).toEqual(inTable(probe.name));
  });

  it('with a glob takes table and kernel, each function once', (ctx) => {
    const kernel = readKernel(ctx);
    const chosen = selectProbes({ mode: 'life', trace: ['tcp_v?_rc*'] }, kernel);
    expect(asked(chosen)).toEqual(expect.arrayContaining(['tcp_v4_rcv', 'tcp_v6_rcv']));
    const wide = selectProbes({ mode: 'life', trace: ['ip_*'] }, kernel);
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
    const chosen = selectProbes({ mode: 'life', trace: [other.name] }, kernel);
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
      const error = refusal(() => selectProbes({ mode: 'life', trace: [word] }, kernel));
      expect(error.message).toBe(message);
      expect(error.advice).toContain(advice);
    }
  });
});

describe('the mode', () => {
  it.each([
    ['basic', (p: ProbeDefinition) => p.isDefault && carriesSkb(p)],
    ['latency', (p: ProbeDefinition) => p.isDefault && carriesSkb(p)],
    ['latency-summary', (p: ProbeDefinition) => p.isDefault && carriesSkb(p)],
    ['func-stats', (p: ProbeDefinition) => p.isDefault && carriesSkb(p)],
    ['drop', (p: ProbeDefinition) => p.read === 'drop'],
    ['monitor', (p: ProbeDefinition) => p.monitor === true],
    ['sock', (p: ProbeDefinition) => p.sock === true],
    ['rtt', (p: ProbeDefinition) => p.read === 'rtt'],
    ['rtt-detail', (p: ProbeDefinition) => p.read === 'rtt'],
  ] as const)('%s has its own default set', (mode, belongs) => {
    const expected = PROBES.filter((p) => belongs(p) && !tracksOwner(p));
    expect(names(select({ mode })).sort()).toEqual(names(expected).sort());
    expect(expected.length).toBeGreaterThan(0);
  });

  it('of packets traces no probe without one', () => {
    for (const mode of ['basic', 'drop', 'latency', 'latency-summary', 'func-stats'] as const) {
      for (const probe of select({ mode })) expect(carriesSkb(probe), `${mode}: ${probe.name}`).toBe(true);
    }
  });

  it('of sockets reads the socket where packets modes read the skb, and asks nothing of headers', () => {
    const chosen = select({ mode: 'sock' });
    const changed = chosen.filter((p) => inTable(p.name)?.read !== p.read);
    expect(changed.length).toBeGreaterThan(5);
    for (const probe of changed) {
      expect(probe, probe.name).toMatchObject({ read: 'sock', a: ['struct sock *'], returns: [] });
      for (const key of ['entry', 'deref', 'withReturn', 'noParse', 'receiving', 'note'] as const)
        expect(probe, probe.name).not.toHaveProperty(key);
      if (inTable(probe.name)?.read !== 'state') expect(probe.b, probe.name).toBeUndefined();
    }
    for (const probe of chosen) expect(['sock', 'rtt'], probe.name).toContain(probe.read);
  });

  it("of sockets keeps the new state where a probe tells of one, and the note where it is the socket's", () => {
    const chosen = select({ mode: 'sock' });
    const state = chosen.find((p) => p.name === 'inet_sock_set_state');
    expect(state).toMatchObject({ read: 'sock', b: [2] });
    // functions are there too, and none of them tells of it
    expect(state).not.toHaveProperty('insteadOf');
    expect(names(select({ mode: 'sock', trace: ['tcp-state'] }))).toContain('inet_sock_set_state');
    expect(chosen.find((p) => p.name === 'inet_listen')?.note).toEqual(inTable('inet_listen')?.note);
  });

  it('of sockets takes functions of the kernel that have a socket, not an skb', (ctx) => {
    const kernel = readKernel(ctx);
    const known = new Set(PROBES.flatMap((p) => [p.name, ...(p.symbols ?? [])]));
    const other = kernel.btf.functions({ pattern: 'tcp_*', pointsTo: 'sock' }).find((f) => !known.has(f.name))!;
    const [probe, ...rest] = selectProbes({ mode: 'sock', trace: [other.name] }, kernel);
    expect(rest).toEqual([]);
    expect(probe).toMatchObject({ name: other.name, read: 'sock', a: ['struct sock *'] });
    expect(probe?.entry).toBeUndefined();
    const withSkb = new Set(kernel.btf.functions({ pattern: 'skb_*', pointsTo: 'sk_buff' }).map((f) => f.name));
    const withSock = new Set(kernel.btf.functions({ pattern: 'skb_*', pointsTo: 'sock' }).map((f) => f.name));
    const skbAlone = [...withSkb].find((name) => !withSock.has(name) && !known.has(name))!;
    const error = refusal(() => selectProbes({ mode: 'sock', trace: [skbAlone] }, kernel));
    expect(error.advice).toBe('the kernel has this function, but it takes no socket');
  });

  it('of sockets has nothing of devices, neighbours and routes', () => {
    for (const probe of select({ mode: 'sock', trace: ['all'] }))
      expect(['neigh', 'device', 'route'], probe.name).not.toContain(inTable(probe.name)?.read);
  });

  it('monitor takes words of its own table alone', (ctx) => {
    const kernel = readKernel(ctx);
    expect(names(selectProbes({ mode: 'monitor', trace: ['kfree_*'] }, kernel))).toEqual(['kfree_skb']);
    const error = refusal(() => selectProbes({ mode: 'monitor', trace: ['ip_rcv'] }, kernel));
    expect(error.message).toBe("'ip_rcv' is not there in this mode");
    expect(error.advice).toContain('nettrace probes');
  });

  it('that is about certain functions takes no others, though their call stacks are asked for', (ctx) => {
    const kernel = readKernel(ctx);
    expect(select({ mode: 'drop', traceStack: ['kfree_skb'] }).map((p) => [p.name, p.stack])).toEqual([
      ['kfree_skb', true],
    ]);
    for (const [mode, word] of [
      ['drop', 'ip_rcv'],
      ['drop', 'ip_*'],
      ['rtt-detail', 'tcp_ack'],
      ['monitor', 'ip_rcv'],
    ] as const) {
      const error = refusal(() => selectProbes({ mode, traceStack: [word] }, kernel));
      expect(error.message).toContain(`'${word}'`);
      expect(error.advice).toContain('nettrace probes');
    }
  });

  it('monitor looks at round-trip times where they are asked for', () => {
    const rtt = (wantRtt: boolean) => select({ mode: 'monitor', wantRtt }).filter((p) => p.read === 'rtt');
    expect(rtt(false)).toEqual([]);
    expect(rtt(true)).toEqual(PROBES.filter((p) => p.read === 'rtt'));
  });

  it('that follows no packets needs no frees and no clones with -t', () => {
    for (const mode of ['basic', 'func-stats'] as const)
      expect(names(select({ mode, trace: ['ip_rcv'] })), mode).toEqual(['ip_rcv']);
    for (const mode of ['life', 'latency', 'latency-summary'] as const)
      expect(names(select({ mode, trace: ['ip_rcv'] })), mode).toEqual([...identity, 'ip_rcv']);
  });

  it('of any name gives each probe once, and never one of owners that nobody asked for', () => {
    for (const mode of MODES) {
      const chosen = select({ mode, traceStack: mode === 'rtt' ? [] : ['all'] });
      expect(new Set(names(chosen)).size, mode).toBe(chosen.length);
      expect(chosen.filter(tracksOwner), mode).toEqual([]);
    }
  });
});

describe('--trace-matcher', () => {
  it('lets packets be seen first there and nowhere else', () => {
    const chosen = select({ traceMatcher: ['ip_rcv', 'icmp'] });
    const entries = names(chosen.filter((p) => p.entry));
    expect(entries).toEqual(names(PROBES.filter((p) => p.name === 'ip_rcv' || p.stage.startsWith('icmp'))));
    expect(names(chosen)).toEqual(expect.arrayContaining(names(PROBES.filter((p) => p.isDefault))));
  });

  it('adds a probe that was not among those of -t', () => {
    const chosen = select({ trace: ['ip_rcv'], traceMatcher: ['tcp_v4_rcv'] });
    expect(asked(chosen).sort()).toEqual(['ip_rcv', 'tcp_v4_rcv']);
    expect(names(chosen.filter((p) => p.entry))).toEqual(['tcp_v4_rcv']);
  });
});

describe('--trace-free', () => {
  it('ends packets there, beside the frees that stay', () => {
    const chosen = select({ traceFree: ['tcp_v4_rcv'] });
    expect(names(chosen.filter((p) => p.end))).toEqual(['tcp_v4_rcv']);
    expect(names(chosen)).toEqual(expect.arrayContaining(identity));
  });

  it('is each free where times are taken and nothing else is said', () => {
    const frees = names(PROBES.filter((p) => p.isDefault && (p.read === 'free' || p.read === 'drop')));
    for (const mode of ['latency', 'latency-summary'] as const) {
      expect(names(select({ mode }).filter((p) => p.end)), mode).toEqual(frees);
      expect(names(select({ mode, traceFree: ['ip_rcv'] }).filter((p) => p.end)), mode).toEqual(['ip_rcv']);
    }
    expect(select({}).filter((p) => p.end)).toEqual([]);
  });
});

describe('--trace-exclude', () => {
  it('leaves functions and groups out', () => {
    const chosen = select({ traceExclude: ['ip_rcv', 'netfilter'] });
    expect(names(chosen)).not.toContain('ip_rcv');
    expect(chosen.some((p) => p.stage === 'netfilter')).toBe(false);
    expect(names(chosen)).toContain('tcp_v4_rcv');
  });

  it('only hides frees where packets are followed: without them traces would mix', () => {
    const chosen = select({ traceExclude: ['consume_skb', 'kfree_skb', 'skb_clone'] });
    expect(names(chosen.filter((p) => p.hidden)).sort()).toEqual(['consume_skb', 'kfree_skb']);
    expect(names(chosen)).not.toContain('skb_clone');
    expect(names(select({ mode: 'basic', traceExclude: ['consume_skb'] }))).not.toContain('consume_skb');
  });

  it('wins over every other list', () => {
    const chosen = select({ trace: ['ip_rcv', 'ip_forward'], traceStack: ['ip_rcv'], traceExclude: ['ip_rcv'] });
    expect(asked(chosen)).toEqual(['ip_forward']);
  });

  it.each<[string, Partial<ProbeChoice>]>([
    ['all', { traceExclude: ['all'] }],
    ['all where functions are counted', { mode: 'func-stats', traceExclude: ['all'] }],
    ['what was asked for', { trace: ['ip_rcv'], traceExclude: ['ip-in'] }],
    ['clones, where nothing else was asked for', { trace: ['skb_clone'], traceNoclone: true }],
    ['all of a mode with functions of its own', { mode: 'monitor', traceExclude: ['all'] }],
  ])('of %s is refused: no line would ever come', (_what, choice) => {
    expect(refusal(() => select(choice)).message).toBe('nothing is left to trace');
  });

  it('leaves a free that was asked for', () => {
    expect(names(select({ trace: ['ip_rcv', 'consume_skb'], traceExclude: ['ip_rcv'] }))).toContain('consume_skb');
    expect(names(select({ trace: ['ip_rcv'], traceStack: ['kfree_skb'], traceExclude: ['ip_rcv'] }))).toContain(
      'kfree_skb',
    );
  });
});

describe('--trace-stack', () => {
  it('reads call stacks there, and adds what was not traced', () => {
    const chosen = select({ trace: ['ip_rcv'], traceStack: ['consume_skb', 'icmp_rcv'] });
    expect(names(chosen.filter((p) => p.stack)).sort()).toEqual(['consume_skb', 'icmp_rcv']);
    expect(asked(chosen).sort()).toEqual(['icmp_rcv', 'ip_rcv']);
  });

  it('does not begin packets where it stands', () => {
    const chosen = select({ trace: ['ip_rcv'], traceStack: ['icmp_rcv'] });
    expect(names(chosen.filter((p) => p.entry && p.name !== 'kfree_skb'))).toEqual(['ip_rcv']);
  });
});

describe('--trace-noclone', () => {
  it('takes no clones, copies and segments into a trace', () => {
    const without = select({ traceNoclone: true });
    expect(without.filter((p) => p.read === 'derive')).toEqual([]);
    expect(without).toHaveLength(select({}).length - PROBES.filter((p) => p.read === 'derive').length);
  });
});

describe('owners of sockets', () => {
  it('are followed by probes of their own, as the table has them, whatever is traced', () => {
    const owners = PROBES.filter(tracksOwner);
    expect(owners.length).toBeGreaterThan(10);
    for (const mode of MODES) expect(select({ mode, wantOwner: true }).filter(tracksOwner), mode).toEqual(owners);
    expect(select({ traceExclude: ['ip_rcv'], wantOwner: true }).filter(tracksOwner)).toEqual(owners);
    const matched = select({ traceMatcher: ['ip_rcv'], wantOwner: true });
    for (const probe of matched.filter(tracksOwner)) expect(probe.entry, probe.name).toBeFalsy();
  });

  it('that are filtered by let a packet be seen first wherever its headers can be read', () => {
    const chosen = select({ filterOwner: true, wantOwner: true });
    const entries = new Set(names(chosen.filter((p) => p.entry)));
    expect(entries.has('tcp_v4_rcv')).toBe(true);
    for (const probe of chosen) {
      if (entries.has(probe.name)) continue;
      expect(
        !carriesSkb(probe) || keepsIdentity(probe) || probe.noParse || probe.name === 'tcp_check_req',
        probe.name,
      ).toBe(true);
    }
  });

  it('that are filtered by do not overrule --trace-matcher', () => {
    const chosen = select({ filterOwner: true, traceMatcher: ['ip_rcv'] });
    expect(names(chosen.filter((p) => p.entry))).toEqual(['ip_rcv']);
  });
});

describe('a word of another mode', () => {
  it('is told from one that nobody knows', (ctx) => {
    const kernel = readKernel(ctx);
    const known = refusal(() => selectProbes({ mode: 'life', trace: ['tcp-rtt'] }, kernel));
    expect(known.message).toBe("'tcp-rtt' is not there in this mode");
    expect(known.advice).toContain('--sock');
    for (const list of ['traceExclude', 'traceStack', 'traceMatcher', 'traceFree'] as const) {
      const unknown = refusal(() => selectProbes({ mode: 'life', [list]: ['no_such'] }, kernel));
      expect(unknown.message, list).toBe("unknown function or group 'no_such'");
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
