import type { Outcome, Proto } from '../types.js';
import type { Stage } from './given-up.js';

/** Which traces moved a counter; see bpf/counters.yaml for each field. */
export interface CounterRule {
  causes?: readonly string[];
  outcomes?: readonly Outcome[];
  begins?: true;
  arrives?: true;
  ends?: true;
  repeat?: true;
  probe?: true;
  abort?: true;
  probed?: true;
  recycles?: true;
  givenUp?: readonly Stage[];
  window?: 'closed' | 'opened';
  family?: 4 | 6;
  at?: readonly string[];
  notAt?: readonly string[];
  dropAt?: readonly string[];
  loss?: true;
  reasons?: readonly string[];
  resetReasons?: readonly string[];
  note?: readonly string[];
  protos?: readonly Proto[];
  types?: readonly number[];
  flags?: string;
  noFlags?: string;
  ret?: number;
  states?: readonly string[];
  newStates?: readonly string[];
  gone?: true;
  ahead?: 'queued' | 'refused';
  sent?: true;
  paws?: boolean;
  each?: 'event' | 'again';
}

/** Counters of one meaning. */
export interface CounterDefinition {
  names: readonly string[];
  meaning: string;
  by?: readonly CounterRule[];
  instead?: readonly CounterRule[];
}
