import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { until } from './kernel-topology.js';

export const CLI_PROGRAM = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The program as a shell runs it. */
export class Cli {
  stdout = '';
  stderr = '';
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<Ended>;

  /** `before`: words in front of `node dist/cli.js`, such as `setpriv ...`. */
  constructor(words: readonly string[], before: readonly string[] = []) {
    const [program, ...rest] = [...before, process.execPath, CLI_PROGRAM, ...words];
    this.process = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    // a test that failed half way must not leave it running
    const kill = () => this.process.kill('SIGKILL');
    process.on('exit', kill);
    this.process.on('close', () => process.off('exit', kill));
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => resolve({ code, signal, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Waits until everything is attached. */
  async ready(): Promise<this> {
    let hasEnded = false;
    void this.ended.finally(() => {
      hasEnded = true;
    });
    await until(
      'begin trace...',
      () => {
        if (hasEnded) throw new Error(`ended before it began: ${this.stderr}`);
        return `${this.stdout}${this.stderr}`.includes('begin trace...\n');
      },
      // several that start at once on an emulated machine wait for each other
      240,
    );
    return this;
  }

  async interrupt(): Promise<Ended> {
    this.process.kill('SIGINT');
    return await this.ended;
  }

  lines(): string[] {
    return this.stdout.split('\n').filter(Boolean);
  }
}
