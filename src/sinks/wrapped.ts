const INDENT = '    ';

/** A text that goes on in the next line, indented, where it is wider than `width` columns. Words stay whole; each line ends. */
export function wrapped(text: string, width: number): string {
  const lines: string[] = [];
  const indent = /^ */.exec(text)?.[0] ?? '';
  const [first = '', ...words] = text.slice(indent.length).split(' ');
  let line = indent + first;
  for (const word of words) {
    if (line.length + 1 + word.length > width) {
      lines.push(line);
      line = INDENT + word;
    } else line += ` ${word}`;
  }
  return [...lines, line].map((one) => `${one}\n`).join('');
}
