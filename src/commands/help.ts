import type { Command, Help, Option } from 'commander';

/** Lines are as wide as the terminal, but no wider than can be read. */
const MAX_WIDTH = 100;
/** Below that, descriptions stand under what they describe: beside it there is no room for sentences. */
const NARROW = 72;
const INDENT = 2;
const NARROW_INDENT = 8;
export const HELP_GROUP = 'Help:';

export interface Example {
  command: string;
  text: string;
}

/** Of each command, by its name; the man page and the help show the same. */
export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  nettrace: [
    { command: 'nettrace -P 8000', text: 'whole ways of packets of this port' },
    { command: 'nettrace --drop', text: 'drops, with reason and place' },
    {
      command: 'nettrace --diag -p icmp --saddr 192.168.1.7',
      text: 'why is that ping not answered?',
    },
    {
      command: "nettrace 'tcp port 8000 and tcp[tcpflags] & tcp-rst != 0'",
      text: 'resets, chosen as with tcpdump',
    },
    { command: 'nettrace -P 8000 --json -o t.ndjson.gz', text: 'to a compressed file' },
    { command: 'nettrace show t.ndjson.gz -P 8000 --detail', text: 'later, anywhere' },
  ],
  show: [
    { command: 'nettrace show t.ndjson.gz --diag --diag-keep', text: 'all packets, with what went wrong' },
    { command: 'nettrace show -F t.ndjson --tcp-flags R', text: 'resets, while another nettrace writes the file' },
    { command: 'zcat t.ndjson.gz | nettrace show - -c 10', text: 'the first ten packets' },
  ],
  diff: [{ command: 'nettrace diff good.ndjson bad.ndjson -P 8000', text: 'why does it work there, and not here?' }],
  connections: [
    { command: 'nettrace connections -P 8000', text: 'who is connected, and what does the kernel wait for?' },
    { command: 'nettrace connections --listen', text: 'is an accept queue full?' },
    { command: 'nettrace connections --state SYN_RECV --netns web', text: 'half-open connections of a namespace' },
  ],
  doctor: [{ command: 'nettrace doctor --json', text: 'for scripts: exit status 1 where tracing is impossible' }],
  repro: [
    { command: 'nettrace repro list', text: 'the cases, with their parameters' },
    { command: 'nettrace repro all --json -o results.ndjson', text: 'all of them; nettrace show reads the traces' },
    { command: 'nettrace repro ./my-case.ts --set port=8080', text: 'a case of your own' },
  ],
  probes: [{ command: 'nettrace probes', text: 'what -t, --trace-stack and their like take' }],
};

/** Options' values as they are written; commander's own text has quotes, and calls them choices. */
export function optionText(option: Option): string {
  return option.argChoices ? `${option.description}: ${option.argChoices.join(', ')}` : option.description;
}

/** A term with its description beside it, or below it where it is narrow. */
function itemText(help: Help, term: string, termWidth: number, description: string): string {
  const width = help.helpWidth ?? MAX_WIDTH;
  const indent = ' '.repeat(INDENT);
  if (!description) return indent + term;
  const start = width < NARROW ? NARROW_INDENT : termWidth + 2 * INDENT;
  const text = help.boxWrap(description, width - start).replaceAll('\n', `\n${' '.repeat(start)}`);
  if (width < NARROW) return `${indent}${term}\n${' '.repeat(start)}${text}`;
  return `${indent}${term.padEnd(termWidth)}${indent}${text}`;
}

/** How wide the help may be: as the terminal, and where there is none, or one that is wider, what can be read. */
function helpWidth(): number {
  return Math.min(process.stdout.columns || MAX_WIDTH, MAX_WIDTH);
}

/** To be called before commands are added: they take this over. */
export function configureHelp(command: Command): Command {
  return command
    .configureOutput({ getOutHelpWidth: helpWidth })
    .configureHelp({
      minWidthToWrap: 20,
      // long options stand in one column, with or without a short one
      optionTerm: ({ short, flags }) => (short ? flags : `    ${flags}`),
      optionDescription: optionText,
      // in a list no sentence ends with a full stop, and begins like the others there
      subcommandDescription: (sub) => listed(sub.description()),
      styleTitle(title) {
        return this.boxWrap?.(title, helpWidth()) ?? title;
      },
      formatItem(term, termWidth, description, help) {
        return itemText(help, term, termWidth, description);
      },
    })
    .optionsGroup(HELP_GROUP)
    .helpOption('-h, --help', 'show this help');
}

/** A sentence as an item of a list. */
export function listed(sentence: string): string {
  const [first = ''] = sentence.replace(/\.$/, '').split(/\. /);
  return first.charAt(0).toLowerCase() + first.slice(1);
}

/** At the end of a command's help. */
export function addExamples(command: Command): void {
  const examples = EXAMPLES[command.name()] ?? [];
  const lines = examples.map(({ command: words, text }) => ({ words, text: `# ${text}` }));
  const room = Math.max(...lines.map(({ words }) => words.length));
  command.addHelpText('after', () => {
    const width = helpWidth();
    const beside = lines.every(({ text }) => INDENT + room + INDENT + text.length <= width);
    const items = lines.map(({ words, text }) =>
      beside ? `  ${words.padEnd(room)}  ${text}` : `  ${text}\n  ${words}`,
    );
    return `\nExamples:\n${items.join('\n')}`;
  });
}
