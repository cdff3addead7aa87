import { type Command, type CommanderError, Option } from 'commander';
import { SOCKET_PROTOS } from '../connections/protos.js';
import { UsageError } from '../errors.js';
import { BACKENDS } from '../load/backend-names.js';
import { AbbreviatingCommand } from './abbreviating-command.js';
import { addAddressOptions, addFilterOptions, addOutputOptions, collect, wholeNumber } from './common-options.js';
import type { ConnectionsCommandOptions } from './connections.js';
import type { DiffOptions } from './diff.js';
import type { JsonOption } from './doctor.js';
import { addExamples, configureHelp, HELP_GROUP } from './help.js';
import { addExpressionOptions, addModeOptions, addPlaceOptions } from './mode-options.js';
import type { ReproOptions } from './repro.js';
import type { ShowOptions } from './show.js';
import { similarCommand } from './similar-command.js';
import type { TraceCommandOptions } from './trace.js';

/** What the commands do. The definition does not know how: the man page and the completions are made from it too. */
export interface Handlers {
  trace(options: TraceCommandOptions): Promise<void>;
  show(files: string[], options: ShowOptions): Promise<void>;
  diff(good: string, bad: string, options: DiffOptions): Promise<void>;
  connections(options: ConnectionsCommandOptions): Promise<void>;
  doctor(options: JsonOption): Promise<void>;
  probes(options: JsonOption): Promise<void>;
  repro(words: string[], options: ReproOptions): Promise<void>;
}

/** All options and commands, each defined once. */
export function buildProgram(version: string, handlers: Handlers): Command {
  const program = configureHelp(new AbbreviatingCommand('nettrace'))
    .usage('[options] [expression] | COMMAND [options]')
    .description("Show every packet's way through the kernel, function by function, and where and why it was dropped.")
    .argument('[expression...]', "packets, as for tcpdump: 'tcp port 8000' (see pcap-filter(7))")
    .helpCommand('help [command]', 'Show the help of a command.')
    .showSuggestionAfterError()
    // options behind a command are its own: those of live traces mean nothing to it
    .enablePositionalOptions()
    .configureOutput({ outputError: () => {} });
  addExpressionOptions(addFilterOptions(program));
  addModeOptions(program);
  addPlaceOptions(program);
  addOutputOptions(program)
    .option('--hooks', 'functions that are registered at each netfilter hook')
    .option('--counters', 'at the end: counters that moved, by which packets; sockets left');
  addRunOptions(program)
    .optionsGroup(HELP_GROUP)
    .version(version, '-V, --version', 'show the version')
    .action((words: string[], options: TraceCommandOptions) => {
      const [word = '', ...more] = words;
      if (more.length === 0 && similarCommand(word)) throw unknownCommand(word);
      return handlers.trace(words.length === 0 ? options : { ...options, expression: words.join(' ') });
    });
  addExamples(program);
  addFileCommands(program, handlers);
  addMachineCommands(program, handlers);
  addReproCommand(program, handlers);
  for (const command of [program, ...program.commands]) command.exitOverride((error) => refuse(error, command));
  // help for a command that is not there: commander would show that of all
  program.addHelpText('beforeAll', ({ error }) => {
    if (error) throw unknownCommand(program.args[1] ?? '');
    return '';
  });
  return program;
}

function unknownCommand(word: string): UsageError {
  const meant = similarCommand(word);
  const advice = meant ? `did you mean nettrace ${meant}?` : 'nettrace -h lists the commands';
  return new UsageError(`unknown command '${word}'`, { advice });
}

