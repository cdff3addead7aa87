import { formatEndpoint } from '../decode/addresses.js';
import type { DiffPair, DiffSide, PathShape, TraceDiff } from '../diff-types.js';
import { printable } from '../sinks/printable.js';
import type { SkbTrace } from '../types.js';
import type { DiffTraces } from './compare.js';

export interface DiffTextOptions {
  /** Columns of the terminal; undefined where nothing is to be cut off. */
  width: number | undefined;
  color: boolean;
}

const GREEN = '\x1b[32m';
const YELLOW = '\x1b[33m';
const RED = '\x1b[31m';
const RESET = '\x1b[0m';
/** Width of running text where there is no terminal. */
const PLAIN_WIDTH = 100;
/** A column is not made narrower. */
const MIN_COLUMN = 4;
/** Ways of each kind that are listed. */
const MAX_SHAPES = 8;
/** Rows of a run that both have, behind the parting: more are counted only. */
const MAX_RUN = 6;

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Fills lines with words, each behind two spaces. */
function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = ' ';
  for (const word of words) {
    if (line.length > 1 && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  return line.length > 1 ? [...lines, line] : lines;
}

function sideText(name: string, side: DiffSide): string {
  let text = `${name} ${printable(side.file)}: ${counted(side.traces, 'trace')}, ${counted(side.shapes, 'way')}`;
  if (side.incomplete > 0) text += `, ${side.incomplete} incomplete`;
  if (side.notCompared > 0) text += `, ${side.notCompared} not compared: too many different ways`;
  return text;
}

function traceText(name: string, { id, proto, tuple, verdict, complete }: SkbTrace): string {
  const way = tuple
    ? ` ${formatEndpoint(tuple.saddr, tuple.sport)} -> ${formatEndpoint(tuple.daddr, tuple.dport)}`
    : '';
  return `${name} trace ${id}: ${proto}${way}, ${verdict.text}${complete ? '' : ' (incomplete)'}`;
}

/** Lines of the page, of which none is wider than the terminal. */
class Page {
  readonly #lines: string[] = [];
  readonly #options: DiffTextOptions;

  constructor(options: DiffTextOptions) {
    this.#options = options;
  }

  get width(): number {
    return this.#options.width ?? PLAIN_WIDTH;
  }

  line(text = '', color?: string): void {
    const { width } = this.#options;
    const fit = width !== undefined && text.length > width ? `${text.slice(0, width - 1)}…` : text;
    this.#lines.push(color && this.#options.color ? `${color}${fit}${RESET}` : fit);
  }

  /** Rows in columns as wide as they need, and where that is too wide, the widest are cut off. */
  table(rows: readonly { cells: readonly string[]; color?: string }[]): void {
    const count = rows[0]?.cells.length ?? 0;
    const widths = Array.from({ length: count }, (_, i) => Math.max(...rows.map(({ cells }) => cells[i]?.length ?? 0)));
    const room = (this.#options.width ?? Number.POSITIVE_INFINITY) - 2 * count;
    let total = widths.reduce((sum, width) => sum + width, 0);
    for (; total > room; total--) {
      const widest = Math.max(...widths);
      if (widest <= MIN_COLUMN) break;
      widths[widths.indexOf(widest)] = widest - 1;
    }
    for (const { cells, color } of rows) {
      const fit = cells.map((cell, i) => {
        const width = widths[i] ?? 0;
        return (cell.length > width ? `${cell.slice(0, width - 1)}…` : cell).padEnd(width);
      });
      this.line(`  ${fit.join('  ')}`.trimEnd(), color);
    }
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }
}

function shapeLines(page: Page, title: string, shapes: readonly PathShape[], color: string): void {
  if (shapes.length === 0) return;
  page.line(title);
  for (const { functions, good, bad, goodExample, badExample } of shapes.slice(0, MAX_SHAPES)) {
    const count = String(good || bad).padStart(7);
    const ends = functions.length > 1 ? `${functions[0]} ... ${functions.at(-1)}` : (functions[0] ?? 'nothing');
    page.line(
      `${count}  ${ends} (${counted(functions.length, 'function')}), such as ${goodExample ?? badExample}`,
      color,
    );
  }
  if (shapes.length > MAX_SHAPES) page.line(`         and ${shapes.length - MAX_SHAPES} more`);
}

function setLines(page: Page, { good, bad, shapes }: TraceDiff): void {
  page.line(sideText('GOOD', good));
  page.line(sideText('BAD ', bad));
  if (good.traces + bad.traces <= 2) return;
  shapeLines(
    page,
    'ways only in GOOD:',
    shapes.filter((shape) => shape.bad === 0),
    GREEN,
  );
  shapeLines(
    page,
    'ways only in BAD:',
    shapes.filter((shape) => shape.good === 0),
    RED,
  );
  const shared = shapes.filter((shape) => shape.good > 0 && shape.bad > 0);
  if (shared.length > 0) {
    const sum = (side: 'good' | 'bad') => shared.reduce((total, shape) => total + shape[side], 0);
    page.line(`ways in both: ${shared.length} (${sum('good')} traces in GOOD, ${sum('bad')} in BAD)`);
  }
}

function stepRows({ steps, common }: DiffPair): { cells: string[]; color?: string }[] {
  const rows: { cells: string[]; color?: string }[] = [{ cells: ['GOOD', ' ', 'BAD'] }];
  for (let i = common; i < steps.length; i++) {
    let run = 0;
    while (steps[i + run]?.in === 'both' && !steps[i + run]?.differs) run++;
    if (run > MAX_RUN) {
      rows.push({ cells: [`(${run} functions alike)`, ' ', `(${run} functions alike)`] });
      i += run;
    }
    const step = steps[i];
    if (!step) break;
    if (step.in === 'good') rows.push({ cells: [step.func, '<', ''], color: GREEN });
    else if (step.in === 'bad') rows.push({ cells: ['', '>', step.func], color: RED });
    else if (step.differs) rows.push({ cells: [step.func, '!', step.func], color: YELLOW });
    else rows.push({ cells: [step.func, ' ', step.func] });
  }
  return rows;
}

function pairLines(page: Page, pair: DiffPair, { good, bad }: DiffTraces): void {
  page.line(traceText('GOOD', good));
  page.line(traceText('BAD ', bad));
  page.line();
  const parts = pair.common < pair.steps.length;
  if (pair.common === 0) page.line('the ways differ from the first function on');
  else {
    page.line(
      parts ? `the same way, ${counted(pair.common, 'function')}:` : `the same way, all ${pair.common} functions:`,
    );
    // where values differ is marked, as in the rows below
    const names = pair.steps.slice(0, pair.common).map(({ func, differs }) => (differs ? `${func}!` : func));
    for (const line of wrap(names, page.width)) page.line(line);
  }
  if (parts) {
    page.line();
    page.line('then:');
    page.table(stepRows(pair));
  }
  page.line();
  if (pair.values.length === 0) {
    page.line('no value differs where both have a function');
    return;
  }
  page.line('values that differ (!):');
  page.table([
    { cells: ['', '', 'GOOD', 'BAD'] },
    ...pair.values.map(({ func, what, good: a, bad: b }) => ({
      cells: [func ?? 'the trace', what, a ?? '-', b ?? '-'],
      color: YELLOW,
    })),
  ]);
}

/** The comparison on one page. */
export function diffText(diff: TraceDiff, traces: DiffTraces, options: DiffTextOptions): string {
  const page = new Page(options);
  setLines(page, diff);
  page.line();
  if (diff.good.traces + diff.bad.traces > 2)
    page.line(diff.same ? 'two of the traces:' : 'the most similar that differ:');
  pairLines(page, diff.pair, traces);
  return page.text();
}
