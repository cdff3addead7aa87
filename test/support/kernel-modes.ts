import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect, type TestContext } from 'vitest';
import type { OutputRecord, Tuple } from '../../src/types.js';
import { must, type Stage } from '../kernel/scenarios/scenario.js';
import type { Agent, AgentSocket } from './kernel-agent.js';
import { Cli } from './kernel-cli.js';
import { SHORTENED } from './machine.js';

/** One start of the program takes seconds there; modes.test.ts asks all modes at once. */
export function onlyOnRealMachines(ctx: TestContext): void {
  if (SHORTENED)
    ctx.skip('many starts of the program take too long on an emulated machine; there one pass sees all modes');
}

/** What the program says at its start where only tracepoints can be attached. */
export const TRACEPOINTS_ONLY = /^nettrace: this kernel gives tracepoints only: .+\n/;

/** A line of an event begins with its time. */
const EVENT_LINE = /^\[\d+\.\d{6}\] /;
const ENDPOINTS = / (TCP|UDP|ICMP|ICMPv6|ARP|IP|IPv6|packet): (\S+) -> (\S+)/;

let schema: ValidateFunction | undefined;

/** Checks a line of --json by the published schema. */
export function parseRecord(line: string): OutputRecord {
  schema ??= new Ajv2020({ strict: false }).compile(
    JSON.parse(readFileSync(new URL('../../schema/output.schema.json', import.meta.url), 'utf8')),
  );
  const record = JSON.parse(line) as OutputRecord;
  expect(schema(record), `${JSON.stringify(schema.errors)}\n${line}`).toBe(true);
  return record;
}

/** What one run of the program said. */
export class Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor({ code, stdout, stderr }: { code: number | null; stdout: string; stderr: string }) {
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** False where it said that it has tracepoints only. */
  get hasFunctions(): boolean {
    return !TRACEPOINTS_ONLY.test(this.stderr);
  }

  /** Lines of events, without what is around them. */
  get lines(): string[] {
    return this.stdout.split('\n').filter((line) => EVENT_LINE.test(line));
  }

  /** Blocks of the default mode, each with its head line. */
  get blocks(): string[] {
    return this.stdout.split(/^(?=\*{17} )/m).filter((block) => block.startsWith('*'));
  }

  get records(): OutputRecord[] {
    return this.stdout.split('\n').filter(Boolean).map(parseRecord);
  }

  of<T extends OutputRecord['type']>(type: T): Extract<OutputRecord, { type: T }>[] {
    return this.records.filter((one): one is Extract<OutputRecord, { type: T }> => one.type === type);
  }
}

/**
 * Runs the program with each of the lists of words, all at once, around the same traffic. What happened before their end
 * is asked for is in their output: they detach first and read what is left then.
 */
export async function watch<K extends string>(
  runs: Record<K, readonly string[]>,
  play: (clis: Record<K, Cli>) => Promise<void>,
): Promise<Record<K, Output>> {
  const clis = Object.entries<readonly string[]>(runs).map(([name, words]) => [name, new Cli(words)] as const);
  try {
    await Promise.all(clis.map(([, cli]) => cli.ready()));
    await play(Object.fromEntries(clis) as Record<K, Cli>);
    const outputs = await Promise.all(clis.map(async ([name, cli]) => [name, new Output(await cli.interrupt())]));
    return Object.fromEntries(outputs) as Record<K, Output>;
  } finally {
    for (const [, cli] of clis) cli.process.kill('SIGKILL');
  }
}

/** The same words for people and for programs. */
export function both(...words: string[]): { text: string[]; json: string[] } {
  return { text: words, json: ['--json', ...words] };
}

/** Runs to the end without traffic: for what is refused. */
export async function refusal(...words: string[]): Promise<Output> {
  return new Output(await new Cli(words).ended);
}

/** Can functions be attached here, and not tracepoints alone? */
export async function takesFunctions(): Promise<boolean> {
  const { stdout } = await new Cli(['probes', '--json']).ended;
  const table = JSON.parse(stdout) as { target?: string | null; available?: boolean }[];
  return table.some(({ target, available }) => available && target && !target.includes(':'));
}

