// completions/nettrace.bash. Names of this machine never go through compgen -W, which would run what is in them.
import { namesOf, optionsOf } from './program.mjs';

/** Lines of words that fit the house's width. */
export function wordLines(words, indent) {
  const lines = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && indent.length + last.length + 1 + word.length <= 118)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => indent + line).join('\n');
}

function completionOf(option) {
  return option.choices.length > 0 ? option.choices.join(' ') : (option.kind ?? '');
}

/** Options of all commands that take a value, by what completes it: the first command that has one says so. */
export function optionsByCompletion(commands) {
  const completions = new Map();
  for (const option of commands.flatMap(optionsOf)) {
    if (!option.value) continue;
    for (const name of namesOf(option)) if (!completions.has(name)) completions.set(name, completionOf(option));
  }
  const groups = new Map();
  for (const [name, completion] of completions) groups.set(completion, [...(groups.get(completion) ?? []), name]);
  return groups;
}

/** Options that take other values in one command than in those before. */
function exceptions(commands) {
  const first = new Map();
  const found = [];
  for (const command of commands) {
    for (const option of optionsOf(command).filter((o) => o.value)) {
      const completion = completionOf(option);
      const names = namesOf(option).filter((name) => (first.get(name) ?? completion) !== completion);
      for (const name of namesOf(option)) if (!first.has(name)) first.set(name, completion);
      if (names.length > 0) found.push([completion, names.map((name) => `${command.name}:${name}`)]);
    }
  }
  return found;
}

const VALUES = new Map([
  ['file', '_nettrace_files "$cur"'],
  ['interface', '_nettrace_names "$cur" /sys/class/net/*/'],
  ['netns', '_nettrace_names "$cur" /run/netns/*'],
  ['probes', '_nettrace_list "$cur" "$_nettrace_probes"'],
  ['', ':'],
]);

/** @param {Awaited<ReturnType<typeof import('./program.mjs').readProgram>>} program */
export function generateBash({ main, commands, probes }) {
  const all = [main, ...commands];
  const names = commands.map((c) => c.name);
  const groups = [...optionsByCompletion(all)];
  const common = groups.map(([completion, options]) => [completion, options.map((name) => `*:${name}`)]);
  const values = [...exceptions(all), ...common].map(([completion, options]) => {
    const how = VALUES.get(completion) ?? `_nettrace_list "$cur" '${completion}'`;
    return `    ${options.join(' | ')})\n        ${how}\n        return\n        ;;`;
  });
  const options = all.map((c) => {
    const words = optionsOf(c).flatMap(namesOf);
    return `    ${c.name}) words='${words.join(' ')}' ;;`;
  });
  const takesFiles = all.filter((c) => c.arguments.some((a) => a.kind === 'file')).map((c) => c.name);
  const takesCommand = all.filter((c) => c.arguments.some((a) => a.kind === 'command')).map((c) => c.name);
  return `# Completion of nettrace for bash. Generated from src/commands/program.ts: do not edit.

_nettrace_probes='
${wordLines(probes, '    ')}
'

# Words that the last part of a list with commas may become. The words are our own: compgen -W expands them.
_nettrace_list() { # CURRENT WORDS
    local before=
    [[ $1 == *,* ]] && before=\${1%,*},
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$2" -- "\${1##*,}")
    compopt -o nospace 2>/dev/null
    [[ \${#COMPREPLY[@]} -gt 1 ]] || compopt +o nospace 2>/dev/null
}

# Last parts of paths, quoted: anyone may have chosen them.
_nettrace_names() { # CURRENT PATH...
    local path name
    for path in "\${@:2}"; do
        [ -e "$path" ] || continue
        path=\${path%/}
        name=\${path##*/}
        [[ $name == "$1"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done
}

_nettrace_files() { # CURRENT
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_nettrace() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command=nettrace words i
    COMPREPLY=()
    # the shell takes --option=value apart
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=\${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case \${COMP_WORDS[i]} in
        ${groups.flatMap(([, options]) => options).join(' | ')})
            i=$((i + 1))
            [[ \${COMP_WORDS[i]-} != = ]] || i=$((i + 1))
            ;;
        ${names.join(' | ')})
            command=\${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $command:$prev in
${values.join('\n')}
    esac
    case $command in
${options.join('\n')}
    esac
    if [[ $cur != -* ]]; then
        case $command in
        ${takesFiles.join(' | ')})
            _nettrace_files "$cur"
            return
            ;;
        ${[main.name, ...takesCommand].join(' | ')}) words='${names.join(' ')}' ;;
        *) return ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _nettrace nettrace
`;
}
