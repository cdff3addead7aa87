// man/nettrace.1, in the macros of man(7): from the definition of the program, and the texts here.
import { namesOf, optionsOf } from './program.mjs';

/** Characters that roff takes for its own, or sets as typographic ones, so that they cannot be pasted into a shell. */
const ESCAPES = new Map([
  ['\\', '\\e'],
  ['-', '\\-'],
  ["'", '\\(aq'],
  ['"', '\\(dq'],
  ['`', '\\(ga'],
  ['^', '\\(ha'],
  ['~', '\\(ti'],
]);

/** Text that means itself, wherever it stands: also at the start of a line and as a macro's argument. */
export function roff(text) {
  const escaped = text.replace(/[\\\-'"`^~]/g, (sign) => ESCAPES.get(sign)).replaceAll('\n', ' ');
  // a full stop would make the line a request
  return escaped.startsWith('.') ? `\\&${escaped}` : escaped;
}

/** A paragraph of escaped text in lines of the usual width, each sentence on lines of its own. */
function filled(text) {
  const lines = [];
  let isStart = true;
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    const safe = word.startsWith('.') ? `\\&${word}` : word;
    if (isStart || last === undefined || last.length + 1 + safe.length > MAX_LINE) lines.push(safe);
    else lines[lines.length - 1] = `${last} ${safe}`;
    isStart = /[.?!]$/.test(word) && !word.endsWith('...');
  }
  return lines.join('\n');
}

const prose = (text) => filled(roff(text));

/** mandoc -Tlint asks for lines of at most 80 bytes. */
const MAX_LINE = 80;

const bold = (text) => `\\fB${roff(text)}\\fR`;
const italic = (text) => `\\fI${roff(text)}\\fR`;
const section = (title) => `.SH ${roff(title).toUpperCase()}`;
const subsection = (title) => `.SS "${roff(title)}"`;
const paragraphs = (...texts) => texts.flatMap((text) => ['.PP', prose(text)]);
const item = (term, text) => ['.TP', term, prose(text)];
const items = (pairs) => pairs.flatMap(([term, text]) => item(bold(term), text));
const examples = (list) =>
  list.flatMap(({ command, text }) => [
    '.PP',
    /[?]$/.test(text) ? roff(text) : `${roff(text)}:`,
    '.PP',
    '.RS',
    '.nf',
    roff(command),
    '.fi',
    '.RE',
  ]);

function optionTerm(option) {
  return namesOf(option).map(bold).join(', ') + (option.value ? ` ${italic(option.value)}` : '');
}

const optionItem = (option) => item(optionTerm(option), option.text);

/** Options as nettrace itself has them are named; the others are described. */
function commandSection(command, main) {
  const key = (option) => `${namesOf(option)} ${option.value} ${option.text}`;
  const known = new Set(optionsOf(main).map(key));
  const shared = optionsOf(command).filter((option) => known.has(key(option)));
  const own = optionsOf(command).filter((option) => !known.has(key(option)));
  const lines = [subsection(`nettrace ${command.name} ${command.usage}`.trim()), prose(command.description)];
  for (const argument of command.arguments)
    if (argument.text) lines.push(...item(italic(argument.name), argument.text));
  lines.push(...own.flatMap(optionItem));
  if (shared.length > 0) {
    const names = shared.map((option) => namesOf(option).map(bold).join('/'));
    lines.push('.PP', filled(`As above: ${names.join(', ')}.`));
  }
  return [...lines, ...examples(command.examples)];
}

const DESCRIPTION = [
  'nettrace attaches BPF programs to the functions of the running kernel that touch packets, and shows for each packet ' +
    'that matches which of them it passed, in order, what netfilter, routing and TCP did with it, and how it ended: ' +
    "delivered, sent, or dropped, with the place and the kernel's own reason.",
  'The filters are asked when a packet is first seen; from then on it is followed, also when NAT or a tunnel rewrites it. ' +
    'A packet matches only if it has what the filter asks for: a port filter never shows ARP. ' +
    'An expression and options may be given together: then both must hold.',
  'begin trace... appears when everything is attached. Ctrl-C ends the trace and prints a summary with what was lost, ' +
    'on standard error; a second one ends at once.',
  'It needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and Linux 5.8 or newer with BTF. The commands show and diff ' +
    'need none of this.',
];
const EXIT_STATUS = [
  ['0', 'The trace was ended, or the command did what it was asked for. nettrace diff: both files are the same.'],
  ['1', 'The machine refuses: privileges, kernel, files. nettrace diff: the files differ.'],
  ['2', 'Options make no sense, alone or together. nettrace diff: any trouble.'],
  ['130', 'Ended at once by a second Ctrl-C; nettrace diff: by the first.'],
];
const ENVIRONMENT = [
  ['NO_COLOR', 'If it is set, and not empty, the output has no colours. They are for terminals only in any case.'],
  [
    'NETTRACE_DEBUG',
    'If it is set, and not empty, failures that are not foreseen come with where in the program they arose.',
  ],
];
const FILES = [
  ['/sys/kernel/btf/vmlinux', 'Types of the running kernel; --btf-path names another file.'],
  ['/run/netns', 'Where --netns looks for names, as ip-netns(8) does.'],
  ['FILE.1, FILE.1.gz ...', 'What --rotate makes of FILE: the one with the highest number is the oldest.'],
];
const SEE_ALSO = ['pcap-filter(7)', 'tcpdump(8)', 'ip-netns(8)', 'bpf(2)', 'diff(1)'];

/** @param {Awaited<ReturnType<typeof import('./program.mjs').readProgram>>} program */
export function generateManPage({ version, main, commands }) {
  const usage = main.usage.split(' | ').map((line) => `${bold('nettrace')} ${roff(line)}`);
  const lines = [
    '.\\" Generated from src/commands/program.ts: do not edit.',
    `.TH NETTRACE 1 "" "nettrace ${roff(version)}" "User Commands"`,
    section('Name'),
    'nettrace \\- show every packet\\(aqs way through the kernel',
    section('Synopsis'),
    usage.join('\n.br\n'),
    section('Description'),
    prose(main.description),
    ...paragraphs(...DESCRIPTION),
    ...main.arguments.flatMap((argument) => item(italic(argument.name), argument.text)),
    section('Options'),
    prose('Values of options that take lists are separated by commas; such an option may also be given several times.'),
    '.PP',
    prose('Long options may be abbreviated, as long as only one begins so: --min-lat 10 is --min-latency 10.'),
    ...main.groups.flatMap((group) => [subsection(group.title), ...group.options.flatMap(optionItem)]),
    section('Commands'),
    'Options of a command stand behind its name.',
    ...commands.flatMap((command) => commandSection(command, main)),
    section('Exit status'),
    ...items(EXIT_STATUS),
    section('Environment'),
    ...items(ENVIRONMENT),
    section('Files'),
    ...items(FILES),
    section('Examples'),
    ...examples(main.examples),
    section('See also'),
    SEE_ALSO.map((page) => page.replace(/^(.*)(\(\d\))$/, (_, name, number) => bold(name) + number)).join(',\n'),
  ];
  // the name of a section cannot be followed by an empty paragraph
  return `${lines.filter((line, i) => !(line === '.PP' && /^\.(SH|SS)/.test(lines[i - 1] ?? ''))).join('\n')}\n`;
}
