import { compareSets } from '../diff/compare.js';
import { ShapeSet } from '../diff/shapes.js';
import { diffText } from '../diff/text.js';
import { NettraceError } from '../errors.js';
import { jsonLine } from '../sinks/json.js';
import { openStandardOutput } from '../sinks/open-writer.js';
import { printableNames } from '../sinks/printable.js';
import type { OutputRecord } from '../types.js';
import type { FilterOptions } from './common-options.js';
import { useColor } from './common-options.js';
import { checkFiles, fileMatcher, matchingRecords, ProblemReporter } from './read-files.js';
import { stopOnSignals } from './stop-on-signals.js';

/** Options of `nettrace diff` as commander gives them. */
export interface DiffOptions extends FilterOptions {
  json?: boolean;
}

const SAME = 0;
const DIFFERENT = 1;
const INTERRUPTED = 130;

async function readSet(
  file: string,
  matches: (record: OutputRecord) => boolean,
  signal: AbortSignal,
): Promise<{ file: string; set: ShapeSet }> {
  const set = new ShapeSet();
  const reporter = new ProblemReporter();
  for await (const record of matchingRecords([file], { reporter, signal, matches })) {
    if (record.type !== 'trace') continue;
    printableNames(record);
    set.add(record);
  }
  reporter.end();
  if (set.traces === 0 && !signal.aborted) {
    throw new NettraceError(`'${file}' has no trace that can be compared`, {
      advice: 'is the filter right? nettrace show FILE shows what is there',
    });
  }
  return { file, set };
}

/** Compares the traces of two files. Returns the exit code, as diff(1): 0 the same, 1 different. */
export async function diffCommand(good: string, bad: string, options: DiffOptions): Promise<number> {
  const matches = fileMatcher(options);
  checkFiles([good, bad]);
  const stopping = new AbortController();
  const forgetSignals = stopOnSignals(() => stopping.abort());
  try {
    const goodSet = await readSet(good, matches, stopping.signal);
    const badSet = await readSet(bad, matches, stopping.signal);
    // half a file is no comparison
    if (stopping.signal.aborted) return INTERRUPTED;
    const { diff, traces } = compareSets(goodSet, badSet);
    const writer = openStandardOutput();
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    await writer.write(options.json ? jsonLine(diff) : diffText(diff, traces, { width, color: useColor({}) }));
    return diff.same ? SAME : DIFFERENT;
  } finally {
    stopping.abort();
    forgetSignals();
  }
}
