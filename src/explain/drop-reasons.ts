import { REASONS } from '../generated/drop-reasons.js';
import { makeLookup, type ReasonDefinition } from './drop-reason-definition.js';

const lookup = makeLookup(REASONS.flatMap((reason) => reason.names.map((name) => [name, reason] as const)));

/** What a drop reason says, by its name without SKB_DROP_REASON_; undefined where the table does not have it. */
export function dropReason(name: string | undefined): ReasonDefinition | undefined {
  return name === undefined ? undefined : lookup(name);
}
