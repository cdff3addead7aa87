import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { ModeConverter } from '../read/as-mode.js';
import { openWriter } from '../sinks/open-writer.js';
import { parseRotation, rotatedName } from '../sinks/rotation.js';
import type { Writer } from '../sinks/stream-writer.js';
import { Summary } from '../sinks/summary.js';
import type { OutputRecord } from '../types.js';
import { checkOutput, type OutputOptions } from './common-options.js';
import { checkFiles, matchingRecords, ProblemReporter } from './read-files.js';
import { RecordPrinter } from './record-printer.js';
import { type ChoiceOptions, modeChoice } from './show-choice.js';
import { stopOnSignals } from './stop-on-signals.js';

/** Options of `nettrace show` as commander gives them. */
export interface ShowOptions extends ChoiceOptions {
  follow?: boolean;
}

/** A file that is read must not be emptied, or rotated away, by writing to it. */
function checkNotInput(files: readonly string[], { output, rotate }: OutputOptions): void {
  if (output === undefined) return;
  const count = rotate === undefined ? 0 : parseRotation(rotate).count;
  const names = [output, ...Array.from({ length: count }, (_, i) => rotatedName(output, i + 1))];
  const key = (path: string) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() ? `${stat.dev}:${stat.ino}` : undefined;
  };
  const inputs = new Map(files.filter((file) => file !== '-').map((file) => [key(file), file]));
  for (const name of names) {
    const id = key(name);
    const input = id === undefined ? undefined : inputs.get(id);
    if (input !== undefined) throw new UsageError(`'${input}' is read: it cannot be written at the same time`);
  }
}

/** Why nothing was shown where that is the mode's doing; undefined where it is not. */
function unfitText(unfit: ReadonlyMap<string, number>): string | undefined {
  const kinds = [...unfit].map(([by, count]) => `${count} of ${by}`);
  return kinds.length === 0 ? undefined : `nothing to show in this mode of what was read: ${kinds.join(', ')}`;
}

function summaryText(summary: Summary, incomplete: number, { skipped }: ProblemReporter): string {
  const lines = summary.seen();
  if (incomplete > 0)
    lines.push(`${String(incomplete).padStart(8)}  packets incomplete: events were lost when they were traced`);
  if (skipped > 0) lines.push(`${String(skipped).padStart(8)}  lines skipped: no records`);
  return `${lines.join('\n')}\n`;
}

/** Shows what files hold. The exit code is 1 where something in the middle of them could not be read. */
export async function showCommand(files: string[], options: ShowOptions): Promise<void> {
  const converter = new ModeConverter(await modeChoice(options));
  if (options.follow && (files.length > 1 || files[0] === '-')) {
    throw new UsageError('--follow takes one file by its name', {
      advice: 'standard input is read as it comes without it',
    });
  }
  checkFiles(files);
  checkNotInput(files, options);
  checkOutput(options, true);
  const printer = new RecordPrinter(options, true);
  const stopping = new AbortController();
  const forgetSignals = stopOnSignals(() => stopping.abort());
  const reporter = new ProblemReporter();
  const { follow = false } = options;
  // the converter asks the filters: which packet they mean depends on the mode
  const records = matchingRecords(files, { reporter, signal: stopping.signal, follow, matches: () => true });
  try {
    const writer = openWriter(options);
    const showing = new Showing(converter, printer, writer, options.count ?? Number.POSITIVE_INFINITY);
    await showing.run(records, reporter);
  } finally {
    // a pipe that is still open must not keep us waiting after the last packet that was asked for
    stopping.abort();
    forgetSignals();
  }
  if (reporter.isBad) process.exitCode = 1;
}

/** From records to what is written. */
class Showing {
  readonly #converter: ModeConverter;
  readonly #printer: RecordPrinter;
  readonly #writer: Writer;
  readonly #limit: number;
  readonly #summary = new Summary();
  #shown = 0;
  #incomplete = 0;

  constructor(converter: ModeConverter, printer: RecordPrinter, writer: Writer, limit: number) {
    this.#converter = converter;
    this.#printer = printer;
    this.#writer = writer;
    this.#limit = limit;
  }

  async run(records: AsyncIterable<OutputRecord>, reporter: ProblemReporter): Promise<void> {
    const converter = this.#converter;
    const writer = this.#writer;
    try {
      let isWhole = true;
      for await (const record of records) {
        await this.#show(record);
        isWhole = !this.#isEnough;
        if (!isWhole) break;
      }
      const counts = converter.end();
      if (counts && !writer.closed) await this.#write(counts);
      for (const connection of converter.connections()) if (!writer.closed) await this.#write(connection);
      if (isWhole) converter.checkFunctions();
    } finally {
      await writer.close();
    }
    reporter.end();
    const unfit = this.#shown + converter.counted === 0 ? unfitText(converter.unfit) : undefined;
    if (unfit) process.stderr.write(`nettrace: ${unfit}\n`);
    if (!writer.closed) process.stderr.write(summaryText(this.#summary, this.#incomplete, reporter));
  }

  get #isEnough(): boolean {
    const { counted } = this.#converter;
    return this.#writer.closed || this.#printer.finished || this.#shown + counted >= this.#limit;
  }

  async #show(record: OutputRecord): Promise<void> {
    const before = this.#shown + this.#converter.counted;
    for (const one of this.#converter.convert(record)) {
      if (await this.#write(one)) this.#shown++;
      if (this.#isEnough) break;
    }
    const hasCounted = this.#shown + this.#converter.counted > before;
    // what was counted was not written: it is summed up as what it was
    if (hasCounted && this.#converter.isCounting) this.#summary.add(record);
    if (hasCounted && record.type === 'trace' && !record.complete) this.#incomplete++;
  }

  /** False for what is not shown. */
  async #write(record: OutputRecord): Promise<boolean> {
    const text = this.#printer.text(record);
    if (text === undefined) return false;
    await this.#writer.write(text);
    if (this.#writer.closed) return false;
    if (!this.#converter.isCounting) this.#summary.add(record);
    return true;
  }
}
