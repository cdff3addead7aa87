import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('kernel-agent.py', import.meta.url));
/** The distribution's own, which has scapy; a `python3` further up in PATH may lack it. */
const PYTHON = '/usr/bin/python3';

export interface CommandResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** A TCP segment to craft; options as scapy names them: `[['Timestamp', [1, 0]], ['MSS', 1460]]`. */
export interface Segment {
  src: string;
  dst: string;
  sport: number;
  dport: number;
  flags: string;
  seq: number;
  ack: number;
  options: [string, unknown][];
}

type Argument = string | number | (string | number)[];

/** A socket of an agent; methods and constants are those of Python's socket module. */
export class AgentSocket {
  readonly #agent: Agent;
  readonly name: string;

  constructor(agent: Agent, name: string) {
    this.#agent = agent;
    this.name = name;
  }

  call(method: string, ...args: Argument[]): Promise<unknown> {
    return this.#agent.ask('call', { name: this.name, method, args });
  }

  async accept(): Promise<AgentSocket> {
    const socket = this.#agent.nextSocket();
    await this.#agent.ask('accept', { name: this.name, as: socket.name });
    return socket;
  }

  async port(): Promise<number> {
    return ((await this.call('getsockname')) as [string, number])[1];
  }

  async close(): Promise<void> {
    await this.#agent.ask('close', { name: this.name });
  }
}

/** A process in a network namespace that works sockets step by step, each step answered when it is done. */
export class Agent {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  #sockets = 0;
  #stderr = '';

  private constructor(namespace: string) {
    this.#process = spawn('nsenter', [`--net=/run/netns/${namespace}`, PYTHON, '-E', PROGRAM]);
    this.#process.stderr.on('data', (text) => {
      this.#stderr += text;
    });
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#answered(line));
    this.#process.on('close', (code) => {
      const error = new Error(`the agent in ${namespace} ended with ${code}: ${this.#stderr}`);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
    this.#process.stdin.on('error', () => {}); // its end says so
  }

  static async start(namespace: string): Promise<Agent> {
    const agent = new Agent(namespace);
    await new Promise((resolve, reject) => agent.#waiting.push({ resolve, reject }));
    return agent;
  }

  #answered(line: string): void {
    const { value, error } = JSON.parse(line) as { value?: unknown; error?: string };
    const asked = this.#waiting.shift();
    if (error) asked?.reject(new Error(error));
    else asked?.resolve(value);
  }

  ask(what: string, request: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ do: what, ...request })}\n`);
    });
  }

  nextSocket(): AgentSocket {
    this.#sockets++;
    return new AgentSocket(this, `socket ${this.#sockets}`);
  }

  async socket(family: string, type: string, protocol: string | number = 0): Promise<AgentSocket> {
    const socket = this.nextSocket();
    await this.ask('socket', { name: socket.name, args: [family, type, protocol] });
    return socket;
  }

  async listen(address: string, port: number): Promise<AgentSocket> {
    const socket = await this.socket(address.includes(':') ? 'AF_INET6' : 'AF_INET', 'SOCK_STREAM');
    await socket.call('setsockopt', 'SOL_SOCKET', 'SO_REUSEADDR', 1);
    await socket.call('bind', [address, port]);
    await socket.call('listen', 16);
    return socket;
  }

  /** A socket bound to `address` and `port`. */
  async bound(address: string, port: number, type = 'SOCK_STREAM'): Promise<AgentSocket> {
    const socket = await this.socket(address.includes(':') ? 'AF_INET6' : 'AF_INET', type);
    await socket.call('setsockopt', 'SOL_SOCKET', 'SO_REUSEADDR', 1);
    await socket.call('bind', [address, port]);
    return socket;
  }

  async run(words: string[], input?: string): Promise<CommandResult> {
    return (await this.ask('command', { words, input })) as CommandResult;
  }

  async read(path: string): Promise<string> {
    return (await this.ask('read', { path })) as string;
  }

  async sendSegment(segment: Segment): Promise<void> {
    await this.ask('send_segment', segment);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin.end();
    await closed;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
