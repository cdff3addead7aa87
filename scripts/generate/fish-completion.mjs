// completions/nettrace.fish
import { optionsByCompletion, wordLines } from './bash-completion.mjs';
import { optionsOf } from './program.mjs';

const quoted = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const VALUES = new Map([
  ['file', '-r -F'],
  ['interface', `-x -a '(__nettrace_interfaces)'`],
  ['netns', `-x -a '(__nettrace_netns)'`],
  ['probes', `-x -a '(__fish_complete_list , __nettrace_probes)'`],
]);

function valueFlags({ value, kind, choices }) {
  if (!value) return '';
  return choices.length > 0 ? `-x -a ${quoted(choices.join(' '))}` : (VALUES.get(kind) ?? '-x');
}

function optionLine(command, option) {
  const flags = [
    option.short && `-s ${option.short.slice(1)}`,
    `-l ${option.long.slice(2)}`,
    valueFlags(option),
    `-d ${quoted(option.text)}`,
  ];
  return `complete -c nettrace -n '__nettrace_is ${command.name}' ${flags.filter(Boolean).join(' ')}`;
}

/** @param {Awaited<ReturnType<typeof import('./program.mjs').readProgram>>} program */
export function generateFish({ main, commands, probes }) {
  const all = [main, ...commands];
  const names = commands.map((c) => c.name);
  const withValue = [...optionsByCompletion(all).values()].flat();
  const takes = (kind) => all.filter((c) => c.arguments.some((a) => a.kind === kind)).map((c) => c.name);
  const commandLines = (where) =>
    commands.map((c) => `complete -c nettrace -n '__nettrace_is ${where}' -a ${c.name} -d ${quoted(c.item)}`);
  return `# Completion of nettrace for fish. Generated from src/commands/program.ts: do not edit.

function __nettrace_probes
    printf '%s\\n' \\
${wordLines(probes, '        ').replaceAll('\n', ' \\\n')}
end

# A glob that matches nothing is an error, but in for.
function __nettrace_interfaces
    for path in /sys/class/net/*/
        string replace -r '^/sys/class/net/(.*)/$' '$1' -- $path
    end
end

function __nettrace_netns
    for path in /run/netns/*
        string replace /run/netns/ '' -- $path
    end
end

# Is this the command of the line? nettrace itself where there is none.
function __nettrace_is --argument-names wanted
    set -l words (commandline -opc)
    set -l takes_value no
    for word in $words[2..]
        if test $takes_value = yes
            set takes_value no
            continue
        end
        switch $word
            case ${withValue.join(' ')}
                set takes_value yes
            case ${names.join(' ')}
                test $word = $wanted
                return
        end
    end
    test $wanted = ${main.name}
end

complete -c nettrace -f
${[main.name, ...takes('command')].flatMap(commandLines).join('\n')}
${takes('file')
  .map((name) => `complete -c nettrace -n '__nettrace_is ${name}' -F`)
  .join('\n')}
${all.flatMap((command) => optionsOf(command).map((option) => optionLine(command, option))).join('\n')}
`;
}
