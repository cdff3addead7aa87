const COMMANDS = ['show', 'diff', 'connections', 'doctor', 'probes', 'repro'] as const;
/** So many letters of the short ones, and of the others, may be wrong, missing or too many. */
const maxDistance = (command: string) => (command.length < 5 ? 1 : 2);

/** Letters to change, add or leave out to get from one word to the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The command that a word was probably meant to be. */
export function similarCommand(word: string): string | undefined {
  return COMMANDS.find((command) => distance(word.toLowerCase(), command) <= maxDistance(command));
}
