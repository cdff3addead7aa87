#!/usr/bin/env node
// @ts-check
// Runs the suites that are asked for, and ends with one line over all of them: N passed, N failed, N skipped.
//
//   node scripts/test-all.mjs [--unit] [--native] [--host] [--package] [--checks]
//                             [--kernels "6.1 6.12"] [--full] [--jobs N] [--summary FILE]
//
//   --unit, --native   the program's and the addon's own tests
//   --host             test/kernel on this machine
//   --kernels          in a virtual machine for each kernel: what depends on the kernel of the addon's tests and of test/kernel
//   --full             all of both there, which takes much longer
//   --package          the npm package installs and runs without a compiler
//   --checks           types, lint, format, generated files; each counts as one test
//   --jobs             how many virtual machines at once (default 1)
//   --summary          write the last line to this file instead of printing it
//
// A suite that ends without a report, reports nothing, or fails without a failed test counts as a failure. A kernel that is
// in moving suites of Debian only, and that the mirror does not give, counts as skipped.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * @typedef {import('./test-reporter.mjs').Report} Report
 * @typedef {{ options: string[], files?: readonly string[] }} Suite `files`: or what their names hold
 * @typedef {{ code: number, seconds: number, last: string[] }} Ended `last`: what it wrote last, where that was read
 * @typedef {{ name: string, report?: Report, seconds: number, unsteady?: Report['failed'] }} Result
 *   unsteady: failed in a first run, and passed in a second
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reports = join(root, 'build/test');
/** Seconds for the tests of one virtual machine, which takes about three minutes, twice as long beside another. */
const VM_TIMEOUT = 1000;
/** And with --full. */
const FULL_VM_TIMEOUT = 5400;
/** run.sh: the machine ended without the command's exit code, or did not end in time. */
const MACHINE_LOST = [125, 124];
/** Times that a machine which did not boot, panicked, or stood still is started. */
const BOOTS = 3;
/** fetch-kernel.sh: the mirror does not give it. */
const KERNEL_NOT_GIVEN = 3;
/** Lines of a command's output that tell why there is no report. */
const LAST_LINES = 12;
const CHECKS = ['types', 'lint', 'format', 'generated'];

