import type { BtfFunction, BtfParameter } from '#bpf-loader';
import { ProbeRead as ReadNumber, SpecEntry, SpecField, SpecFlag, SpecTable } from '../generated/layout.js';
import type { Kernel } from './kernel.js';
import { carriesSkb, type ProbeDefinition, type ProbeRead } from './probe-definition.js';

/** A probe as this kernel has it: which symbol, which arguments. */
export interface PlannedProbe {
  definition: ProbeDefinition;
  /** The id that records carry: the index in the plan. */
  id: number;
  /** Symbol to attach to, or the tracepoint's `category:name`. */
  target: string;
  isTracepoint: boolean;
  /** Where the symbol is; a static name may be there more than once. */
  addresses: bigint[];
  /** The function as BTF knows it; null without BTF, or for a symbol with a compiler's suffix. */
  btf: BtfFunction | null;
  /** Argument numbers from 0. */
  skb: number;
  a: number;
  b: number;
  /** The packet's socket. */
  sk: number;
  wantReturn: boolean;
  /** C type of the return value, where BTF says. */
  returnType: string | undefined;
}

/** Why a probe is not in the plan. */
export interface UnavailableProbe {
  definition: ProbeDefinition;
  why: string;
}

export interface AttachPlan {
  probes: PlannedProbe[];
  unavailable: UnavailableProbe[];
}

const NO_ARG = SpecField.noArg;
/** Kprobes see so many register arguments on x86_64; fentry sees twelve. */
const MAX_ARGS = 6;

function plainType(type: string): string {
  return type.replace(/\b(const|volatile) /g, '').trim();
}

function findArgument(wanted: ReadonlyArray<string | number> | undefined, parameters: BtfParameter[]): number {
  for (const want of wanted ?? []) {
    if (typeof want === 'number') return want;
    const found = parameters.findIndex((p) => plainType(p.type) === want);
    if (found >= 0) return found;
  }
  return NO_ARG;
}

function compilerSuffix(definition: ProbeDefinition, name: string, kernel: Kernel): string | undefined {
  const constprop = kernel.symbols.withPrefix(`${name}.constprop.`)[0];
  if (constprop && !constprop.includes('.isra')) return constprop;
  // an .isra clone may have dropped or split arguments: only where the table says where the skb is
  return definition.skb !== undefined ? kernel.symbols.withPrefix(`${name}.isra.`)[0] : undefined;
}

interface Symbol {
  target: string;
  plain: string;
}

function findSymbol(definition: ProbeDefinition, kernel: Kernel): Symbol | undefined {
  for (const name of definition.symbols ?? []) {
    const plain = name.replace(/\.part\.\d+$/, '');
    if (kernel.symbols.lookup(name).length > 0) return { target: name, plain };
    if (name !== plain) continue;
    const suffixed = compilerSuffix(definition, plain, kernel);
    if (suffixed) return { target: suffixed, plain };
  }
  return undefined;
}

function planFunction(
  definition: ProbeDefinition,
  kernel: Kernel,
  allReturns: boolean,
): Omit<PlannedProbe, 'id'> | string {
  const symbol = findSymbol(definition, kernel);
  if (!symbol) return 'this kernel has no such function, or its module is not loaded';
  const found = kernel.btf.function(symbol.plain);
  const parameters = found?.parameters;
  let { skb } = definition;
  let a: number = NO_ARG;
  let b: number = NO_ARG;
  if (parameters) {
    skb ??= parameters.findIndex((p) => p.pointsTo === 'sk_buff' && !p.type.includes('**'));
    a = findArgument(definition.a, parameters);
    b = findArgument(definition.b, parameters);
  } else if (definition.withoutBtf) {
    ({ skb, a = NO_ARG, b = NO_ARG } = definition.withoutBtf);
  } else {
    skb ??= -1;
    a = findArgument(definition.a, []);
    b = findArgument(definition.b, []);
  }
  if (!carriesSkb(definition)) skb = NO_ARG;
  if (skb < 0) return found ? 'it takes no skb in this kernel' : 'BTF does not describe its arguments';
  if (skb !== NO_ARG && skb >= MAX_ARGS) return 'its skb is not among the first six arguments';
  const returnType = found ? plainType(found.returns) : undefined;
  const returns = definition.returns.length > 0 || definition.withReturn || allReturns;
  return {
    definition,
    target: symbol.target,
    isTracepoint: false,
    addresses: kernel.symbols.lookup(symbol.target).map((s) => s.address),
    btf: found && symbol.target === symbol.plain ? found : null,
    skb,
    a,
    b,
    sk: socketArgument(parameters),
    wantReturn: Boolean(returns) && returnType !== 'void' && !READS_VALUE.has(definition.read),
    returnType,
  };
}

