import { inspect } from 'node:util';

/** A value in one line. */
export function valueText(value: unknown): string {
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: true });
}

/** A measured number: no more of its digits than mean anything. */
export function measuredText(value: unknown): string {
  return typeof value === 'number' ? String(Number(value.toFixed(3))) : valueText(value);
}
