import type { NamedValue } from '../types.js';

/** Reads values by the names that the tables use, for one packet; those that cannot be read are left out. */
export type ReadValues = (names: readonly string[]) => NamedValue[];

/** In a file of its own, so that what explains traces that were read needs no addon. */
export const readNothing: ReadValues = () => [];
