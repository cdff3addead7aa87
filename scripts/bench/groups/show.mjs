// @ts-check
// How fast `nettrace show` reads a file of traces, by filter and by output.
import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { observing } from '../tools.mjs';
import { progress } from '../workbench.mjs';

/**
 * `mbPerSecond`: of NDJSON text, without the time that a file of one line takes.
 * @typedef {{ what: string, mb: number, mbPerSecond: number, peakKb: number }} ShowRow
 */

/** @typedef {import('../workbench.mjs').Workbench} Workbench */

const RECORD_SECONDS = 0.3;
/** A recording as long as this is repeated: it is what lines are like that counts. */
const PIECE_BYTES = 1 << 20;

/** @param {Workbench} bench @param {(row: ShowRow) => void} report */
export async function show(bench, report) {
  const piece = await record(bench);
  const pieces = Math.ceil((bench.settings.showMb * 1e6) / piece.length);
  const place = (/** @type {string} */ name) => join(bench.folder, name);
  const [plain, zipped, line] = [place('show.ndjson'), place('show.ndjson.gz'), place('line.ndjson')];
  const target = place('shown');
  writeFileSync(line, piece.slice(0, piece.indexOf('\n') + 1));
  writeFileSync(plain, '');
  writeFileSync(zipped, '');
  const zippedPiece = gzipSync(piece);
  for (let i = 0; i < pieces; i++) {
    appendFileSync(plain, piece);
    appendFileSync(zipped, zippedPiece);
  }
  const mb = statSync(plain).size / 1e6;
  /** @type {[string, string[], string?][]} */
  const cases = [
    ['text', []],
    ['text with --detail', ['--detail']],
    ['text, findings only', ['--diag', '--diag-quiet', '--diag-keep']],
    ['JSON', ['--json']],
    ['JSON into gzip', ['--json', '-o', `${target}.gz`]],
    ['JSON into zstd', ['--json', '-o', `${target}.zst`]],
    ['drops', ['--drop']],
    ['a port that no packet has', ['-P', '1']],
    ['an expression that no packet fits', ['--filter', 'udp and port 1']],
    ['gzip, a port that no packet has', ['-P', '1'], zipped],
  ];
  /** @param {string} what @param {string} file @param {string[]} options */
  const measure = (what, file, options) => {
    const short = run(bench, line, options);
    const long = run(bench, file, options);
    const row = { what, mb, mbPerSecond: mb / Math.max(0.001, long.seconds - short.seconds), peakKb: long.peakKb };
    report(row);
    progress(`show, ${what}: ${row.mbPerSecond.toFixed(1)} MB/s, at most ${(row.peakKb / 1024).toFixed(0)} MiB`);
  };
  for (const [what, options, file = plain] of cases.slice(0, bench.settings.few)) measure(what, file, options);
  for (const path of [plain, zipped, `${target}.gz`, `${target}.zst`]) rmSync(path, { force: true });
}

/** Whole lines of traces as they are recorded here. @param {Workbench} bench */
async function record(bench) {
  const running = await bench.start(bench.nettrace(['--json']));
  try {
    bench.play('connect', { seconds: RECORD_SECONDS });
    bench.play('pingpong', { seconds: RECORD_SECONDS });
    await running.stop();
    const text = readFileSync(running.file, 'utf8');
    if (!text) throw new Error('nothing was recorded that could be shown');
    return text.slice(0, text.lastIndexOf('\n', PIECE_BYTES) + 1 || text.lastIndexOf('\n') + 1);
  } finally {
    running.kill();
  }
}

/** @param {Workbench} bench @param {string} file @param {string[]} options */
function run(bench, file, options) {
  const observed = join(bench.folder, 'observed');
  rmSync(observed, { force: true });
  const nowhere = openSync('/dev/null', 'w');
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [bench.settings.cli, 'show', file, ...options], {
    stdio: ['ignore', nowhere, 'pipe'],
    env: observing(observed),
    encoding: 'utf8',
  });
  const seconds = (performance.now() - begun) / 1000;
  closeSync(nowhere);
  if (status !== 0) throw new Error(`show ${options.join(' ')}: ${stderr}`);
  /** @type {{ peakKb: number }} */
  const { peakKb } = JSON.parse(readFileSync(observed, 'utf8'));
  return { seconds, peakKb };
}
