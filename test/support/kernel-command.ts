import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface Ended {
  /** Null where a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A run of the command, or of another with the same handling. */
export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], words: readonly string[] = [process.execPath, CLI]) {
    const [program = '', ...before] = words;
    this.child = spawn(program, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (text) => {
      this.#stdout += text;
    });
    this.child.stderr?.on('data', (text) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr }));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** Waits for `begin trace...`; fails with what was said where it ends before. */
  async begun(): Promise<void> {
    const failed = this.ended.then((e) => {
      throw new Error(`it ended with ${e.code ?? e.signal} before tracing: ${e.stderr}`);
    });
    failed.catch(() => {});
    for (;;) {
      if (/^begin trace\.\.\.$/m.test(this.#stdout + this.#stderr)) return;
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
  }

  /** Asks for a clean end and waits for it. */
  async interrupt(): Promise<Ended> {
    this.child.kill('SIGINT');
    return await this.ended;
  }
}

/** Threads of the process that are still there. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
