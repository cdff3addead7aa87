import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { Agent } from './kernel-agent.js';

const PREFIX = 'nettrace-test';

/** Runs `ip` with lines of commands, in the namespace if one is given. */
function ip(lines: string[], namespace?: string): void {
  const words = [...(namespace ? ['-n', namespace] : []), '-batch', '-'];
  const { status, stderr, error } = spawnSync('ip', words, { input: `${lines.join('\n')}\n`, encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${error?.message ?? stderr}\n${lines.join('\n')}`);
}

function deleteNamespace(name: string): void {
  spawnSync('ip', ['netns', 'delete', name]);
}

/** A run that was killed could not clean up: what its process left goes when that is no more. */
function removeLeftovers(): void {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const name of names) {
    const pid = name.match(`^${PREFIX}-(\\d+)-`)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) deleteNamespace(name);
  }
}

export interface Link {
  /** Name in the topology, interface, and addresses with their prefix length. */
  node: string;
  ifname: string;
  addresses: string[];
}

/**
 * Network namespaces of a test, joined by veth pairs. All addresses are out of `nets`, two blocks that belong to this
 * topology alone as far as one machine's test runs go, so that a filter on them sees nothing else.
 */
export class Topology {
  /** First two bytes of the IPv4 addresses, and the first three groups of the IPv6 ones. */
  readonly v4: string;
  readonly v6: string;
  readonly #stem: string;
  readonly #namespaces: string[] = [];
  readonly #agents = new Map<string, Agent>();
  readonly #onExit = () => this.#kill();

  constructor() {
    removeLeftovers();
    const random = randomBytes(4);
    this.v4 = `10.${64 + (random[0]! % 128)}`;
    // groups without leading zeros, as addresses are written
    this.v6 = `fd00:${(0x1000 + (random.readUInt16BE(1) % 0xf000)).toString(16)}:${(1 + random[3]!).toString(16)}`;
    this.#stem = `${PREFIX}-${process.pid}-${random.toString('hex')}`;
    process.on('exit', this.#onExit);
  }

  get nets(): string[] {
    return [`${this.v4}.0.0/16`, `${this.v6}::/48`];
  }

  /** The namespace's name as `ip netns` knows it. */
  namespace(node: string): string {
    return `${this.#stem}-${node}`;
  }

  /** Adds namespaces, each with its loopback up. */
  add(...nodes: string[]): void {
    for (const node of nodes) {
      const name = this.namespace(node);
      ip([`netns add ${name}`]);
      this.#namespaces.push(name);
      ip(['link set lo up'], name);
    }
  }

  /** Joins two nodes by a veth pair, and waits until both ends can send: before that the kernel drops silently. */
  async join(left: Link, right: Link): Promise<void> {
    const [a, b] = [this.namespace(left.node), this.namespace(right.node)];
    ip([`link add ${left.ifname} netns ${a} type veth peer name ${right.ifname} netns ${b}`]);
    for (const { node, ifname, addresses } of [left, right]) {
      const lines = addresses.map(
        (address) => `address add ${address} dev ${ifname}${address.includes(':') ? ' nodad' : ''}`,
      );
      ip([...lines, `link set ${ifname} up`], this.namespace(node));
    }
    for (const { node, ifname } of [left, right]) {
      const words = ['-n', this.namespace(node), 'link', 'show', ifname];
      await until(`${ifname} is up`, () => spawnSync('ip', words, { encoding: 'utf8' }).stdout.includes('state UP'));
    }
  }

  ip(node: string, ...lines: string[]): void {
    ip(lines, this.namespace(node));
  }

  /** The agent of a node, started at its first use. */
  async agent(node: string): Promise<Agent> {
    const known = this.#agents.get(node);
    if (known) return known;
    const agent = await Agent.start(this.namespace(node));
    this.#agents.set(node, agent);
    return agent;
  }

  /** Ends the agents and removes the namespaces, last made first; whatever fails, the rest goes on. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.allSettled([...this.#agents.values()].reverse().map((agent) => agent.stop()));
    for (const name of this.#namespaces.splice(0).reverse()) deleteNamespace(name);
  }

  #kill(): void {
    for (const agent of this.#agents.values()) agent.kill();
    for (const name of this.#namespaces.reverse()) deleteNamespace(name);
  }
}

/** A topology for the time of `body`. */
export async function withTopology<T>(body: (topology: Topology) => Promise<T>): Promise<T> {
  const topology = new Topology();
  try {
    return await body(topology);
  } finally {
    await topology.close();
  }
}

/** Waits until `test` gives something true; for facts that nothing announces. */
export async function until<T>(what: string, test: () => Promise<T> | T, seconds = 30): Promise<NonNullable<T>> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await test();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} seconds`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