function planTracepoint(definition: ProbeDefinition, kernel: Kernel): Omit<PlannedProbe, 'id'> | string {
  const target = definition.tracepoint ?? '';
  const parameters = kernel.btf.tracepoint(target.split(':')[1] ?? '');
  if (!parameters) return 'this kernel has no such tracepoint';
  const found = parameters.findIndex((p) => p.pointsTo === 'sk_buff');
  const skb = carriesSkb(definition) ? (definition.skb ?? found) : NO_ARG;
  if (skb < 0 || (skb !== NO_ARG && skb >= parameters.length)) return 'it carries no skb in this kernel';
  return {
    definition,
    target,
    isTracepoint: true,
    addresses: [],
    btf: null,
    skb,
    a: findArgument(definition.a, parameters),
    b: findArgument(definition.b, parameters),
    sk: socketArgument(parameters),
    wantReturn: false,
    returnType: undefined,
  };
}

/** Kprobes see register arguments only; a socket further behind is the skb's own to tell. */
function socketArgument(parameters: readonly BtfParameter[] | undefined): number {
  const at = parameters?.findIndex((p) => plainType(p.type) === 'struct sock *') ?? -1;
  return at >= 0 && at < MAX_ARGS ? at : NO_ARG;
}

/** READ_* whose visit brings a number in the place of the return value: the rules are for that one. */
const READS_VALUE = new Set<ProbeRead>(['value', 'route_error']);

/** READ_* that make no sense without their argument. */
const NEEDS_A = new Set<ProbeRead>([
  'hook_state',
  'nft_chain',
  'nft_rule',
  'xt_table',
  'socket_transmit',
  'segment',
  'packet',
  'value',
  'state',
  'route',
  'listen',
  'sock',
  'rtt',
  'neigh',
  'device',
  'own',
  'own_state',
  'disown',
]);

/** Finds each probe in this kernel. `allReturns`: the return value of every function is wanted (--ret). */
export function planProbes(definitions: readonly ProbeDefinition[], kernel: Kernel, allReturns: boolean): AttachPlan {
  const plan: AttachPlan = { probes: [], unavailable: [] };
  for (const definition of definitions) {
    const planned = definition.tracepoint
      ? planTracepoint(definition, kernel)
      : planFunction(definition, kernel, allReturns);
    if (typeof planned === 'string') plan.unavailable.push({ definition, why: planned });
    else if (NEEDS_A.has(definition.read) && planned.a === NO_ARG) {
      plan.unavailable.push({ definition, why: 'an argument that it reads has another type in this kernel' });
    } else plan.probes.push({ ...planned, id: plan.probes.length });
  }
  return plan;
}

