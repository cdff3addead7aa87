import { UsageError } from '../errors.js';
import { HOOK_STAGE } from '../explain/hooks.js';
import { PROBES } from '../generated/probes.js';
import { followsPackets, type Mode, watchesSockets } from '../modes.js';
import type { Kernel } from './kernel.js';
import { carriesSkb, type ProbeDefinition, tracksOwner } from './probe-definition.js';

const IDENTITY_READS = new Set(['drop', 'free', 'derive']);

/** Does this probe begin or end an skb's part in a trace? Those are always attached: without them traces mix. */
export function keepsIdentity(probe: ProbeDefinition): boolean {
  return IDENTITY_READS.has(probe.read);
}

/** Which probes a run wants; see TraceOptions for the lists. */
export interface ProbeChoice {
  mode: Mode;
  trace?: readonly string[];
  traceExclude?: readonly string[];
  traceStack?: readonly string[];
  traceMatcher?: readonly string[];
  traceFree?: readonly string[];
  traceNoclone?: boolean;
  /** Owners of sockets are wanted, ... */
  wantOwner?: boolean;
  /** ... and asked for by the filter: packets may be seen for the first time wherever their socket is known. */
  filterOwner?: boolean;
  /** Functions registered at netfilter hooks are asked which of them returned the verdict. */
  hooks?: boolean;
  /** Round-trip times are wanted in --monitor. */
  wantRtt?: boolean;
}

export function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}

/** A probe for a function that the table does not know but that the kernel has. */
function probeForFunction(name: string, mode: Mode): ProbeDefinition {
  const read = watchesSockets(mode) ? 'sock' : 'nothing';
  const a = watchesSockets(mode) ? { a: ['struct sock *'] } : {};
  return { name, stage: 'other', groups: [], isDefault: false, symbols: [name], read, ...a, returns: [] };
}

function kernelFunctions(kernel: Pick<Kernel, 'btf'>, pattern: string, mode: Mode): ProbeDefinition[] {
  if (isFixed(mode)) return [];
  const pointsTo = watchesSockets(mode) ? 'sock' : 'sk_buff';
  return kernel.btf.functions({ pattern, pointsTo }).map((f) => probeForFunction(f.name, mode));
}

/** All functions of the shape of a netfilter hook function (nf_hookfn), whoever has registered them. Their lines are not shown. */
function hookFunctions(kernel: Pick<Kernel, 'btf'>): ProbeDefinition[] {
  return kernel.btf
    .functions({ pointsTo: 'nf_hook_state' })
    .filter(({ parameters, returns }) => {
      const [priv, skb, state, ...more] = parameters.map((p) => p.pointsTo);
      return (
        priv === null &&
        skb === 'sk_buff' &&
        state === 'nf_hook_state' &&
        more.length === 0 &&
        returns === 'unsigned int'
      );
    })
    .map(({ name }) => ({
      name,
      stage: HOOK_STAGE,
      groups: [],
      isDefault: false,
      symbols: [name],
      read: 'nothing',
      returns: [
        {
          when: { mask: 0xff, eq: 0 },
          note: { level: 'error', text: 'packet is dropped by this netfilter hook function' },
        },
      ],
      show: 'verdict',
      hidden: true,
    }));
}

/** A packet's probe as --sock uses it: the socket among its arguments in place of the skb. */
function forSockets(probe: ProbeDefinition): ProbeDefinition {
  if (probe.read === 'sock' || probe.read === 'rtt') return probe;
  const { entry: _e, deref: _d, withReturn: _w, noParse: _n, receiving: _r, note: _o, b, ...rest } = probe;
  const isState = probe.read === 'state';
  // no function tells of the state that it leaves behind
  if (isState) delete rest.insteadOf;
  return { ...rest, ...(isState && b ? { b } : {}), read: 'sock', a: ['struct sock *'], returns: [] };
}

/** Modes that are about certain functions: others of the kernel would be reported as what they are not. */
function isFixed(mode: Mode): boolean {
  return mode === 'drop' || mode === 'monitor' || mode === 'rtt' || mode === 'rtt-detail';
}

