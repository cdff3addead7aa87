import { fstatSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { BLOCK_BYTES, CompressingWriter, compressionFor } from './compression.js';
import { checkOutputFile, FileWriter, openOutputFile, STDOUT, StandardOutputFile } from './output-file.js';
import { parseRotation, RotatingFile } from './rotation.js';
import { StreamWriter, type Writer } from './stream-writer.js';

const MAX_ROTATED_BLOCK = 65_536;

/** Where the output goes, as the command line says it. */
export interface OutputPlace {
  /** A file; standard output where it is not given. */
  output?: string;
  /** SIZE[,COUNT] */
  rotate?: string;
}

/** Throws UsageError for a place that makes no sense. */
function checkWords({ output, rotate }: OutputPlace): void {
  if (rotate !== undefined) {
    parseRotation(rotate);
    if (output === undefined) throw new UsageError('--rotate needs a file to rotate', { advice: 'give -o FILE too' });
  }
  if (output === '-') {
    throw new UsageError("-o takes the name of a file, not '-'", {
      advice: 'without it the output goes to standard output; ./- is a file of that name',
    });
  }
  if (output !== undefined) compressionFor(output);
}

/** Throws what `openWriter` would throw of the place now, and changes nothing there. */
export function checkPlace(place: OutputPlace): void {
  checkWords(place);
  if (place.output !== undefined) checkOutputFile(place.output);
}

/** How much text may be written at once: files that are rotated are to be filled, but for a small part. */
export function blockLength({ rotate }: OutputPlace): number | undefined {
  return rotate === undefined ? undefined : Math.min(MAX_ROTATED_BLOCK, parseRotation(rotate).bytes / 16);
}

/** `onGone`: called when nothing more can be written. Node would leave half a block in a file on a full disk. */
export function openStandardOutput(onGone?: () => void): Writer {
  return fstatSync(STDOUT).isFile() ? new StandardOutputFile() : new StreamWriter(process.stdout, onGone);
}

/**
 * Opens what the output goes to: a file, compressed by its name, or standard output. `onGone`: called when standard output
 * can no longer be written. Throws UsageError, and NettraceError where a file cannot be opened.
 */
export function openWriter(place: OutputPlace, onGone?: () => void): Writer {
  checkWords(place);
  const { output, rotate } = place;
  if (output === undefined) return openStandardOutput(onGone);
  const rotation = rotate === undefined ? undefined : parseRotation(rotate);
  const compress = compressionFor(output);
  const file = rotation ? new RotatingFile(output, rotation) : new FileWriter(openOutputFile(output), `'${output}'`);
  // blocks of text that are no larger than a file make files that are no larger than they may be
  return compress ? new CompressingWriter(file, compress, Math.min(BLOCK_BYTES, rotation?.bytes ?? BLOCK_BYTES)) : file;
}
