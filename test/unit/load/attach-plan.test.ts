import { describe, expect, it } from 'vitest';
import { ProbeRead, SpecField, SpecFlag } from '../../../src/generated/layout.js';
import { PROBES } from '../../../src/generated/probes.js';
import { type PlannedProbe, planProbes, probeSpec } from '../../../src/load/attach-plan.js';
import { carriesSkb, type ProbeDefinition } from '../../../src/load/probe-definition.js';
import { kernelWithSymbols, readKernel } from '../../support/real-kernel.js';
import { attached, probeNamed } from '../../support/traces.js';

/** The fields of a spec, as the kernel side takes them out. */
function fields(spec: bigint) {
  const bits = (shift: number, width: number) => Number((spec >> BigInt(shift)) & ((1n << BigInt(width)) - 1n));
  return {
    probe: bits(SpecField.probeShift, 16),
    read: bits(SpecField.readShift, 8),
    flags: bits(SpecField.flagsShift, 8),
    skb: bits(SpecField.skbShift, 4),
    a: bits(SpecField.argAShift, 4),
    b: bits(SpecField.argBShift, 4),
    nargs: bits(SpecField.nargsShift, 4),
    sk: bits(SpecField.skShift, 4),
  };
}

const func = (name: string, more: Partial<ProbeDefinition> = {}): ProbeDefinition => ({
  name,
  stage: 'ip-in',
  groups: [],
  isDefault: true,
  symbols: [name],
  read: 'nothing',
  returns: [],
  ...more,
});

const at = (name: string, i = 0) => `ffffffff81a${i.toString(16)}0000 t ${name}`;

describe('the plan of this kernel', () => {
  it('has each probe of the table once: planned, or not available with a reason', (ctx) => {
    const plan = planProbes(PROBES, readKernel(ctx), false);
    const all = [...plan.probes.map((p) => p.definition.name), ...plan.unavailable.map((p) => p.definition.name)];
    expect(all.sort()).toEqual(PROBES.map((p) => p.name).sort());
    for (const { why } of plan.unavailable) expect(why).toMatch(/kernel|BTF|argument/);
    expect(plan.probes.length).toBeGreaterThan(PROBES.length / 2);
  });

  it('numbers the probes as records carry them', (ctx) => {
    const plan = planProbes(PROBES, readKernel(ctx), false);
    expect(plan.probes.map((p) => p.id)).toEqual(plan.probes.map((_, i) => i));
  });

  it('has the skb where BTF says that it is', (ctx) => {
    const { btf } = readKernel(ctx);
    const plan = planProbes(PROBES, readKernel(ctx), false);
    const described = plan.probes.filter((p) => p.btf && p.definition.skb === undefined && carriesSkb(p.definition));
    expect(described.length).toBeGreaterThan(20);
    for (const probe of described) {
      expect(btf.function(probe.btf!.name)?.parameters[probe.skb], probe.definition.name).toMatchObject({
        pointsTo: 'sk_buff',
      });
    }
  });

  it('has the skb of the table at a place where this kernel has one too', (ctx) => {
    const plan = planProbes(PROBES, readKernel(ctx), false);
    const fixed = plan.probes.filter(
      ({ btf, definition }) => btf && definition.skb !== undefined && !definition.deref && carriesSkb(definition),
    );
    for (const probe of fixed) {
      expect(probe.btf!.parameters[probe.skb], probe.definition.name).toMatchObject({ pointsTo: 'sk_buff' });
    }
  });

  it('has the addresses of each function, and none for tracepoints', (ctx) => {
    const kernel = readKernel(ctx);
    for (const probe of planProbes(PROBES, kernel, false).probes) {
      expect(probe.addresses.length > 0).toBe(!probe.isTracepoint);
      if (!probe.isTracepoint && !kernel.symbols.hidden) {
        expect(kernel.symbolText(probe.addresses[0]!)).toMatch(/\+0x0( \[\w+\])?$/);
      }
    }
  });

  it('asks for returns where a rule needs one, and for all with --ret, but never of void, nor where a number is read', (ctx) => {
    const kernel = readKernel(ctx);
    const wanted = (allReturns: boolean) =>
      new Map(planProbes(PROBES, kernel, allReturns).probes.map((p) => [p.definition.name, p]));
    const few = wanted(false);
    const all = wanted(true);
    for (const [name, probe] of few) {
      const { returns, withReturn, read } = probe.definition;
      const readsNumber = read === 'value' || read === 'route_error';
      const mayReturn = !probe.isTracepoint && probe.returnType !== 'void' && !readsNumber;
      expect(probe.wantReturn, name).toBe(mayReturn && Boolean(returns.length > 0 || withReturn));
      expect(all.get(name)?.wantReturn, name).toBe(mayReturn);
    }
    expect([...few.values()].some((p) => p.wantReturn)).toBe(true);
    expect([...all.values()].some((p) => !p.isTracepoint && p.returnType === 'void')).toBe(true);
  });
});