const { values: options } = parseArgs({
  options: {
    unit: { type: 'boolean', default: false },
    native: { type: 'boolean', default: false },
    host: { type: 'boolean', default: false },
    package: { type: 'boolean', default: false },
    checks: { type: 'boolean', default: false },
    kernels: { type: 'string', default: '' },
    full: { type: 'boolean', default: false },
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
  `NETTRACE_TEST_REPORT=${report}`,
  'node',
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  ...suite.options,
  ...(suite.files ?? []),
  '--reporter=default',
  `--reporter=${join(root, 'scripts/test-reporter.mjs')}`,
];
const UNIT = { options: ['--project=unit', '--fileParallelism'] };
const NATIVE = { options: ['--project=bpf-loader-node', '--fileParallelism'] };
const KERNEL = { options: ['--project=kernel'] };
const TWO_AT_A_TIME = ['--fileParallelism', '--minWorkers=2', '--maxWorkers=2'];
/**
 * Files whose results depend on the kernel, with the addon's. There modes.test.ts plays all modes at once, and
 * repro.test.ts all cases; each test of the other files starts the program anew, which costs seconds when it is emulated.
 */
const IN_EACH_MACHINE = [
  ...['attach', 'bpf-map', 'kernel-btf', 'ring-buffer-reader'].map((name) => `native/test/${name}.test.ts`),
  ...[
    'backends',
    'cli',
    'counters',
    'modes',
    'overflow',
    'packets',
    'pointer-reuse',
    'repro',
    'sigkill',
    'verdicts',
  ].map((name) => `test/kernel/${name}.test.ts`),
];
/** What depends little on the kernel's version, but needs devices or functions that this machine may lack. */
const IN_ONE_MACHINE = {
  series: '6.12',
  files: ['connections', 'crafted-host', 'packet-filters', 'sampling'].map((name) => `test/kernel/${name}.test.ts`),
};

/** At each namespace and probe that goes the kernel waits for RCU. Nobody else is in these machines whom that would disturb. */
const KERNEL_WORDS = 'rcupdate.rcu_expedited=1';

/**
 * Two files at a time, because each waits half of its time; and no process for each, which takes 4 seconds to start on an
 * emulated machine.
 * @param {string} series
 * @returns {Suite}
 */
const inMachine = (series) => ({
  options: [...KERNEL.options, '--project=bpf-loader-node', '--isolate=false', ...TWO_AT_A_TIME],
  files: options.full ? [] : [...IN_EACH_MACHINE, ...(series === IN_ONE_MACHINE.series ? IN_ONE_MACHINE.files : [])],
});

/**
 * Runs a command, with its output on this one's.
 * @param {string[]} words arguments of `env`
 * @param {string} [prefix] for each line; with one, even an empty one, the last lines are kept
 * @returns {Promise<Ended>}
 */
function run(words, prefix) {
  const started = Date.now();
  const isRead = prefix !== undefined;
  /** @type {string[]} */
  const last = [];
  return new Promise((resolve) => {
    const child = spawn('env', words, {
      cwd: root,
      stdio: ['ignore', isRead ? 'pipe' : 'inherit', isRead ? 'pipe' : 'inherit'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        console.log(`${prefix}${line}`);
        last.push(line);
        if (last.length > LAST_LINES) last.shift();
      });
    }
    child.on('error', (error) => {
      console.error(`test-all: ${error.message}`);
      resolve({ code: 127, seconds: 0, last });
    });
    child.on('close', (code) => resolve({ code: code ?? 1, seconds: (Date.now() - started) / 1000, last }));
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
function judge(name, file, { code, seconds, last }) {
  const report = readReport(file);
  /** @param {string} reason */
  const failure = (reason) => ({ name: 'the suite itself', reason });
  if (!report) {
    const reason = [`no report, exit code ${code}`, ...last.map((line) => `    ${line}`)].join('\n');
    return { name, seconds, report: { passed: 0, failed: [failure(reason)], skipped: [] } };
  }
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

/** @param {string} series */
const prefixOf = (series) => (jobs > 1 ? `[${series}] ` : '');

/**
 * Fetches a kernel, unless it is there.
 * @param {string} series
 */
const fetchKernel = (series) => run([join(root, 'scripts/vm/fetch-kernel.sh'), series], prefixOf(series));

/**
 * Runs a suite in a machine of its own.
 * @param {string} series
 * @param {string} file of the report, in a folder that the machine can write to
 * @param {Suite} suite
 */
async function boot(series, file, suite) {
  const started = `${file}.started`;
  for (const left of [file, started]) rmSync(left, { force: true });
  const timeout = String(options.full ? FULL_VM_TIMEOUT : VM_TIMEOUT);
  const words = [series, '--append', KERNEL_WORDS, '--timeout', timeout, '--results', dirname(file), '--'];
  const environment = [
    ...(options.full ? ['NETTRACE_FULL=1'] : []),
    ...(series === IN_ONE_MACHINE.series ? ['NETTRACE_ONE_MACHINE=1'] : []),
  ];
  const command = ['sh', '-c', `: >"$0" && exec env "$@"`, started, ...environment];
  const ended = await run(
    [join(root, 'scripts/vm/run.sh'), ...words, ...command, ...vitest(file, suite)],
    prefixOf(series),
  );
  return { ended, isLost: ended.code !== 0 && (!existsSync(started) || MACHINE_LOST.includes(ended.code)) };
}

/**
 * @param {string} series
 * @returns {Promise<Result>}
 */
async function runInMachine(series) {
  heading(`Linux ${series}`);
  const fetched = await fetchKernel(series);
  if (fetched.code === KERNEL_NOT_GIVEN) {
    const skipped = [{ name: 'all suites', reason: fetched.last.at(-1) ?? 'the mirror does not give this kernel' }];
    return { name: `Linux ${series}`, seconds: fetched.seconds, report: { passed: 0, failed: [], skipped } };
  }
  if (fetched.code !== 0) {
    const failed = [
      { name: 'all suites', reason: ['no kernel', ...fetched.last.map((line) => `    ${line}`)].join('\n') },
    ];
    return { name: `Linux ${series}`, seconds: fetched.seconds, report: { passed: 0, failed, skipped: [] } };
  }
  const folder = join(reports, `linux-${series}`);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'report.json');
  const suite = inMachine(series);
  let { ended, isLost } = await boot(series, file, suite);
  for (let boots = 1; isLost && boots < BOOTS; boots += 1) {
    // seen: an emulated kernel panicked while it booted, and one (int3) when a tracepoint patched code that the other CPU ran;
    // one of 5.10 went round in circles on both CPUs when functions were attached
    console.log(`Linux ${series} did not boot, panicked, or stood still (exit code ${ended.code}): once more`);
    ({ ended, isLost } = await boot(series, file, suite));
  }
  return failedOnceMore(series, folder, suite, judge(`Linux ${series}`, file, ended));
}

/**
 * An emulated machine stands still now and then, which a test may take for the kernel's doing. So files with a failed test
 * have one more run in a machine of their own, which counts; what passed only then is told.
 * @param {string} series
 * @param {string} folder
 * @param {Suite} suite
 * @param {Result} result
 * @returns {Promise<Result>}
 */
async function failedOnceMore(series, folder, suite, result) {
  const { name, report } = result;
  const files = new Set(report?.failed.map((item) => item.name.split(' > ')[0] ?? ''));
  if (!report || files.size === 0 || [...files].some((file) => !file.endsWith('.test.ts'))) return result;
  for (const item of report.failed) console.log(`failed on ${series}, once more: ${item.name}: ${item.reason}`);
  const file = join(folder, 'again.json');
  const { ended } = await boot(series, file, { ...suite, files: [...files] });
  const again = judge(name, file, ended);
  const failures = again.report?.failed ?? [];
  return {
    name,
    seconds: result.seconds + ended.seconds,
    report: {
      passed: report.passed + report.failed.length - failures.length,
      failed: failures,
      skipped: report.skipped,
    },
    unsteady: report.failed.filter((item) => !failures.some((other) => other.name === item.name)),
  };
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
  const unsteady = [];
  heading('summary');
  for (const { name, report, seconds, unsteady: steadied = [] } of results) {
    if (!report) continue;
    passed += report.passed;
    failed += report.failed.length;
    skipped += report.skipped.length;
    const counts = `${report.passed} passed, ${report.failed.length} failed, ${report.skipped.length} skipped`;
    console.log(`${name.padEnd(20)} ${counts} (${seconds.toFixed(0)} s)`);
    for (const item of report.failed) failures.push(`  ${name}: ${item.name}: ${item.reason}`);
    for (const item of steadied) unsteady.push(`  ${name}: ${item.name}: ${item.reason}`);
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
  if (unsteady.length > 0) console.log(`\nPassed in a second run only:\n${unsteady.join('\n')}`);
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
// Now already, because a mirror that has no answer now may have one when the machine is started.
for (const series of kernels) await fetchKernel(series);
if (options.checks) {
  for (const check of CHECKS) results.push(await runStep(`check ${check}`, ['make', '-s', `check-${check}`]));
}
if (options.unit) results.push(await runHere('unit', UNIT));
if (options.native) results.push(await runHere('native', NATIVE));
if (options.host) results.push(await runHere('kernel', KERNEL));
if (options.package) results.push(await runStep('package', [join(root, 'scripts/test-package.sh')]));

/** @type {Map<string, Result>} */
const machines = new Map();
const waiting = [...kernels];
await Promise.all(
  Array.from({ length: Math.min(jobs, kernels.length) }, async () => {
    for (let series = waiting.shift(); series; series = waiting.shift())
      machines.set(series, await runInMachine(series));
  }),
);
for (const series of kernels) {
  const result = machines.get(series);
  if (result) results.push(result);
}

process.exitCode = summarize(results) ? 0 : 1;