/** The table as this mode sees it; what makes no sense in it is left out. */
function tableFor(mode: Mode): readonly ProbeDefinition[] {
  const table = PROBES.filter((p) => !tracksOwner(p));
  if (mode === 'drop') return table.filter((p) => p.read === 'drop');
  if (mode === 'rtt' || mode === 'rtt-detail') return table.filter((p) => p.read === 'rtt');
  if (watchesSockets(mode)) return table.filter((p) => !['neigh', 'device', 'route'].includes(p.read)).map(forSockets);
  if (mode === 'monitor') return table.filter((p) => p.monitor);
  if (mode === 'life') return table.filter((p) => carriesSkb(p) || p.read === 'state' || p.read === 'route');
  return table.filter(carriesSkb);
}

function defaultsFor(mode: Mode, table: readonly ProbeDefinition[]): readonly ProbeDefinition[] {
  switch (mode) {
    case 'sock':
      return table.filter((p) => p.sock);
    default:
      return isFixed(mode) ? table : table.filter((p) => p.isDefault);
  }
}

function noSuchWord(word: string, kernel: Pick<Kernel, 'btf'>, mode: Mode): UsageError {
  if (/[*?]/.test(word)) {
    return new UsageError(`no function matches '${word}'`, {
      advice: watchesSockets(mode)
        ? 'only functions with a socket among their arguments can be traced here; nettrace probes lists the table'
        : 'only functions with an skb among their arguments can be traced; nettrace probes lists the table',
    });
  }
  const known = PROBES.some((p) => p.name === word || p.stage === word || p.groups.includes(word));
  if (known) {
    return new UsageError(`'${word}' is not there in this mode`, {
      advice: 'nettrace probes lists groups and functions; those of sockets go with --sock',
    });
  }
  return new UsageError(`unknown function or group '${word}'`, {
    advice: kernel.btf.function(word)
      ? `the kernel has this function, but it takes no ${watchesSockets(mode) ? 'socket' : 'skb'}`
      : 'nettrace probes lists groups and functions',
  });
}

/** Does this name of a function or a group, no glob, mean the probe? */
export function isMeant(probe: ProbeDefinition, word: string): boolean {
  const { name, stage, groups, symbols } = probe;
  return name === word || stage === word || groups.includes(word) || Boolean(symbols?.includes(word));
}

/** The probes that one word means. */
function selectOne(
  word: string,
  table: readonly ProbeDefinition[],
  kernel: Pick<Kernel, 'btf'>,
  mode: Mode,
): readonly ProbeDefinition[] {
  if (word === 'all') return table;
  if (/[*?]/.test(word)) {
    const pattern = globToRegExp(word);
    const known = table.filter((p) => pattern.test(p.name));
    if (mode === 'monitor') return known;
    const names = new Set(known.flatMap((p) => [p.name, ...(p.symbols ?? [])]));
    return [...known, ...kernelFunctions(kernel, word, mode).filter((p) => !names.has(p.name))];
  }
  const known = table.filter((p) => isMeant(p, word));
  return known.length > 0 || mode === 'monitor' ? known : kernelFunctions(kernel, word, mode);
}

/** All that was asked for was left out again. */
export function nothingLeft(): UsageError {
  return new UsageError('nothing is left to trace', {
    advice: '--trace-exclude (and --trace-noclone) leave out all that would be traced',
  });
}

/** The probes of one run, while options are applied to them. */
class Selection {
  readonly chosen = new Map<string, ProbeDefinition>();
  /** Chosen only because traces would mix without them. */
  readonly companions = new Set<string>();
  readonly #table: readonly ProbeDefinition[];
  readonly #kernel: Pick<Kernel, 'btf'>;
  readonly #mode: Mode;

  constructor(table: readonly ProbeDefinition[], kernel: Pick<Kernel, 'btf'>, mode: Mode) {
    this.#table = table;
    this.#kernel = kernel;
    this.#mode = mode;
  }