describe('a function', () => {
  it('is found under the first of its names that this kernel has', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core', 1), at('ip_rcv', 2)]);
    const [probe] = planProbes([func('x', { symbols: ['no_such', 'ip_rcv', 'ip_rcv_core'] })], kernel, false).probes;
    expect(probe).toMatchObject({ target: 'ip_rcv', skb: 0 });
    expect(probe?.addresses).toEqual([0xffffffff81a20000n]);
  });

  it('that the compiler made a constprop clone of is attached there, with its arguments as they were', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core.constprop.0')]);
    const [probe] = planProbes([func('ip_rcv_core')], kernel, false).probes;
    expect(probe).toMatchObject({ target: 'ip_rcv_core.constprop.0', skb: 0, btf: null });
  });

  it('whose beginning is inlined is attached at the part that all callers reach, where the table names it', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core', 1), at('ip_rcv_core.part.0')]);
    const symbols = ['ip_rcv_core.part.0', 'ip_rcv_core'];
    const [probe] = planProbes([func('x', { symbols })], kernel, false).probes;
    expect(probe).toMatchObject({ target: 'ip_rcv_core.part.0', skb: 0, btf: null });
    const whole = kernelWithSymbols(ctx, [at('ip_rcv_core', 1), at('ip_rcv_core.constprop.0')]);
    expect(planProbes([func('x', { symbols })], whole, false).probes[0]).toMatchObject({ target: 'ip_rcv_core' });
  });

  it('of which there is only an isra clone is not trusted, unless the table says where the skb is', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core.isra.0'), at('ip_rcv_core.constprop.0.isra.0', 1)]);
    const plan = planProbes([func('ip_rcv_core'), func('y', { symbols: ['ip_rcv_core'], skb: 0 })], kernel, false);
    expect(plan.unavailable.map((u) => u.definition.name)).toEqual(['ip_rcv_core']);
    expect(plan.probes.map((p) => p.target)).toEqual(['ip_rcv_core.isra.0']);
  });

  it('that is there more than once has all addresses', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core', 1), at('ip_rcv_core', 2)]);
    expect(planProbes([func('ip_rcv_core')], kernel, false).probes[0]?.addresses).toHaveLength(2);
  });

  it('that cannot be traced says why', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('schedule'), at('no_btf_for_this', 1)]);
    const { probes, unavailable } = planProbes(
      [func('ip_rcv_core'), func('schedule'), func('no_btf_for_this')],
      kernel,
      false,
    );
    expect(probes).toEqual([]);
    expect(unavailable.map((u) => [u.definition.name, u.why])).toEqual([
      ['ip_rcv_core', 'this kernel has no such function, or its module is not loaded'],
      ['schedule', 'it takes no skb in this kernel'],
      ['no_btf_for_this', 'BTF does not describe its arguments'],
    ]);
  });

  it('without BTF takes its arguments from the table', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('no_btf_for_this')]);
    const definition = func('no_btf_for_this', { withoutBtf: { skb: 1, a: 2 }, read: 'xt_table' });
    const [probe] = planProbes([definition], kernel, false).probes;
    expect(probe).toMatchObject({ skb: 1, a: 2, b: SpecField.noArg, btf: null, returnType: undefined });
  });

  it('whose argument to read has another type here is not available', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core')]);
    const definition = func('ip_rcv_core', { read: 'hook_state', a: ['struct nf_hook_state *'] });
    const { unavailable } = planProbes([definition], kernel, false);
    expect(unavailable[0]?.why).toBe('an argument that it reads has another type in this kernel');
  });

  it('finds an argument by its type, past const', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('nf_hook_slow')]);
    ctx.skip(!kernel.btf.function('nf_hook_slow'), 'this kernel has no netfilter');
    const [probe] = planProbes([probeNamed('nf_hook_slow')], kernel, false).probes;
    const parameters = kernel.btf.function('nf_hook_slow')!.parameters;
    expect(parameters[probe!.a]?.pointsTo).toBe('nf_hook_state');
  });
});

