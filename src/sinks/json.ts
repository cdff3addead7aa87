import type { TraceDiff } from '../diff-types.js';
import type { CaseRecord, ReproRecord } from '../repro/result.js';
import type { InetSocket, OutputRecord } from '../types.js';
import { UNPRINTABLE } from './printable.js';

/** JSON; JSON.stringify escapes what is below U+0020, the rest that a terminal obeys is escaped here. */
export function escaped(value: object | string): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** One line of NDJSON, with no character that a terminal obeys. */
export function jsonLine(record: OutputRecord | TraceDiff | InetSocket | ReproRecord | CaseRecord): string {
  return `${escaped(record)}\n`;
}
