// completions/_nettrace, for zsh's _arguments.
import { wordLines } from './bash-completion.mjs';
import { namesOf, optionsOf } from './program.mjs';

const ACTIONS = new Map([
  ['file', '_files'],
  ['interface', '_net_interfaces'],
  ['netns', '_nettrace_netns'],
  ['probes', '_nettrace_probes'],
  ['command', '_nettrace_commands'],
]);

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** In a specification brackets end the explanation, and colons part it: neither can be written there reliably. */
const plain = (text) => text.replaceAll('[', '(').replaceAll(']', ')').replaceAll('\\', '/').replaceAll(':', '\\:');

const actionOf = ({ choices = [], kind }) =>
  choices.length > 0 ? `(${choices.join(' ')})` : (ACTIONS.get(kind) ?? ' ');

function optionSpecs(option) {
  const names = namesOf(option);
  const value = option.value ? `:${plain(option.value)}:${actionOf(option)}` : '';
  // lists grow with each time that they are given; all others are given once
  const once = option.isList ? '*' : `(${names.join(' ')})`;
  return names.map((name) => {
    const takes = option.value ? (name.startsWith('--') ? '=' : '+') : '';
    return quoted(`${once}${name}${takes}[${plain(option.text)}]${value}`);
  });
}

function argumentSpecs(command) {
  return command.arguments.map((a, i) => quoted(`${a.isList ? '*' : i + 1}:${plain(a.name)}:${actionOf(a)}`));
}

const specLines = (specs, indent) => specs.map((spec) => `${indent}${spec}`).join(' \\\n');

/** @param {Awaited<ReturnType<typeof import('./program.mjs').readProgram>>} program */
export function generateZsh({ main, commands, probes }) {
  const described = commands.map((c) => `        ${quoted(`${c.name}:${plain(c.item)}`)}`);
  const branches = commands.map((command) => {
    const specs = [...optionsOf(command).flatMap(optionSpecs), ...argumentSpecs(command)];
    return `        ${command.name})\n            _arguments -s -S \\\n${specLines(specs, '                ')}\n            ;;`;
  });
  return `#compdef nettrace
# Completion of nettrace for zsh. Generated from src/commands/program.ts: do not edit.

_nettrace_probes() {
    local -a probes=(
${wordLines(probes, '        ')}
    )
    _sequence compadd - -a probes
}

_nettrace_netns() {
    compadd -- /run/netns/*(N:t)
}

_nettrace_commands() {
    local -a commands=(
${described.join('\n')}
    )
    _describe -t commands command commands
}

_nettrace() {
    local curcontext=$curcontext state
    local -a line
    local -A opt_args
    _arguments -s -S -C \\
${specLines(optionsOf(main).flatMap(optionSpecs), '        ')} \\
        '1: :_nettrace_commands' \\
        '*::: :->command'
    [[ $state == command ]] || return
    words=($line[1] $words)
    ((CURRENT++))
    curcontext=\${curcontext%:*}-$line[1]:
    case $line[1] in
${branches.join('\n')}
    esac
}

_nettrace "$@"
`;
}