describe('the socket among the arguments', () => {
  it('is where BTF says that it is, past const, for each planned function', (ctx) => {
    const { probes } = planProbes(PROBES, readKernel(ctx), false);
    const withSocket = probes.filter((p) => p.btf && p.sk !== SpecField.noArg);
    expect(withSocket.length).toBeGreaterThan(10);
    for (const probe of withSocket) {
      expect(probe.btf!.parameters[probe.sk], probe.definition.name).toMatchObject({ pointsTo: 'sock' });
      expect(probe.sk, probe.definition.name).toBeLessThan(6);
    }
    for (const probe of probes.filter((p) => p.btf && p.sk === SpecField.noArg)) {
      const reachable = probe.btf!.parameters.slice(0, 6);
      expect(
        reachable.filter((p) => p.type === 'struct sock *'),
        probe.definition.name,
      ).toEqual([]);
    }
  });

  it('is none where BTF does not describe the arguments', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('no_btf_for_this')]);
    const [probe] = planProbes([func('no_btf_for_this', { withoutBtf: { skb: 0 } })], kernel, false).probes;
    expect(probe?.sk).toBe(SpecField.noArg);
  });
});

describe('a probe without an skb', () => {
  const socketProbe = (name: string, more: Partial<ProbeDefinition> = {}) =>
    func(name, { read: 'sock', a: ['struct sock *'], ...more });

  it('needs none: its socket is enough', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('inet_csk_clear_xmit_timers'), at('tcp_ack', 1)]);
    const { probes, unavailable } = planProbes(
      [socketProbe('inet_csk_clear_xmit_timers'), socketProbe('tcp_ack')],
      kernel,
      false,
    );
    expect(unavailable).toEqual([]);
    expect(probes.map((p) => [p.skb, p.a, p.sk])).toEqual([
      [SpecField.noArg, 0, 0],
      [SpecField.noArg, 0, 0],
    ]);
  });

  it('but whose function has no socket either is not available', (ctx) => {
    const kernel = kernelWithSymbols(ctx, [at('ip_rcv_core')]);
    const { probes, unavailable } = planProbes([socketProbe('ip_rcv_core')], kernel, false);
    expect(probes).toEqual([]);
    expect(unavailable[0]?.why).toBe('an argument that it reads has another type in this kernel');
  });

  it('is planned for tracepoints too', (ctx) => {
    const kernel = readKernel(ctx);
    const definition = probeNamed('inet_sock_set_state');
    const [probe] = planProbes([definition], kernel, false).probes;
    expect(probe).toMatchObject({ isTracepoint: true, skb: SpecField.noArg, a: 0, b: 2, sk: 0 });
  });

  it('of each kind of the table has no skb in its spec', (ctx) => {
    for (const probe of planProbes(PROBES, readKernel(ctx), false).probes)
      expect(fields(probeSpec(probe, false)).skb === SpecField.noArg, probe.definition.name).toBe(
        !carriesSkb(probe.definition),
      );
  });
});