/** `read` of the table as the kernel side's number. */
const READS: Readonly<Record<ProbeRead, number>> = {
  nothing: ReadNumber.nothing,
  hook_state: ReadNumber.hookState,
  nft_chain: ReadNumber.nftChain,
  nft_rule: ReadNumber.nftRule,
  xt_table: ReadNumber.xtTable,
  drop: ReadNumber.drop,
  free: ReadNumber.free,
  derive: ReadNumber.derive,
  socket: ReadNumber.socket,
  socket_transmit: ReadNumber.socketTransmit,
  reset: ReadNumber.reset,
  segment: ReadNumber.segment,
  packet: ReadNumber.packet,
  route_error: ReadNumber.routeError,
  value: ReadNumber.value,
  state: ReadNumber.state,
  route: ReadNumber.route,
  listen: ReadNumber.listen,
  sock: ReadNumber.sock,
  rtt: ReadNumber.rtt,
  neigh: ReadNumber.neigh,
  device: ReadNumber.device,
  own: ReadNumber.own,
  own_return: ReadNumber.ownReturn,
  own_state: ReadNumber.ownState,
  disown: ReadNumber.disown,
};

/** Factors that are tried; with a default set one of the first few does. */
const MAX_FACTORS = 5000;
const TABLE_ENTRIES = (SpecTable.size - SpecTable.entry) / SpecEntry.size;
const TABLE_SHIFT = 32 - Math.log2(TABLE_ENTRIES);

/** struct spec_table for these specs by the address of their function; undefined where there is none. */
export function specTable(specs: ReadonlyMap<bigint, bigint>): Buffer | undefined {
  const addresses = [...specs.keys()];
  if (addresses.includes(0n)) return undefined;
  const low = Uint32Array.from(addresses, (address) => Number(address & 0xffff_ffffn));
  const taken = new Uint32Array(TABLE_ENTRIES);
  for (let attempt = 1; attempt <= MAX_FACTORS; attempt++) {
    const factor = (Math.imul(attempt, 0x9e3779b1) | 1) >>> 0;
    const places = low.map((address) => Math.imul(address, factor) >>> TABLE_SHIFT);
    const isFree = (place: number) => {
      const free = taken[place] !== attempt;
      taken[place] = attempt;
      return free;
    };
    if (!places.every(isFree)) continue;
    const table = Buffer.alloc(SpecTable.size);
    table.writeUInt32LE(factor, SpecTable.factor);
    for (const [i, address] of addresses.entries()) {
      const entry = SpecTable.entry + SpecEntry.size * (places[i] ?? 0);
      table.writeBigUInt64LE(address, entry + SpecEntry.address);
      table.writeBigUInt64LE(specs.get(address) ?? 0n, entry + SpecEntry.spec);
    }
    return table;
  }
  return undefined;
}

/** Where a packet may be before the kernel writes down by which device it came. */
const COMES_IN = new Set(['device-in', 'life']);

/** The 64-bit spec that the attachment carries; its fields are enum spec_field in bpf/config.h. */
export function probeSpec(probe: PlannedProbe, withReturn: boolean): bigint {
  const { definition } = probe;
  let flags = 0;
  if (definition.entry) flags |= SpecFlag.entry;
  if (definition.deref) flags |= SpecFlag.deref;
  if (definition.noParse) flags |= SpecFlag.noParse;
  if (definition.receiving) flags |= SpecFlag.receiving;
  if (definition.stack) flags |= SpecFlag.stack;
  if (definition.end) flags |= SpecFlag.end;
  if (COMES_IN.has(definition.stage)) flags |= SpecFlag.comesIn;
  if (withReturn) flags |= SpecFlag.wantReturn;
  const field = (value: number, shift: number) => BigInt(value) << BigInt(shift);
  return (
    field(probe.id, SpecField.probeShift) |
    field(READS[definition.read], SpecField.readShift) |
    field(flags, SpecField.flagsShift) |
    field(probe.skb, SpecField.skbShift) |
    field(probe.a, SpecField.argAShift) |
    field(probe.b, SpecField.argBShift) |
    field(probe.btf?.parameters.length ?? 0, SpecField.nargsShift) |
    field(probe.sk, SpecField.skShift)
  );
}
