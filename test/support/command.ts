import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = `${ROOT}dist/cli.js`;

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; standard output and error are read as text. */
export async function run(program: string, words: readonly string[]): Promise<Outcome> {
  const child = spawn(program, words, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject).on('close', (c, s) => resolve([c, s]));
  });
  return { code, signal, stdout, stderr };
}

/** The command line as users start it, from what `make build` compiled. */
export function nettrace(...words: string[]): Promise<Outcome> {
  if (!existsSync(CLI)) throw new Error(`${CLI} is not there: make build`);
  return run(process.execPath, [CLI, ...words]);
}
