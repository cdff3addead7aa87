import { Command, type Option } from 'commander';
import { UsageError } from '../errors.js';

/** A command whose long options may be abbreviated, as getopt_long(3) takes them: any beginning that only one of them has. */
export class AbbreviatingCommand extends Command {
  override createCommand(name?: string): Command {
    return new AbbreviatingCommand(name);
  }

  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    return super.parseOptions(writtenOut(this, args));
  }
}

/** The words with their options written out. Values of options stay, and so does what follows `--` or a command's name. */
function writtenOut(command: Command, args: readonly string[]): string[] {
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  let commands = help.visibleCommands(command).map((one) => one.name());
  const words: string[] = [];
  let left = [...args];
  const take = (count: number) => {
    words.push(...left.slice(0, count));
    left = left.slice(count);
  };
  while (left[0] !== undefined && left[0] !== '--') {
    const [word] = left;
    if (word.startsWith('--')) {
      const [name = '', ...value] = word.split('=');
      const option = longOption(options, name);
      if (option?.long) left[0] = [option.long, ...value].join('=');
      take(option?.required && value.length === 0 ? 2 : 1);
    } else if (word.startsWith('-')) {
      take(endsWithout(options, word) ? 2 : 1);
    } else {
      if (commands.includes(word)) break;
      // a command's name is one only before other words
      commands = [];
      take(1);
    }
  }
  return [...words, ...left];
}

function longOption(options: readonly Option[], name: string): Option | undefined {
  const exact = options.find(({ long }) => long === name);
  const [first, ...more] = exact ? [exact] : options.filter(({ long }) => long?.startsWith(name));
  if (more.length === 0) return first;
  const names = [first, ...more].map((option) => option?.long).join(', ');
  throw new UsageError(`option '${name}' is ambiguous`, { advice: `it may be ${names}` });
}

/** Of letters behind one dash: the last one takes a value, which is the next word then. */
function endsWithout(options: readonly Option[], word: string): boolean {
  for (let i = 1; i < word.length; i++) {
    const option = options.find(({ short }) => short === `-${word[i]}`);
    if (!option) return false;
    if (option.required) return i === word.length - 1;
  }
  return false;
}
