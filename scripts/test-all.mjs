#!/usr/bin/env node
// @ts-check
// Runs the suites that are asked for, and ends with one line over all of them: N passed, N failed, N skipped.
//
//   node scripts/test-all.mjs [--unit] [--native] [--host] [--package] [--checks]
//                             [--kernels "6.1 6.12"] [--jobs N] [--summary FILE]
//
//   --unit, --native   the program's and the addon's own tests
//   --host             test/kernel on this machine
//   --kernels          the addon's tests and test/kernel in a virtual machine for each kernel
//   --package          the npm package installs and runs without a compiler
//   --checks           types, lint, format, generated files; each counts as one test
//   --jobs             how many virtual machines at once (default 1)
//   --summary          write the last line to this file instead of printing it
//
// A suite that ends without a report, reports nothing, or fails without a failed test counts as a failure.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * @typedef {import('./test-reporter.mjs').Report} Report
 * @typedef {{ folder: string, options: string[] }} Suite
 * @typedef {{ code: number, seconds: number }} Ended
 * @typedef {{ name: string, report?: Report, seconds: number }} Result
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reports = join(root, 'build/test');
/** Seconds for the suites of one virtual machine; a run takes two to three minutes. */
const VM_TIMEOUT = 1200;
const CHECKS = ['types', 'lint', 'format', 'generated'];

const { values: options } = parseArgs({
  options: {
    unit: { type: 'boolean', default: false },
    native: { type: 'boolean', default: false },
    host: { type: 'boolean', default: false },
    package: { type: 'boolean', default: false },
    checks: { type: 'boolean', default: false },
    kernels: { type: 'string', default: '' },
    jobs: { type: 'string', default: '1' },
    summary: { type: 'string' },
  },
});
const kernels = options.kernels.split(/[\s,]+/).filter(Boolean);
const jobs = Number(options.jobs);
if (!Number.isInteger(jobs) || jobs < 1) {
  console.error(`test-all: --jobs takes a number from 1 on, got '${options.jobs}'`);
  process.exit(2);
}

/**
 * The arguments of `env` that run one suite with Vitest and write its report.
 * @param {string} report
 * @param {Suite} suite
 */
const vitest = (report, suite) => [
  '-C',
  join(root, suite.folder),
  `NETTRACE_TEST_REPORT=${report}`,
  'node',
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  ...suite.options,
  '--reporter=default',
  `--reporter=${join(root, 'scripts/test-reporter.mjs')}`,
];
const UNIT = { folder: '.', options: ['--project', 'unit', '--fileParallelism'] };
/** The addon's package has its own configuration, and its tests may count on its folder. */
const NATIVE = { folder: 'native', options: [] };
/** Those of its files whose results depend on the kernel; wrong arguments and damaged objects are the same everywhere. */
const NATIVE_IN_MACHINE = ['attach', 'bpf-map', 'kallsyms', 'kernel-btf', 'lifetime', 'ring-buffer-reader'];
const KERNEL = { folder: '.', options: ['--project', 'kernel'] };
/** One process for all files of a suite: starting one takes 4 seconds on an emulated machine. */
const ONE_PROCESS = ['--poolOptions.forks.singleFork', '--isolate=false'];

/**
 * Runs a command, with its output on this one's, each line after `prefix` if there is one.
 * @param {string[]} words arguments of `env`
 * @param {string} [prefix]
 * @returns {Promise<Ended>}
 */
