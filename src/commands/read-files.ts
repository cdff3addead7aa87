import { NettraceError, UsageError } from '../errors.js';
import { netnsInode } from '../load/netns.js';
import { parseFilter } from '../options.js';
import { recordMatcher } from '../read/match-filter.js';
import { problemText, type ReadProblem, readTraces } from '../read/read-traces.js';
import { checkReadable } from '../read/sources.js';
import type { OutputRecord } from '../types.js';
import type { FilterOptions } from './common-options.js';

/** How many lines that are no records are shown for each file; of the rest the number is. */
const SHOWN_PROBLEMS = 20;

/** Throws UsageError for filters that make no sense. */
export function fileMatcher(options: FilterOptions & { count?: number }): (record: OutputRecord) => boolean {
  const { netns, ...rest } = options;
  return recordMatcher({
    ...parseFilter(rest),
    netns: netns?.map(netnsInode),
  });
}

/** Says on standard error what could not be read, and how often. */
export class ProblemReporter {
  /** Lines that were left out. */
  skipped = 0;
  /** Something in the middle is missing: more than an end that was not written. */
  isBad = false;
  readonly #shown = new Map<string, number>();

  readonly report = (problem: ReadProblem): void => {
    if (problem.kind === 'line' || problem.kind === 'damaged') this.isBad = true;
    if (problem.kind === 'line') {
      this.skipped++;
      const shown = (this.#shown.get(problem.file) ?? 0) + 1;
      this.#shown.set(problem.file, shown);
      if (shown > SHOWN_PROBLEMS) return;
    }
    const level = problem.kind === 'line' ? 'skipped: ' : 'warning: ';
    process.stderr.write(`nettrace: ${level}${problemText(problem)}\n`);
  };

  /** Tells of what was not told one by one. */
  end(): void {
    const silent = [...this.#shown.values()].reduce((sum, shown) => sum + Math.max(0, shown - SHOWN_PROBLEMS), 0);
    if (silent > 0) process.stderr.write(`nettrace: skipped: ${silent} more lines that are no records\n`);
  }
}

/** Throws where one of the files cannot be read: before anything is written. */
export function checkFiles(files: readonly string[]): void {
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('standard input can be read only once');
  for (const file of files) if (file !== '-') checkReadable(file);
}

export interface FileReading {
  reporter: ProblemReporter;
  signal: AbortSignal;
  follow?: boolean;
  matches: (record: OutputRecord) => boolean;
}

/** The records of the files that match, one file after the other. Throws NettraceError where none holds any. */
export async function* matchingRecords(
  files: readonly string[],
  { reporter, signal, follow = false, matches }: FileReading,
): AsyncGenerator<OutputRecord, void, undefined> {
  let records = 0;
  for (const file of files) {
    for await (const record of readTraces(file, { onProblem: reporter.report, signal, follow })) {
      records++;
      if (matches(record)) yield record;
    }
  }
  if (records === 0 && reporter.skipped > 0) {
    reporter.end();
    throw new NettraceError(`${files.join(', ')}: no traces of nettrace`, {
      advice: 'what is read is what nettrace --json writes, one record per line',
    });
  }
}
