#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { buildProgram, type Handlers } from './commands/program.js';
import { NettraceError, UsageError } from './errors.js';
import { whyNot } from './file-errors.js';
import { requirePlatform } from './load/preflight.js';
import { printable } from './sinks/printable.js';

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** For what looks into the kernel. Throws NettraceError where this machine, or this installation, has no addon for that. */
async function needAddon(): Promise<void> {
  requirePlatform();
  try {
    await import('#bpf-loader');
  } catch (cause) {
    throw new NettraceError((cause as Error).message, {
      advice: 'run make build, or install the package again',
      cause,
    });
  }
}

/** Each is loaded when it is called: those that read files need no addon, and help needs none of them. */
const handlers: Handlers = {
  async trace(options) {
    await needAddon();
    const { KernelReading } = await import('./load/kernel.js');
    // takes other threads as long as this one needs for the rest of the program
    const kernel = new KernelReading(options.btfPath);
    const { traceCommand } = await import('./commands/trace.js');
    return traceCommand(options, kernel);
  },
  async show(files, options) {
    const { showCommand } = await import('./commands/show.js');
    return showCommand(files, options);
  },
  async diff(good, bad, options) {
    try {
      const { diffCommand } = await import('./commands/diff.js');
      process.exitCode = await diffCommand(good, bad, options);
    } catch (error) {
      // as diff(1): 1 says that they differ
      process.exitCode = Math.max(report(error), EXIT_USAGE);
    }
  },
  async connections(options) {
    await needAddon();
    const { connectionsCommand } = await import('./commands/connections.js');
    return connectionsCommand(options);
  },
  async doctor(options) {
    const { doctorCommand } = await import('./commands/doctor.js');
    return doctorCommand(options);
  },
  async repro(words, options) {
    await needAddon();
    const { reproCommand } = await import('./commands/repro.js');
    process.exitCode = await reproCommand(words, options);
  },
  async probes(options) {
    const { probesCommand } = await import('./commands/probes.js');
    return probesCommand(options);
  },
};

function report(error: unknown): number {
  // help and version that were asked for end so too
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof NettraceError) {
    process.stderr.write(
      `nettrace: ${printable(error.message)}\n${error.advice ? `  ${error.advice.split('\n').map(printable).join('\n  ')}\n` : ''}`,
    );
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
  }
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`nettrace: ${printable(text)}\n`);
  if (process.env.NETTRACE_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_FAILURE;
}

/** A reader that has gone is no error. */
let outputFailure: unknown;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') outputFailure ??= error;
});
// nobody is left to tell
process.stderr.on('error', () => {});
process.on('exit', () => {
  // what goes through a writer has failed there, and was told of
  if (outputFailure === undefined || process.exitCode) return;
  process.exitCode = report(
    new NettraceError(`cannot write standard output: ${whyNot(outputFailure)}`, { cause: outputFailure }),
  );
});
try {
  await buildProgram(version(), handlers).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