function run(words, prefix) {
  const started = Date.now();
  return new Promise((resolve) => {
    const child = spawn('env', words, {
      cwd: root,
      stdio: ['ignore', prefix ? 'pipe' : 'inherit', prefix ? 'pipe' : 'inherit'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => console.log(`${prefix}${line}`));
    }
    child.on('error', (error) => {
      console.error(`test-all: ${error.message}`);
      resolve({ code: 127, seconds: 0 });
    });
    child.on('close', (code) => resolve({ code: code ?? 1, seconds: (Date.now() - started) / 1000 }));
  });
}

/**
 * @param {string} file
 * @returns {Report | undefined}
 */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @param {string} file
 * @param {Ended} ended
 * @returns {Result}
 */
function judge(name, file, { code, seconds }) {
  const report = readReport(file);
  /** @param {string} reason */
  const failure = (reason) => ({ name: 'the suite itself', reason });
  if (!report)
    return { name, seconds, report: { passed: 0, failed: [failure(`no report, exit code ${code}`)], skipped: [] } };
  if (code !== 0 && report.failed.length === 0) report.failed.push(failure(`exit code ${code} without a failed test`));
  if (report.passed + report.failed.length + report.skipped.length === 0)
    report.failed.push(failure('it has no tests'));
  return { name, seconds, report };
}

/** @param {string} text */
const heading = (text) => console.log(`\n=== ${text} ===`);

/**
 * @param {string} name
 * @param {Suite} suite
 */
async function runHere(name, suite) {
  heading(name);
  const file = join(reports, `${name}.json`);
  return judge(name, file, await run(vitest(file, suite)));
}

/**
 * Both suites in one machine: booting costs more than some tests.
 * @param {string} series
 */
async function runInMachine(series) {
  heading(`Linux ${series}`);
  const folder = join(reports, `linux-${series}`);
  mkdirSync(folder, { recursive: true });
  const suites = [
    {
      name: `native on ${series}`,
      file: join(folder, 'native.json'),
      suite: { ...NATIVE, options: [...NATIVE_IN_MACHINE, ...ONE_PROCESS] },
    },
    {
      name: `kernel on ${series}`,
      file: join(folder, 'kernel.json'),
      suite: { ...KERNEL, options: [...KERNEL.options, ...ONE_PROCESS] },
    },
  ];
  const script = suites.map(({ file, suite }) => `env ${vitest(file, suite).join(' ')} || code=$?`).join('\n');
  const started = join(folder, 'started');
  rmSync(started, { force: true });
  const boot = () =>
    run(
      [
        join(root, 'scripts/vm/run.sh'),
        series,
        '--timeout',
        String(VM_TIMEOUT),
        '--results',
        folder,
        '--',
        ...['sh', '-c', `: >${started}\ncode=0\n${script}\nexit $code`],
      ],
      jobs > 1 ? `[${series}] ` : undefined,
    );
  let ended = await boot();
  if (ended.code !== 0 && !existsSync(started)) {
    // seen once: the emulated kernel panicked while it booted
    console.log(`Linux ${series} did not boot (exit code ${ended.code}): once more`);
    ended = await boot();
  }
  // The exit code is for both: it says something about a suite only where a report is missing.
  return suites.map(({ name, file }) => {
    const failed = suites.some((other) => (readReport(other.file)?.failed.length ?? 1) > 0);
    return judge(name, file, { ...ended, code: failed && readReport(file) ? 0 : ended.code });
  });
}

/**
 * A command that counts as one test.
 * @param {string} name
 * @param {string[]} words
 * @returns {Promise<Result>}
 */
async function runStep(name, words) {
  heading(name);
  const { code, seconds } = await run(words);
  const failed = code === 0 ? [] : [{ name, reason: `exit code ${code}` }];
  return { name, seconds, report: { passed: code === 0 ? 1 : 0, failed, skipped: [] } };
}

/** @param {Result[]} results */
function summarize(results) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  /** @type {Map<string, Map<string, string[]>>} reason -> test -> suites */
  const skips = new Map();
  const failures = [];
  heading('summary');
  for (const { name, report, seconds } of results) {
    if (!report) continue;
    passed += report.passed;
    failed += report.failed.length;
    skipped += report.skipped.length;
    const counts = `${report.passed} passed, ${report.failed.length} failed, ${report.skipped.length} skipped`;
    console.log(`${name.padEnd(20)} ${counts} (${seconds.toFixed(0)} s)`);
    for (const item of report.failed) failures.push(`  ${name}: ${item.name}: ${item.reason}`);
    for (const item of report.skipped) {
      const tests = skips.get(item.reason) ?? new Map();
      skips.set(item.reason, tests.set(item.name, [...(tests.get(item.name) ?? []), name]));
    }
  }
  if (skips.size > 0) console.log('\nSkipped:');
  for (const [reason, tests] of skips) {
    console.log(`  ${reason}`);
    for (const [test, suites] of tests) console.log(`    ${test} (${suites.join(', ')})`);
  }
  if (failures.length > 0) console.log(`\nFailed:\n${failures.join('\n')}`);
  const line = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  if (options.summary) writeFileSync(options.summary, `${line}\n`);
  else console.log(`\n${line}`);
  return failed === 0 && passed > 0;
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
/** @type {Result[]} */
const results = [];
if (options.checks) {
  for (const check of CHECKS) results.push(await runStep(`check ${check}`, ['make', '-s', `check-${check}`]));
}
if (options.unit) results.push(await runHere('unit', UNIT));
if (options.native) results.push(await runHere('native', NATIVE));
if (options.host) results.push(await runHere('kernel', KERNEL));
if (options.package) results.push(await runStep('package', [join(root, 'scripts/test-package.sh')]));

/** @type {Map<string, Result[]>} */
const machines = new Map(kernels.map((series) => [series, []]));
const waiting = [...kernels];
await Promise.all(
  Array.from({ length: Math.min(jobs, kernels.length) }, async () => {
    for (let series = waiting.shift(); series; series = waiting.shift())
      machines.set(series, await runInMachine(series));
  }),
);
results.push(...[...machines.values()].flat());

process.exitCode = summarize(results) ? 0 : 1;
