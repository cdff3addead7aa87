import { existsSync } from 'node:fs';
import { describeInterface } from '#bpf-loader';
import { NettraceError, UsageError } from '../errors.js';
import { Host, type HostOptions } from './host.js';
import type { Link, LinkEnd, LinkOptions } from './link.js';
import { takePackets } from './packet-taker.js';
import { ProcessBook } from './processes.js';
import type { RegistryFile } from './registry.js';
import { deleteNamespaces, deleteNamespacesNow, ipBatch, mustRun } from './tools.js';
import { until } from './until.js';

const IFF_RUNNING = 0x40;
const MAX_LINKS = 200;
const FIRST_INDEX = 10;

/** A namespace whose links are ports of one bridge, br0: hosts that are linked to it are in one network. */
export class Bridge extends Host {
  readonly number: number;
  members = 0;

  constructor(name: string, options: HostOptions, number: number) {
    super(name, options);
    this.number = number;
  }
}

/**
 * What a case's network consists of. Hosts and links are declared first, in `network` of the case; nothing is made before the
 * session brings it up. Addresses are the same in every session: namespaces do not see each other.
 */
export class Network {
  readonly hosts: Host[] = [];
  readonly links: Link[] = [];
  #networks = 0;
  #standing: string[] = [];
  #processes: ProcessBook | undefined;
  #registry: RegistryFile | undefined;
  readonly #onExit = () => {
    this.#processes?.killAll();
    if (deleteNamespacesNow(this.#standing)) this.#registry?.remove();
  };

  /** A host with a kernel's own network stack. */
  host(name: string, options: HostOptions = {}): Host {
    return this.#add(new Host(name, options));
  }

  /** A host that forwards between its links. */
  router(name: string, options: HostOptions = {}): Host {
    return this.#add(new Host(name, { forwarding: true, ...options }));
  }

  bridge(name: string, options: HostOptions = {}): Bridge {
    return this.#add(new Bridge(name, options, this.#nextNetwork()));
  }

  #add<T extends Host>(host: T): T {
    if (this.hosts.some(({ name }) => name === host.name)) throw new UsageError(`two hosts are named '${host.name}'`);
    this.hosts.push(host);
    return host;
  }

  #nextNetwork(): number {
    if (this.#networks >= MAX_LINKS) throw new UsageError(`a case has at most ${MAX_LINKS} networks`);
    this.#networks++;
    return this.#networks - 1;
  }

  /** Joins two hosts by a veth pair: the left end is 10.0.N.1, the right end 10.0.N.2, where a bridge's ports count on. */
  link(left: Host, right: Host, options: LinkOptions = {}): Link {
    const bridge = [left, right].find((host) => host instanceof Bridge);
    const number = bridge ? bridge.number : this.#nextNetwork();
    const link = { number, options } as Link;
    const [first, second] = options.addresses ?? [];
    link.left = this.#end(link, left, bridge ? ++bridge.members : 1, first);
    link.right = this.#end(link, right, bridge ? ++bridge.members : 2, second);
    this.links.push(link);
    return link;
  }