describe('a tracepoint', () => {
  it('that this kernel lacks is not available', (ctx) => {
    const { symbols: _symbols, ...bare } = func('x');
    const { unavailable } = planProbes([{ ...bare, tracepoint: 'net:no_such_tracepoint' }], readKernel(ctx), false);
    expect(unavailable[0]?.why).toBe('this kernel has no such tracepoint');
  });

  it('has its skb where BTF says that it is', (ctx) => {
    const kernel = readKernel(ctx);
    const [probe] = planProbes([probeNamed('kfree_skb')], kernel, false).probes;
    expect(probe).toMatchObject({ isTracepoint: true, target: 'skb:kfree_skb', wantReturn: false });
    expect(kernel.btf.tracepoint('kfree_skb')?.[probe!.skb]).toMatchObject({ pointsTo: 'sk_buff' });
  });

  it('without an skb says so', (ctx) => {
    const { symbols: _symbols, ...bare } = func('x');
    const { unavailable } = planProbes([{ ...bare, tracepoint: 'sched:sched_switch' }], readKernel(ctx), false);
    expect(unavailable[0]?.why).toBe('it carries no skb in this kernel');
  });
});

describe('a spec', () => {
  const planned = (definition: ProbeDefinition, more: Partial<PlannedProbe> = {}): PlannedProbe => ({
    ...attached(definition, 0, 'int').probe,
    ...more,
  });

  it('holds id, skb and arguments', () => {
    const probe = planned(func('x'), { id: 0xabcd, skb: 5, a: 3, b: SpecField.noArg, sk: SpecField.noArg });
    expect(fields(probeSpec(probe, false))).toEqual({
      probe: 0xabcd,
      read: 0,
      flags: 0,
      skb: 5,
      a: 3,
      b: 15,
      nargs: 0,
      sk: 15,
    });
  });

  it('holds the flags that the table sets, and whether a return will come', () => {
    const flags = (definition: ProbeDefinition, withReturn = false) =>
      fields(probeSpec(planned(definition), withReturn)).flags;
    expect(flags(func('x'))).toBe(0);
    expect(flags(func('x', { entry: true }))).toBe(SpecFlag.entry);
    expect(flags(func('x', { deref: true }))).toBe(SpecFlag.deref);
    expect(flags(func('x', { noParse: true }))).toBe(SpecFlag.noParse);
    expect(flags(func('x', { receiving: true }))).toBe(SpecFlag.receiving);
    expect(flags(func('x', { stack: true }))).toBe(SpecFlag.stack);
    expect(flags(func('x', { end: true }))).toBe(SpecFlag.end);
    expect(flags(func('x', { hidden: true }))).toBe(0);
    expect(flags(func('x'), true)).toBe(SpecFlag.wantReturn);
    expect(flags(func('x', { entry: true, stack: true, end: true }), true)).toBe(
      SpecFlag.entry | SpecFlag.stack | SpecFlag.end | SpecFlag.wantReturn,
    );
  });

  it('of each probe of the table asks for a read that the kernel side knows', () => {
    const known = new Set<number>(Object.values(ProbeRead));
    const seen = new Set<number>();
    for (const definition of PROBES) {
      const { read, probe } = fields(probeSpec(planned(definition, { id: 7 }), false));
      expect(known.has(read), definition.name).toBe(true);
      expect(read === ProbeRead.nothing, definition.name).toBe(definition.read === 'nothing');
      expect(probe).toBe(7);
      seen.add(read);
    }
    expect(seen).toEqual(known);
  });

  it('tells how many arguments there are, where BTF says', (ctx) => {
    const kernel = readKernel(ctx);
    for (const probe of planProbes(PROBES, kernel, false).probes) {
      expect(fields(probeSpec(probe, false)).nargs).toBe(probe.btf?.parameters.length ?? 0);
    }
  });
});
