import type { TraceDiff } from '../diff-types.js';
import type { CaseRecord, ReproRecord } from '../repro/result.js';
import type { InetSocket, OutputRecord } from '../types.js';
import { UNPRINTABLE } from './printable.js';

/** One line of NDJSON; JSON.stringify escapes what is below U+0020, the rest that a terminal obeys is escaped here. */
export function jsonLine(record: OutputRecord | TraceDiff | InetSocket | ReproRecord | CaseRecord): string {
  const text = JSON.stringify(record).replace(
    UNPRINTABLE,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text}\n`;
}
