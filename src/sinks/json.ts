import type { SkbTrace } from '../types.js';
import { UNPRINTABLE } from './printable.js';

/** One line of NDJSON; JSON.stringify escapes what is below U+0020, the rest that a terminal obeys is escaped here. */
export function jsonLine(trace: SkbTrace): string {
  const text = JSON.stringify(trace).replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${text}\n`;
}
