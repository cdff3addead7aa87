#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { doctorCommand } from './commands/doctor.js';
import { probesCommand } from './commands/probes.js';
import { type TraceCommandOptions, traceCommand } from './commands/trace.js';
import { NettraceError, UsageError } from './errors.js';
import { BACKENDS } from './load/backends.js';
import { FILTER_PROTOS } from './options.js';
import { printable } from './sinks/printable.js';

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

function collect(value: string, former: string[] | undefined): string[] {
  return [...(former ?? []), ...value.split(',')];
}

function wholeNumber(name: string): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text)) throw new UsageError(`${name} must be a whole number, not '${text}'`);
    return Number(text);
  };
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function buildProgram(): Command {
  const program = new Command('nettrace')
    .usage('[options] | doctor [options] | probes [options]')
    .description("Show every packet's way through the kernel, function by function, and where and why it was dropped.")
    .version(version(), '-V, --version')
    .helpOption('-h, --help', 'show this help')
    .argument('[command]', 'doctor or probes; none: trace')
    .allowExcessArguments(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .optionsGroup('Which packets (all that is given must hold; lists with commas):')
    .option('-s, --saddr <addr,...>', 'source address, IPv4 or IPv6, or CIDR', collect)
    .option('-d, --daddr <addr,...>', 'destination address', collect)
    .option('--addr <addr,...>', 'source or destination address', collect)
    .option('-S, --sport <port,...>', 'source port, or range such as 8000-8010', collect)
    .option('-D, --dport <port,...>', 'destination port', collect)
    .option('-P, --port <port,...>', 'source or destination port', collect)
    .addOption(new Option('-p, --proto <proto>', 'protocol').choices(FILTER_PROTOS))
    .option(
      '--tcp-flags <flags,...>',
      'TCP flags, letters of SARPFU: all of one set (SA,R: SYN-ACKs and RSTs)',
      collect,
    )
    .option('--pkt-len <n|n-m>', 'length of the packet in bytes')
    .option('--netns <ns>', 'network namespace: inode, path, or name')
    .option('--netns-current', 'the network namespace of this shell')
    .option('--ifname <name>', 'interface')
    .option('--pid <pid>', 'process that was running when the packet was first seen', wholeNumber('pid'))
    .optionsGroup('Where:')
    .option('-t, --trace <what,...>', 'groups, functions, globs, or all (nettrace probes lists them)', collect)
    .addOption(new Option('--backend <name>', 'attach this way only').choices(BACKENDS))
    .optionsGroup('Output:')
    .option('-c, --count <n>', 'end after so many packets', wholeNumber('count'))
    .option('--json', 'one JSON object per packet and line')
    .option('-o, --output <file>', 'write to a file (mode 0600)')
    .option('--date', 'wall-clock time')
    .option('--detail', 'CPU, interface, process, netns, TCP options, mark and length on each line')
    .option('--ret', 'return values of all functions')
    .option('--buffer <bytes>', 'size of the ring buffer, a power of two', wholeNumber('buffer'))
    .option('-v, --verbose', 'say how each probe was attached')
    .action((command: string | undefined, options: TraceCommandOptions) => {
      if (command !== undefined)
        throw new UsageError(`unknown command '${command}'`, { advice: 'nettrace -h lists commands and options' });
      return traceCommand(options);
    });
  program
    .command('doctor')
    .description('what this kernel and this user can do, how each probe would be attached, and what to enable')
    .option('--json', 'as JSON')
    .exitOverride()
    .action((_options, command: Command) => doctorCommand(command.optsWithGlobals()));
  program
    .command('probes')
    .description('the table of probes by group, and what is available here')
    .option('--json', 'as JSON')
    .exitOverride()
    .action((_options, command: Command) => probesCommand(command.optsWithGlobals()));
  return program;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    process.stderr.write(
      `nettrace: ${error.message
        .replace(/^error: /, '')
        .split('\n')
        .map(printable)
        .join('\n  ')}\n  nettrace -h lists the options\n`,
    );
    return EXIT_USAGE;
  }
  if (error instanceof NettraceError) {
    process.stderr.write(
      `nettrace: ${printable(error.message)}\n${error.advice ? `  ${printable(error.advice)}\n` : ''}`,
    );
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
  }
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`nettrace: ${printable(text)}\n`);
  if (process.env.NETTRACE_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_FAILURE;
}

// a reader that has gone is no error; how much of it matters each writer knows
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
