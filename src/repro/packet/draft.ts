import type { Checksum } from './checksum.js';

/** A layer with fields left out; those named in `Needed` must be there. */
export type Draft<L extends { kind: string }, Needed extends keyof L = never> = Pick<L, 'kind' | Needed> & {
  [K in Exclude<keyof L, 'kind' | Needed>]?: (K extends 'checksum' ? Checksum : L[K]) | undefined;
};

/** What a function that makes such a layer takes. */
export type FieldsOf<D extends { kind: string }> = Omit<D, 'kind'>;
