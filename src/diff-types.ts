/**
 * What `nettrace diff --json` writes: the source of schema/diff.schema.json. Fields are added, never renamed, within one
 * version.
 */

/** The traces of one of two files that are compared. */
export interface DiffSide {
  file: string;
  /** Traces that the filter lets through. */
  traces: number;
  /** Of these, such as lack events. */
  incomplete: number;
  /** Different ways among them. */
  shapes: number;
  /** Traces whose way was one too many to be kept: they are not compared. */
  notCompared: number;
}

/** A way through the kernel: its functions in order, consecutive repeats as one. */
export interface PathShape {
  functions: string[];
  /** Traces that went it, in either file. */
  good: number;
  bad: number;
  /** Ids of the first of them. */
  goodExample?: string;
  badExample?: string;
}

/** One row of two ways side by side. */
export interface DiffStep {
  func: string;
  in: 'both' | 'good' | 'bad';
  /** In both, but with other values. */
  differs: boolean;
}

/** A value that is another one in the other trace. Several events of one function in a row are one step. */
export interface DiffValue {
  /** Index into `steps`; absent where the value belongs to the trace as a whole. */
  step?: number;
  func?: string;
  /** Which value, in words: drop reason, return value, interface ... */
  what: string;
  /** Absent where this side has none. */
  good?: string;
  bad?: string;
}

/** Two traces side by side. */
export interface DiffPair {
  /** Their ids. */
  good: string;
  bad: string;
  /** Functions at the beginning that both have: there the ways part. */
  common: number;
  steps: DiffStep[];
  values: DiffValue[];
}

/** How the ways of packets in two files differ: `nettrace diff --json`. */
export interface TraceDiff {
  v: 1;
  type: 'diff';
  /** All was compared, no way is in one file only, and the two traces of `pair` have the same values. */
  same: boolean;
  good: DiffSide;
  bad: DiffSide;
  /** Those of one file only first, then by how many traces went them. */
  shapes: PathShape[];
  /** The two traces that are compared: the only ones, or the most similar of ways that differ. */
  pair: DiffPair;
}