  #end(link: Link, host: Host, position: number, address: string | undefined): LinkEnd {
    const { number } = link;
    const index = host.ends.length;
    const two = (n: number) => n.toString(16).padStart(2, '0');
    const end: LinkEnd = {
      link,
      host,
      ifname: `eth${index}`,
      mac: `02:00:0a:00:${two(number)}:${two(position)}`,
      address: address ?? `10.0.${number}.${position}`,
      address6: `fd00:0:0:${number.toString(16)}::${position.toString(16)}`,
    };
    host.ends.push(end);
    return end;
  }

  /** Makes namespaces and links, sets everything, and returns when all links carry packets. */
  async up(registry: RegistryFile): Promise<void> {
    const nameOf = (host: Host) => registry.prefix + host.name;
    const names = this.hosts.map(nameOf);
    registry.add(...names);
    this.#standing = names;
    this.#registry = registry;
    process.on('exit', this.#onExit);
    await ipBatch([
      ...names.map((name) => `netns add ${name}`),
      ...this.links.map(({ left, right }, i) => {
        // With the same index at both ends the kernel takes the link for no virtual one, and may tell of its state a second
        // late (linkwatch_urgent_event() in net/core/link_watch.c).
        const end = ({ host, ifname, mac }: LinkEnd, index: number) =>
          `${ifname} index ${FIRST_INDEX + 2 * i + index} address ${mac} netns ${nameOf(host)}`;
        return `link add ${end(left, 0)} type veth peer name ${end(right, 1)}`;
      }),
    ]);
    const processes = new ProcessBook(registry);
    this.#processes = processes;
    for (const host of this.hosts) host.enter(nameOf(host), processes);
    for (const host of this.hosts) host.setSysctl(sysctlsOf(host));
    await Promise.all(
      this.hosts.map((host) => ipBatch([...addressLines(host), ...this.#neighbourLines(host)], host.namespace)),
    );
    await takePackets(this.#craftedEnds());
    await this.#untilRunning();
    await Promise.all(this.hosts.map(setUp));
  }

  /** Ends without addresses, of hosts that are not given any by `ip`: packet sockets play them. */
  #craftedEnds(): LinkEnd[] {
    return this.links
      .flatMap(({ left, right }) => [left, right])
      .filter((end) => isBare(end) && !(end.host instanceof Bridge) && !end.host.options.ip?.length);
  }

  /** Hardware addresses of those that are in one network with the host. */
  #neighbourLines(host: Host): string[] {
    if (host instanceof Bridge) return [];
    return host.ends.flatMap((end) => {
      const others = this.links
        .filter(({ number, options }) => number === end.link.number && !options.arp)
        .flatMap(({ left, right }) => [left, right])
        .filter((one) => one.host !== host && !(one.host instanceof Bridge));
      return end.link.options.arp || isBare(end)
        ? []
        : others.flatMap(({ address, address6, mac }) => [
            `neighbour add ${address} lladdr ${mac} dev ${end.ifname} nud permanent`,
            ...(host.options.ipv6 ? [`neighbour add ${address6} lladdr ${mac} dev ${end.ifname} nud permanent`] : []),
          ]);
    });
  }

  /** Before that the kernel drops silently what is sent. */
  async #untilRunning(): Promise<void> {
    for (const { left, right } of this.links) {
      for (const { host, ifname } of [left, right]) {
        const isRunning = () => (describeInterface(ifname, { netns: host.path }).flags & IFF_RUNNING) !== 0;
        await until(`${ifname} of ${host.name} is up`, isRunning);
      }
    }
  }

  /** Ends what sends: processes and sockets. */
  quiet(): void {
    this.#processes?.killAll();
    for (const host of this.hosts.toReversed()) host.closeSockets();
  }

  /** Closes the sockets and removes the namespaces; whatever fails, the rest goes on. */
  async down(): Promise<void> {
    this.quiet();
    await deleteNamespaces(this.#standing.toReversed());
    this.#forget();
  }

  /** Leaves the namespaces where they are. */
  keep(): void {
    this.quiet();
    this.#forget();
  }

  #forget(): void {
    this.#standing = [];
    process.off('exit', this.#onExit);
  }
}

function sysctlsOf(host: Host): Record<string, string | number> {
  const { forwarding, ipv6, sysctl } = host.options;
  const hasIpv6 = existsSync('/proc/sys/net/ipv6');
  return {
    ...(hasIpv6 && !ipv6 ? { 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 } : {}),
    ...(forwarding ? { 'net.ipv4.ip_forward': 1, ...(ipv6 ? { 'net.ipv6.conf.all.forwarding': 1 } : {}) } : {}),
    ...sysctl,
  };
}

/** It has no address of the kernel's. */
function isBare(end: LinkEnd): boolean {
  const { bare } = end.link.options;
  return bare === 'both' || bare === (end === end.link.left ? 'left' : 'right');
}

function addressLines(host: Host): string[] {
  const isBridge = host instanceof Bridge;
  const lines = ['link set lo up'];
  if (isBridge) lines.push('link add br0 type bridge forward_delay 0', 'link set br0 up');
  for (const end of host.ends) {
    const { ifname, link } = end;
    const { prefix = 24, mtu } = link.options;
    if (mtu !== undefined) lines.push(`link set ${ifname} mtu ${mtu}`);
    if (isBridge) lines.push(`link set ${ifname} master br0`);
    else if (!isBare(end)) {
      lines.push(`address add ${end.address}/${prefix} dev ${ifname}`);
      if (host.options.ipv6) lines.push(`address add ${end.address6}/64 dev ${ifname} nodad`);
    }
    lines.push(`link set ${ifname} up`);
  }
  return lines;
}

/** What needs links that are up, and rules. */
async function setUp(host: Host): Promise<void> {
  const { ip = [], nft, iptables = [], tc = [] } = host.options;
  await ipBatch([...host.routes, ...ip], host.namespace);
  if (tc.length > 0) await mustRun(['tc', '-n', host.namespace, '-batch', '-'], `${tc.join('\n')}\n`);
  if (nft !== undefined) await host.must(['nft', '-f', '-'], nft);
  if (iptables.length > 0) await host.must(['iptables-restore', '--noflush'], restoreLines(iptables));
}

/** Rules for iptables-restore, by table: one process for all. */
function restoreLines(rules: readonly string[]): string {
  const tables = new Map<string, string[]>();
  for (const rule of rules) {
    const [, table = 'filter'] = /(?:^|\s)-t\s+(\S+)/.exec(rule) ?? [];
    const line = rule.replace(/(^|\s)-t\s+\S+/, '').trim();
    tables.set(table, [...(tables.get(table) ?? []), line]);
  }
  const text = [...tables].map(([table, lines]) => `*${table}\n${lines.join('\n')}\nCOMMIT\n`).join('');
  if (text === '') throw new NettraceError('there are no rules');
  return text;
}
