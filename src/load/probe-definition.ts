import type { NoteLevel } from '../types.js';

/** A note as the probe table declares it; `%v` in the text stands for the value. */
export interface NoteDefinition {
  level: NoteLevel;
  text: string;
  advice?: string;
  /** Id in src/explain/causes: what a verdict says of it. */
  cause?: string;
  /** What is read and shown with the advice; see bpf/drop-reasons.yaml for the forms. */
  values?: readonly string[];
}

/** What BTF says that a function returns: enum skb_drop_reason, bool, a pointer, any other; `int` also without BTF. */
export type ReturnKind = 'reason' | 'bool' | 'pointer' | 'int';

/** All conditions that are given must hold; `mask` is applied first. */
export interface ReturnCondition {
  type?: readonly ReturnKind[];
  /** The value, or what it is the negative of, is one of these drop reasons; no number is one where the kernel lacks it. */
  reason?: readonly string[];
  /** This kernel's enum skb_drop_reason has that name; with ! in front: it has not. */
  hasReason?: string;
  mask?: number;
  eq?: number;
  ne?: number;
  lt?: number;
  gt?: number;
}

export interface ReturnRule {
  when: ReturnCondition;
  note: NoteDefinition;
}

export type ProbeRead =
  | 'nothing'
  | 'hook_state'
  | 'nft_chain'
  | 'nft_rule'
  | 'xt_table'
  | 'drop'
  | 'free'
  | 'derive'
  | 'socket'
  | 'socket_transmit'
  | 'reset'
  | 'segment'
  | 'value'
  | 'state'
  | 'route'
  | 'listen'
  | 'packet'
  | 'route_error'
  | 'sock'
  | 'rtt'
  | 'neigh'
  | 'device'
  | 'own'
  | 'own_return'
  | 'own_state'
  | 'disown';

export type ValueFormat = 'errno' | 'reason' | 'verdict' | 'hex' | 'number';

/** One entry of bpf/probes.yaml; see there for what each field means. */
export interface ProbeDefinition {
  name: string;
  stage: string;
  groups: readonly string[];
  isDefault: boolean;
  /** Names of the function in different kernels, best first; absent for a tracepoint. */
  symbols?: readonly string[];
  /** `category:name` */
  tracepoint?: string;
  insteadOf?: readonly string[];
  skb?: number;
  deref?: boolean;
  entry?: boolean;
  read: ProbeRead;
  a?: ReadonlyArray<string | number>;
  b?: ReadonlyArray<string | number>;
  withoutBtf?: { skb: number; a?: number; b?: number };
  noParse?: boolean;
  receiving?: boolean;
  note?: NoteDefinition;
  returns: readonly ReturnRule[];
  withReturn?: boolean;
  show?: ValueFormat;
  /** In the default set of --sock. */
  sock?: boolean;
  /** In the set of --monitor. */
  monitor?: boolean;
  /** Set by options, not by the table: report the call stack; the packet's trace ends here; not shown. */
  stack?: boolean;
  end?: boolean;
  hidden?: boolean;
}

const WITHOUT_SKB: ReadonlySet<ProbeRead> = new Set([
  'state',
  'route',
  'sock',
  'rtt',
  'neigh',
  'device',
  'own',
  'own_return',
  'own_state',
  'disown',
]);

/** Is an skb at hand where this probe fires? */
export function carriesSkb(probe: ProbeDefinition): boolean {
  return !WITHOUT_SKB.has(probe.read);
}

/** Does it follow which process owns a socket? */
export function tracksOwner(probe: ProbeDefinition): boolean {
  return ['own', 'own_return', 'own_state', 'disown'].includes(probe.read);
}

/** Is nothing done there but to follow packets that were seen before? */
export function onlyFollows(probe: ProbeDefinition): boolean {
  return carriesSkb(probe) && !probe.entry;
}
