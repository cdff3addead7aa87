import type { Readable } from 'node:stream';
import { NettraceError } from '../errors.js';
import { printable } from '../sinks/printable.js';
import type { OutputRecord } from '../types.js';
import { BrokenCompression, type Bytes, decompress } from './decompress.js';
import { followFile } from './follow.js';
import { type Line, LineSplitter, MAX_LINE_BYTES } from './lines.js';
import { asRecord } from './record-shape.js';
import { fileBytes, type Source, streamBytes } from './sources.js';

/** Something that was not read. */
export interface ReadProblem {
  /**
   * line: a line is no record, or too long, and was left out; cut: the end is missing, as after a killed process or while
   * it is still being written; damaged: compressed data are wrong, and what stands behind is lost; emptied: a file that is
   * followed was begun anew.
   */
  kind: 'line' | 'cut' | 'damaged' | 'emptied';
  /** The file's name, or `standard input`. */
  file: string;
  /** From 1 on; absent where no line is concerned. */
  line?: number;
  /** In words, with control characters made visible. */
  text: string;
}

export interface ReadOptions {
  /** Is told of everything that is not read. Without it the first such thing is thrown, as NettraceError. */
  onProblem?: (problem: ReadProblem) => void;
  /** Waits for more at the end of the file, also when it is rotated; only the signal ends it. */
  follow?: boolean;
  /** Ends the reading. */
  signal?: AbortSignal;
}

const EXCERPT = 60;

/** The beginning of a line, to recognize it. */
function excerpt(text: string): string {
  const short = text.slice(0, EXCERPT);
  return `'${printable(short)}${text.length > EXCERPT ? '...' : ''}'`;
}

export function problemText({ file, line, text }: ReadProblem): string {
  return `${printable(file)}${line === undefined ? '' : `:${line}`}: ${text}`;
}

function defaultOnProblem(problem: ReadProblem): void {
  throw new NettraceError(problemText(problem));
}

/** What became of a case stands behind its traces in what `nettrace repro --json` writes. */
function isCaseResult(value: unknown): boolean {
  const { v, type } = (value ?? {}) as { v?: unknown; type?: unknown };
  return v === 1 && type === 'repro';
}

/** The record in a line, or what is wrong with it; undefined for a line that is neither. */
function parseLine({ number, text, bytes }: Line): OutputRecord | string | undefined {
  if (text === undefined) return `a line of ${bytes} bytes: more than ${MAX_LINE_BYTES} are not read`;
  let value: unknown;
  try {
    value = JSON.parse(number === 1 ? text.replace(/^\ufeff/, '') : text);
  } catch {
    return `no JSON: ${excerpt(text)}`;
  }
  if (isCaseResult(value)) return undefined;
  const record = asRecord(value);
  if (typeof record !== 'string') return record;
  return `${printable(record)}: ${excerpt(text)}`;
}

async function* readSource(
  { name, bytes }: Source,
  onProblem: (problem: ReadProblem) => void,
  { follow = false, signal }: ReadOptions,
): AsyncGenerator<OutputRecord, void, undefined> {
  const lines = new LineSplitter();
  try {
    for await (const chunk of decompress(bytes, { follow })) {
      for (const line of lines.push(chunk)) {
        if (signal?.aborted) return;
        if (line.bytes === 0) continue;
        const record = parseLine(line);
        if (typeof record === 'string') onProblem({ kind: 'line', file: name, line: line.number, text: record });
        else if (record) yield record;
      }
    }
  } catch (error) {
    if (!(error instanceof BrokenCompression)) throw error;
    if (signal?.aborted) return;
    const text = error.isCut
      ? 'the compressed data are cut off; what is whole was read'
      : `the compressed data are damaged, nothing behind is read: ${printable(error.message)}`;
    onProblem({ kind: error.isCut ? 'cut' : 'damaged', file: name, text });
    return;
  }
  if (signal?.aborted) return;
  const last = lines.end();
  if (!last) return;
  const record = parseLine(last);
  if (record === undefined) return;
  if (typeof record !== 'string') yield record;
  else if (last.text === undefined) onProblem({ kind: 'line', file: name, line: last.number, text: record });
  else
    onProblem({ kind: 'cut', file: name, line: last.number, text: `the last line is cut off: ${excerpt(last.text)}` });
}

/**
 * Reads what `--json` wrote, in constant memory: a file by its name, `-` for standard input, a stream, or anything that
 * gives bytes; plain, or compressed by gzip or zstd, which its first bytes tell. zstd needs Node 22.15 or the command
 * `zstd`. Lines that are no records are told to `onProblem` and left out. Each record has been checked against the schema;
 * names in it come from the file and may hold anything, also what a terminal obeys.
 *
 * Throws NettraceError where the file cannot be read, and without `onProblem` where anything in it cannot.
 */
export async function* readTraces(
  from: string | Readable | Bytes,
  options: ReadOptions = {},
): AsyncGenerator<OutputRecord, void, undefined> {
  const { onProblem = defaultOnProblem, signal } = options;
  const name = typeof from !== 'string' || from === '-' ? 'standard input' : from;
  if (options.follow && typeof from === 'string' && from !== '-') {
    const onCut = (text: string) => onProblem({ kind: 'emptied', file: name, text });
    for await (const source of followFile(from, signal, onCut)) yield* readSource(source, onProblem, options);
    return;
  }
  let bytes: Bytes;
  if (from === '-') bytes = streamBytes(process.stdin, signal);
  else if (typeof from === 'string') bytes = fileBytes(from, signal);
  else bytes = 'pipe' in from ? streamBytes(from, signal) : from;
  yield* readSource({ name, bytes }, onProblem, options);
}
