import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { NettraceError } from '../errors.js';
import { processStartTime, type RegistryFile } from './registry.js';
import { missingTool, type ToolResult, toolEnvironment } from './tools.js';
import { type UntilOptions, until } from './until.js';

/** A command that runs in a host's namespace, in a process group of its own. */
export class HostProcess {
  stdout = '';
  stderr = '';
  /** Its end, whatever it is. Rejects with NettraceError where it could not be started. */
  readonly ended: Promise<ToolResult>;
  readonly #child: ChildProcess;
  readonly #name: string;
  #hasEnded = false;

  constructor(words: readonly string[], namespace: string, input: string) {
    // a program that is an argument is for no message
    this.#name = words.filter((word) => !word.includes('\n')).join(' ');
    const child = spawn('ip', ['netns', 'exec', namespace, ...words], {
      env: toolEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      // signals of the terminal are for this program, which then ends it
      detached: true,
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    child.stdin.on('error', () => {}); // one that does not read says so by its exit code
    child.stdin.end(input);
    this.ended = new Promise((resolve, reject) => {
      child.on('error', (error) => reject(missingTool('ip', error)));
      child.on('close', (code, signal) => {
        this.#hasEnded = true;
        const stderr = signal ? `${this.stderr}ended by ${signal}` : this.stderr;
        resolve({ status: code ?? 128, stdout: this.stdout, stderr });
      });
    });
    this.ended.catch(() => {}); // whoever waits for it is told
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Its state by the letter of ps: `T` where it is stopped. Undefined where it has ended. */
  get state(): string | undefined {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8'); // PID (NAME) STATE ...
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    } catch {
      return undefined;
    }
  }

  /** Waits until its output, of both kinds, has this in it. Throws NettraceError where it ends before. */
  async output(pattern: RegExp, options: UntilOptions = {}): Promise<RegExpExecArray> {
    return await until(
      `${this.#name} says ${pattern}`,
      () => {
        const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (!match && this.#hasEnded) throw new NettraceError(`${this.#name} has ended: ${this.stderr || this.stdout}`);
        return match;
      },
      options,
    );
  }

  /** Ends it, and all that it has started. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.pid !== undefined && !this.#hasEnded) killGroup(this.pid, signal);
  }

  /** The same, and waits for its end; SIGINT lets tcpdump and the like finish their files. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ToolResult> {
    this.kill(signal);
    return await this.ended;
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Processes that a session has started, written down in the registry as long as they run. */
export class ProcessBook {
  readonly #registry: RegistryFile;
  readonly #running = new Set<HostProcess>();

  constructor(registry: RegistryFile) {
    this.#registry = registry;
  }

  start(words: readonly string[], namespace: string, input = ''): HostProcess {
    const started = new HostProcess(words, namespace, input);
    const { pid } = started;
    if (pid === undefined) return started;
    this.#running.add(started);
    this.#registry.addProcess({ pid, startTime: processStartTime(pid) ?? '' });
    void started.ended.finally(() => {
      this.#running.delete(started);
      this.#registry.removeProcess(pid);
    });
    return started;
  }

  killAll(): void {
    for (const one of this.#running) one.kill();
  }
}

/** Ends what a dead session has left running. */
export function killLeft(processes: readonly { pid: number; startTime: string }[]): void {
  for (const { pid, startTime } of processes) {
    if (startTime !== '' && processStartTime(pid) === startTime) killGroup(pid, 'SIGKILL');
  }
}
