import { findings } from '../explain/findings.js';
import { isAbnormal } from '../read/single-events.js';
import { diagText } from '../sinks/diag.js';
import { jsonLine } from '../sinks/json.js';
import { printableNames } from '../sinks/printable.js';
import { TextFormatter } from '../sinks/text.js';
import { traceLine } from '../sinks/trace-json.js';
import type { OutputRecord, SkbTrace } from '../types.js';
import { type OutputOptions, textOptions } from './common-options.js';

/** Bars are drawn again in place: up so many lines, and clear what is below. */
const redraw = (lines: number) => `\x1b[${lines}A\x1b[J`;

/** Rows of the terminal that lines take: those that are too long go on in the next row. */
function rowsOf(text: string, columns: number): number {
  const lines = text.split('\n').slice(0, -1);
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / columns)), 0);
}

function hasError(trace: SkbTrace): boolean {
  return trace.events.some((event) => event.notes.some(({ level }) => level === 'error'));
}

/** Makes what is printed of records, live or from files: text or JSON, with or without findings. */
export class RecordPrinter {
  /** The findings have an error, and nothing more is to be printed. */
  finished = false;
  readonly #options: OutputOptions;
  readonly #formatter: TextFormatter;
  /** Of the terminal; undefined where it is none. */
  readonly #columns: number | undefined;
  readonly #foreign: boolean;
  #picture = 0;

  /** `foreign`: records come from a file; any text in them may be hostile. */
  constructor(options: OutputOptions, foreign = false) {
    this.#options = options;
    this.#foreign = foreign;
    const text = textOptions(options);
    this.#columns = text.columns;
    this.#formatter = new TextFormatter(text);
  }

  /** Undefined for a record that is not to be shown. */
  text(record: OutputRecord): string | undefined {
    const { diag, diagQuiet, diagKeep, json } = this.#options;
    if (diag && record.type === 'trace') {
      if (diagQuiet && !record.events.some(isAbnormal)) return undefined;
      if (hasError(record) && !diagKeep) this.finished = true;
    }
    if (json) return this.#json(diag && record.type === 'trace' ? { ...record, findings: findings(record) } : record);
    if (this.#foreign) printableNames(record);
    let text = this.#formatter.record(record);
    if (diag && record.type === 'trace') text = text.replace(/\n$/, '') + diagText(findings(record), this.finished);
    if (record.type !== 'histogram' || this.#columns === undefined) return text;
    const before = this.#picture > 0 ? redraw(this.#picture) : '';
    this.#picture = rowsOf(text, this.#columns);
    return before + text;
  }

  /** A record of a file may hold what this version does not know. */
  #json(record: OutputRecord): string {
    return record.type === 'trace' && !this.#foreign ? traceLine(record) : jsonLine(record);
  }
}