  /** Names of what the words mean. Throws UsageError for a word that fits nothing. */
  resolve(words: readonly string[] | undefined): ReadonlyMap<string, ProbeDefinition> {
    const found = new Map<string, ProbeDefinition>();
    for (const word of words ?? []) {
      const probes = selectOne(word, this.#table, this.#kernel, this.#mode);
      if (probes.length === 0) throw noSuchWord(word, this.#kernel, this.#mode);
      for (const probe of probes) found.set(probe.name, probe);
    }
    return found;
  }

  add(probe: ProbeDefinition): void {
    this.companions.delete(probe.name);
    this.chosen.set(probe.name, probe);
  }

  addCompanion(probe: ProbeDefinition): void {
    this.add(probe);
    this.companions.add(probe.name);
  }

  change(name: string, change: Partial<ProbeDefinition>): void {
    const probe = this.chosen.get(name);
    if (probe) this.chosen.set(name, { ...probe, ...change });
  }
}

/** May a packet be seen here for the first time, because the user named this probe? */
function canBegin(probe: ProbeDefinition): boolean {
  return carriesSkb(probe) && !keepsIdentity(probe) && !probe.noParse && !probe.a?.includes('struct request_sock *');
}

function addWanted(selection: Selection, choice: ProbeChoice, table: readonly ProbeDefinition[]): void {
  const { mode, trace = [] } = choice;
  if (trace.length === 0) {
    for (const probe of defaultsFor(mode, table)) selection.add(probe);
  } else {
    if (followsPackets(mode))
      for (const probe of table) if (probe.isDefault && keepsIdentity(probe)) selection.addCompanion(probe);
    const everything = trace.includes('all');
    if (trace.includes('default')) for (const probe of defaultsFor(mode, table)) selection.add(probe);
    for (const probe of selection.resolve(trace.filter((word) => word !== 'default')).values()) {
      if (trace.includes('default') && selection.chosen.has(probe.name)) continue;
      const entry = probe.entry || (canBegin(probe) && !everything);
      selection.add(entry ? { ...probe, entry: true } : probe);
    }
  }
  if (mode === 'monitor' && choice.wantRtt) for (const probe of PROBES) if (probe.read === 'rtt') selection.add(probe);
}

function applyLists(selection: Selection, choice: ProbeChoice): void {
  const { mode } = choice;
  const stacks = selection.resolve(choice.traceStack);
  const begins = selection.resolve(choice.traceMatcher);
  const ends = selection.resolve(choice.traceFree);
  for (const [name, probe] of [...stacks, ...begins, ...ends]) {
    selection.companions.delete(name);
    if (!selection.chosen.has(name)) selection.add(probe);
  }
  for (const name of stacks.keys()) selection.change(name, { stack: true });
  if (begins.size > 0) for (const name of selection.chosen.keys()) selection.change(name, { entry: begins.has(name) });
  for (const name of ends.keys()) selection.change(name, { end: true });
  if (ends.size === 0 && mode !== 'life' && followsPackets(mode)) {
    for (const [name, probe] of selection.chosen)
      if (probe.read === 'drop' || probe.read === 'free') selection.change(name, { end: true });
  }
  for (const name of selection.resolve(choice.traceExclude).keys()) {
    const probe = selection.chosen.get(name);
    if (probe && followsPackets(mode) && (probe.read === 'drop' || probe.read === 'free'))
      selection.change(name, { hidden: true });
    else selection.chosen.delete(name);
  }
  if (choice.traceNoclone)
    for (const [name, probe] of selection.chosen) if (probe.read === 'derive') selection.chosen.delete(name);
  const isLeft = ({ name, hidden }: ProbeDefinition) => !hidden && !selection.companions.has(name);
  if (![...selection.chosen.values()].some(isLeft)) throw nothingLeft();
}

/**
 * The probes that a run wants: the mode's default set, or what `trace` names, changed by the other lists. A packet's
 * probe that was asked for is an entry: packets may be seen there for the first time. Frees that are excluded stay, hidden,
 * where packets are followed. Throws UsageError for a word that fits nothing, and where nothing is left.
 */
export function selectProbes(choice: ProbeChoice, kernel: Pick<Kernel, 'btf'>): ProbeDefinition[] {
  const table = tableFor(choice.mode);
  const selection = new Selection(table, kernel, choice.mode);
  addWanted(selection, choice, table);
  applyLists(selection, choice);
  if (choice.filterOwner && !choice.traceMatcher?.length) {
    for (const [name, probe] of selection.chosen) if (canBegin(probe)) selection.change(name, { entry: true });
  }
  if (choice.hooks)
    for (const probe of hookFunctions(kernel)) if (!selection.chosen.has(probe.name)) selection.add(probe);
  if (choice.wantOwner) for (const probe of PROBES) if (tracksOwner(probe)) selection.add(probe);
  return [...selection.chosen.values()];
}
