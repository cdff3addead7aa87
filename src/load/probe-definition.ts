import type { NoteLevel } from '../types.js';

/** A note as the probe table declares it; `%v` in the text stands for the value. */
export interface NoteDefinition {
  level: NoteLevel;
  text: string;
  advice?: string;
}

/** All conditions that are given must hold; `mask` is applied first. */
export interface ReturnCondition {
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
  | 'xt_table'
  | 'drop'
  | 'free'
  | 'derive'
  | 'socket'
  | 'socket_transmit'
  | 'reset'
  | 'request'
  | 'value'
  | 'state'
  | 'route';

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
}