/** What commander says of wrong words as this program says it. */
function refuse(error: CommanderError, command: Command): never {
  if (error.exitCode === 0) throw error;
  const [what = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const help = command.parent ? `nettrace ${command.name()} -h` : 'nettrace -h';
  throw new UsageError(what, { advice: [...more, `${help} lists the options`].join('\n'), cause: error });
}

/** How the kernel is asked. */
function addRunOptions(program: Command): Command {
  return program
    .optionsGroup('How it runs:')
    .addOption(new Option('--backend <name>', 'attach in this way only').choices(BACKENDS))
    .option('--rate-limit <n>', 'at most so many events, or new packets, a second', wholeNumber('--rate-limit'))
    .option('--sample <which>', '1/N: follow one of N packets; off: all; auto: fewer under overload')
    .option(
      '--buffer <bytes>',
      'ring buffer, a power of two from 4096 to 2^30 (default: 8388608)',
      wholeNumber('--buffer'),
    )
    .option('--btf-path <file>', 'BTF of the running kernel, where the kernel does not give it')
    .option('--force', 'try even where a check says that it cannot work')
    .option('-v, --verbose', 'say on standard error how each probe was attached')
    .option('--debug', 'the same, and where in the program a failure came from');
}

/** Commands that read files: they load neither the addon nor BPF, and run anywhere. */
function addFileCommands(program: Command, handlers: Handlers): void {
  const show = program
    .command('show')
    .description('Show traces from files that --json wrote, compressed or not.')
    .argument('<file...>', 'files, one after the other; - is standard input')
    .optionsGroup('Files:')
    .option('-F, --follow', 'wait for more at the end of the file, also when it is rotated');
  addPlaceOptions(addModeOptions(addExpressionOptions(addFilterOptions(show))));
  addOutputOptions(show)
    .option('--hooks', 'functions that are registered at each netfilter hook, where they were recorded')
    .action((files: string[], _options, command: Command) => handlers.show(files, optionsOf<ShowOptions>(command)));
  addExamples(show);
  const diff = program
    .command('diff')
    .description('Show where the ways of packets in two files part. Exit status: 0 the same, 1 different, 2 trouble.')
    .argument('<good>', 'file that --json wrote; - is standard input')
    .argument('<bad>', 'another one');
  addFilterOptions(diff);
  addJsonOption(diff).action((good: string, bad: string, _options, command: Command) =>
    handlers.diff(good, bad, optionsOf<DiffOptions>(command)),
  );
  addExamples(diff);
}

/** Commands that tell of this machine. */
function addMachineCommands(program: Command, handlers: Handlers): void {
  const connections = program
    .command('connections')
    .description('List sockets: state, queues, timers, age, owner; with --listen accept queues.')
    .optionsGroup('Which sockets (all that is given must hold; lists with commas; source is the local side):');
  addAddressOptions(connections)
    .addOption(new Option('-p, --proto <proto>', 'protocol (default: tcp)').choices(SOCKET_PROTOS))
    .option('--state <state,...>', 'state of TCP, such as ESTABLISHED or SYN_RECV (default: all but LISTEN)', collect)
    .option('-l, --listen', 'listeners: length and limit of the accept queue, length of the SYN queue')
    .option('--netns <ns>', 'network namespace: inode, path, or name that ip netns lists')
    .option('--pid <pid>', 'process that owns the socket', wholeNumber('pid'))
    .option('--comm <name>', 'name of that process, at most 15 bytes');
  addJsonOption(connections, 'one JSON object a line: a socket').action((_options, command: Command) =>
    handlers.connections(optionsOf<ConnectionsCommandOptions>(command)),
  );
  addExamples(connections);
  const doctor = program
    .command('doctor')
    .description('Say what this kernel and this user can do, and what to enable.');
  addJsonOption(doctor).action((_options, command: Command) => handlers.doctor(optionsOf<JsonOption>(command)));
  addExamples(doctor);
  const probes = program
    .command('probes')
    .description('List what can be traced by group, and what this kernel has of it.');
  addJsonOption(probes).action((_options, command: Command) => handlers.probes(optionsOf<JsonOption>(command)));
  addExamples(probes);
}

/** Sessions that make what they trace. */
function addReproCommand(program: Command, handlers: Handlers): void {
  const repro = program
    .command('repro')
    .description(
      'Play cases in networks of their own, trace them, and check what the kernel did. Exit status: 0 as expected, 1 not, 2 wrong usage.',
    )
    .argument('<name...>', 'list, or names of cases or groups, all, or files of your own: ./my-case.ts')
    .optionsGroup('How it is played:')
    .option('--set <name=value>', 'value of a parameter (repro list names them); several times', collectWords)
    .option('--repeat <n>', 'each case so many times', wholeNumber('--repeat'))
    .option('--jobs <n>', 'so many cases at once (default: 1)', wholeNumber('--jobs'))
    .option('--seed <n>', 'other random numbers in the case (default: 1)', wholeNumber('--seed'))
    .addOption(new Option('--backend <name>', 'attach in this way only').choices(BACKENDS))
    .option('--keep', 'leave the network standing, and say how to enter it')
    .optionsGroup('Output:')
    .option('--json', 'one JSON object a line: traces, then what became of the case')
    .option('-o, --output <file>', 'write to a file (mode 0600), compressed if it ends in .gz or .zst')
    .option('--pcap <file>', "packets of the case's links too, for tcpdump")
    .option('--detail', 'skb, CPU, interface, owner, netns, TCP options, mark and length');
  repro.action((words: string[], _options, command: Command) =>
    handlers.repro(words, optionsOf<ReproOptions>(command)),
  );
  addExamples(repro);
}

function collectWords(value: string, former: string[] | undefined): string[] {
  return [...(former ?? []), value];
}

function addJsonOption(command: Command, description = 'as JSON'): Command {
  return command.optionsGroup('Output:').option('--json', description);
}

/** A command's options, with those that stood before its name. Throws UsageError for those that it does not have. */
function optionsOf<T extends object>(command: Command): T {
  const before = command.parent?.options.filter(
    (o) => command.parent?.getOptionValueSource(o.attributeName()) === 'cli',
  );
  const own = new Set(command.options.map((o) => o.attributeName()));
  const foreign = before?.find((option) => !own.has(option.attributeName()));
  if (foreign) throw new UsageError(`option '${foreign.flags}' is not for nettrace ${command.name()}`);
  return { ...command.parent?.opts(), ...command.opts() } as T;
}