function portOf(endpoint: string): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1));
}

/** Every line that names a packet is of this protocol and, where it is given, of this port. */
export function expectOnly(output: Output, title: string, port?: number): void {
  const named = output.lines.map((line) => ENDPOINTS.exec(line)).filter((match) => match !== null);
  expect(named.length, output.stdout).toBeGreaterThan(0);
  for (const [text, proto, from = '', to = ''] of named) {
    expect(proto, text).toBe(title);
    if (port !== undefined) expect([portOf(from), portOf(to)], text).toContain(port);
  }
}

/** The same of JSON lines: of this protocol and port. */
export function expectOnlyRecords(output: Output, proto: string, port?: number): void {
  const named = output.records.filter((one) => 'tuple' in one || 'proto' in one) as { proto: string; tuple?: Tuple }[];
  expect(named.length, output.stderr).toBeGreaterThan(0);
  for (const one of named) {
    expect(one.proto, JSON.stringify(one)).toBe(proto);
    if (port !== undefined) expect([one.tuple?.sport, one.tuple?.dport], JSON.stringify(one)).toContain(port);
  }
}

/** A connection from the client to the server of a stage. */
export interface Connection {
  listener: AgentSocket;
  near: AgentSocket;
  far: AgentSocket;
  clientPort: number;
}

export async function connect({ client, server, address }: Stage, port: number): Promise<Connection> {
  const listener = await server.listen(address('1.2'), port);
  const near = await client.socket('AF_INET', 'SOCK_STREAM');
  await near.call('connect', [address('1.2'), port]);
  return { listener, near, far: await listener.accept(), clientPort: await near.port() };
}

/** Each side hears of the other's end. */
export async function disconnect({ listener, near, far }: Connection): Promise<void> {
  await near.close();
  expect(await far.call('recv', 100)).toBe('');
  await far.close();
  await listener.close();
}

/** Connect, a request, an answer, and a close. Returns the client's port. */
export async function converse(stage: Stage, port: number, request = 'a request'): Promise<number> {
  const connection = await connect(stage, port);
  const { near, far, clientPort } = connection;
  await near.call('sendall', request);
  expect(await far.call('recv', 100)).toBe(request);
  await far.call('sendall', 'an answer');
  expect(await near.call('recv', 100)).toBe('an answer');
  await disconnect(connection);
  return clientPort;
}

/** A SYN that nobody wants. Returns the client's port. */
export async function knock({ client, address }: Stage, port: number): Promise<number> {
  const socket = await client.bound(address('1.1'), 0);
  const clientPort = await socket.port();
  await expect(socket.call('connect', [address('1.2'), port])).rejects.toThrow('ConnectionRefused');
  await socket.close();
  return clientPort;
}

/** Begins to connect, and does not wait for an answer. */
export async function beginToConnect({ client, address }: Stage, port: number): Promise<AgentSocket> {
  const socket = await client.socket('AF_INET', 'SOCK_STREAM');
  await socket.call('setblocking', 0);
  await socket.call('connect_ex', [address('1.2'), port]);
  return socket;
}

export async function ping({ client, address }: Stage, count = 1, to = '1.2'): Promise<void> {
  await must(client, `ping -c ${count} -i 0.2 -W 20 ${address(to)}`);
}

/** A counter of /proc/net/snmp or netstat, such as `Tcp RetransSegs`. */
export async function counter(agent: Agent, file: 'snmp' | 'netstat', name: string): Promise<number> {
  const [group, counted] = name.split(' ');
  const [names, values] = (await agent.read(`/proc/net/${file}`))
    .split('\n')
    .filter((line) => line.startsWith(`${group}: `))
    .map((line) => line.split(' '));
  const at = names?.indexOf(counted ?? '') ?? -1;
  if (at < 0) throw new Error(`/proc/net/${file} has no ${name}`);
  return Number(values?.[at]);
}
