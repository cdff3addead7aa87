// The options and commands of the program, as the man page and the completions need them: from its own definition.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a value is, by its name in angle brackets: shells can complete these. */
const KINDS = new Map([
  ['file', 'file'],
  ['good', 'file'],
  ['bad', 'file'],
  ['interface', 'interface'],
  ['ns', 'netns'],
  ['ns,', 'netns'],
  ['what,', 'probes'],
  ['command', 'command'],
]);
/** What stands in a list of words in all three shells without quotes. */
const PLAIN_WORD = /^[\w-]+$/;

/** `<what,...>` without what shows that it is a list. */
function kindOf(value) {
  return KINDS.get(value?.replace('...', ''));
}

/**
 * @typedef {{ short?: string, long: string, value?: string, kind?: string, choices: string[], isList: boolean, text: string }} ProgramOption
 * @typedef {{ name: string, value: string, kind?: string, isList: boolean, text: string }} ProgramArgument
 * @typedef {{ title: string, options: ProgramOption[] }} OptionGroup
 * @typedef {{ command: string, text: string }} Example
 * @typedef {{ name: string, usage: string, description: string, item: string, arguments: ProgramArgument[],
 *   groups: OptionGroup[], examples: readonly Example[] }} ProgramCommand
 */

/** @returns {ProgramOption} */
function optionOf(option, optionText) {
  const [, value] = /<(.+)>$/.exec(option.flags) ?? [];
  const choices = option.argChoices ?? [];
  for (const choice of choices) if (!PLAIN_WORD.test(choice)) throw new Error(`${option.flags}: choice '${choice}'`);
  return {
    short: option.short,
    long: option.long,
    value,
    kind: kindOf(value),
    choices: [...choices],
    isList: value?.includes(',...') ?? false,
    text: optionText(option),
  };
}

/** @returns {ProgramCommand} */
function commandOf(command, { listed, optionText, EXAMPLES }) {
  const help = command.createHelp();
  const groups = new Map();
  for (const option of help.visibleOptions(command)) {
    const title = (option.helpGroupHeading ?? 'Options:').replace(/:$/, '');
    groups.set(title, [...(groups.get(title) ?? []), optionOf(option, optionText)]);
  }
  const words = command.registeredArguments.map((argument) => ({
    name: argument.name(),
    value: help.argumentTerm(argument),
    kind: kindOf(argument.name()),
    isList: argument.variadic,
    text: argument.description,
  }));
  return {
    name: command.name(),
    usage: command.usage(),
    description: command.description(),
    item: listed(command.description()),
    arguments: words,
    // an option for help is not among a command's own, and its group may have been begun before
    groups: [...groups].map(([title, options]) => ({ title, options })),
    examples: EXAMPLES[command.name()] ?? [],
  };
}

/** Compiles the sources for themselves: what is generated here is no part of them, and dist may be older. */
async function compiled(root) {
  const folder = join(root, 'build/generate');
  const tsc = join(root, 'node_modules/.bin/tsc');
  try {
    execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json'), '--declaration', 'false', '--outDir', folder]);
  } catch (cause) {
    throw new Error(`the program does not compile:\n${cause.stdout ?? cause.message}`, { cause });
  }
  const files = [
    'commands/program.js',
    'commands/help.js',
    'generated/probes.js',
    'load/probe-definition.js',
    'explain/causes/index.js',
  ];
  const modules = await Promise.all(files.map((name) => import(pathToFileURL(join(folder, name)).href)));
  return Object.assign({}, ...modules);
}

/** What -t takes: everything, groups, and functions of the table that are not attached for the sake of others only. */
function traceable({ PROBES, tracksOwner }) {
  const probes = PROBES.filter((probe) => !tracksOwner(probe));
  const groups = [...probes.map((p) => p.stage), ...probes.flatMap((p) => p.groups)];
  const names = [...new Set(['all', 'default', ...groups, ...probes.map((p) => p.name)])];
  for (const name of names) if (!PLAIN_WORD.test(name)) throw new Error(`'${name}' cannot be completed`);
  return names;
}

/**
 * @param {string} root
 * @returns {Promise<{ version: string, main: ProgramCommand, commands: ProgramCommand[], probes: string[],
 *   causes: { packet: object[], connection: object[] } }>} `commands` without the main one; `probes`: what -t takes, groups
 *   first; `causes`: of src/explain/causes.
 */
export async function readProgram(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { buildProgram, ...texts } = await compiled(root);
  const nothing = async () => {};
  const program = buildProgram(version, {
    trace: nothing,
    show: nothing,
    diff: nothing,
    connections: nothing,
    doctor: nothing,
    probes: nothing,
    repro: nothing,
  });
  return {
    version,
    main: commandOf(program, texts),
    commands: program
      .createHelp()
      .visibleCommands(program)
      .map((command) => commandOf(command, texts)),
    probes: traceable(texts),
    causes: { packet: texts.PACKET_CAUSES, connection: texts.CONNECTION_CAUSES },
  };
}

/** All options of a command, whatever their group. */
export function optionsOf(command) {
  return command.groups.flatMap((group) => group.options);
}

/** `-s` and `--saddr`, or what there is of them. */
export function namesOf(option) {
  return [option.short, option.long].filter(Boolean);
}
