import { statSync } from 'node:fs';
import { type NetnsSocket, readInNetns, writeInNetns } from '#bpf-loader';
import { ALL_STATES } from '../connections/inet-diag.js';
import { listSockets } from '../connections/list.js';
import { COUNTER_FILES, netCounters } from '../counters/proc-files.js';
import { NettraceError, UsageError } from '../errors.js';
import type { InetSocket } from '../types.js';
import { counterByName } from './counter-names.js';
import type { Link, LinkEnd } from './link.js';
import { HOST_NAME, namespaceFile } from './names.js';
import type { HostProcess, ProcessBook } from './processes.js';
import type { Endpoint } from './socket-address.js';
import type { SocketOptions } from './socket-options.js';
import {
  type Connection,
  type Listener,
  openListener,
  openTcp,
  openUdp,
  type SocketPlace,
  startConnection,
  type UdpSocket,
  type WaitOptions,
} from './sockets.js';
import { ipBatch, outputOf, type ToolResult } from './tools.js';
import { type UntilOptions, until } from './until.js';

/** How a host is set up. Commands run in the order of the fields, inside of its namespace. */
export interface HostOptions {
  /** By the names of sysctl(8), `net.ipv4.tcp_syncookies`; set before its links are up. */
  sysctl?: Readonly<Record<string, string | number>>;
  /** Forwards packets between its links, and accepts none for itself of others. */
  forwarding?: boolean;
  /** Its links have IPv6 addresses too; without it IPv6 is off, so that traces are not full of its own messages. */
  ipv6?: boolean;
  /** Lines for `ip -batch`, when the links are up: routes, neighbours, VLANs, tunnels. */
  ip?: readonly string[];
  /** A rule set for `nft -f`. */
  nft?: string;
  /** Rules without the leading `iptables`: `-A INPUT -p tcp --dport 8000 -j DROP`. */
  iptables?: readonly string[];
  /** Lines for `tc -batch`: `qdisc add dev eth0 root tbf rate 1mbit burst 2kb limit 3000`. */
  tc?: readonly string[];
}

/** What a file of the host's namespace may hold. */
const MAX_FILE_BYTES = 4 << 20;

/** A network namespace of a case: a host with a kernel's own network stack. */
export class Host {
  readonly name: string;
  readonly options: HostOptions;
  /** The ends of its links, in the order in which they were made: eth0, eth1 ... */
  readonly ends: LinkEnd[] = [];
  /** Lines for `ip`, when its links are up. */
  readonly routes: string[] = [];
  #namespace: string | undefined;
  #inode = 0;
  #adopted: { close(): void }[] = [];
  #processes: ProcessBook | undefined;

  constructor(name: string, options: HostOptions) {
    if (!HOST_NAME.test(name)) throw new UsageError(`hosts' names are lower-case words, not '${name}'`);
    this.name = name;
    this.options = options;
  }

  /** IPv4 address of its first link. */
  get address(): string {
    return this.end().address;
  }

  get address6(): string {
    return this.end().address6;
  }

  /** Its end of that link; of its first one where none is given. */
  end(link?: Link): LinkEnd {
    const found = link ? this.ends.find((end) => end.link === link) : this.ends[0];
    if (!found) throw new UsageError(`host '${this.name}' has no ${link ? 'end of that link' : 'link'}`);
    return found;
  }

  /** Declares a route: packets to `destination` (`default`, or a network such as 10.0.3.0/24) go to that end of a link. */
  route(destination: string, via: LinkEnd): void {
    const out = this.end(via.link);
    this.routes.push(`route add ${destination} via ${via.address} dev ${out.ifname}`);
    if (this.options.ipv6 && destination === 'default')
      this.routes.push(`route add default via ${via.address6} dev ${out.ifname}`);
  }

  /** The namespace's name as `ip netns` knows it. Throws before the network is up. */
  get namespace(): string {
    if (this.#namespace === undefined) throw new NettraceError(`the network of host '${this.name}' is not up`);
    return this.#namespace;
  }

  /** The namespace's file. */
  get path(): string {
    return namespaceFile(this.namespace);
  }

  /** Inode of the namespace. */
  get inode(): number {
    return this.#inode;
  }

  /** Called by the network when the namespace is there. */
  enter(namespace: string, processes: ProcessBook): void {
    this.#namespace = namespace;
    this.#processes = processes;
    this.#inode = statSync(this.path).ino;
  }

  /** A TCP server on the first link's address. It accepts nothing by itself: see `Listener.accept`. */
  listen(options: Partial<Endpoint> & { backlog?: number; options?: SocketOptions } = {}): Listener {
    const { address = this.address, port = 0, backlog = 128 } = options;
    return openListener(this.#place(), { address, port }, backlog, options.options ?? {});
  }

  /** Connects to a server, and resolves when the handshake has ended; rejects with SocketError (`code`: ECONNREFUSED ...). */
  async connect(to: Endpoint, options: ConnectOptions = {}): Promise<Connection> {
    return this.startConnection(to, options).done;
  }

  /** The same, without waiting: the SYN is on its way. */
  startConnection(to: Endpoint, options: ConnectOptions = {}): { done: Promise<Connection>; close(): void } {
    const { from, timeoutMs, options: socketOptions } = options;
    const local = from && { address: from.address ?? this.address, port: from.port ?? 0 };
    const { socket, done } = startConnection(this.#place(), to, local, {
      ...socketOptions,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return { done, close: () => socket.close() };
  }

  /** A TCP socket as it is before connect() and bind(): for what is about these calls themselves. */
  tcp(options: SocketOptions = {}): NetnsSocket {
    return openTcp(this.#place(), this.address, options);
  }

  udp(options: Partial<Endpoint> & { options?: SocketOptions } = {}): UdpSocket {
    const { address = this.address, port = 0 } = options;
    return openUdp(this.#place(), { address, port }, options.options ?? {});
  }

  /** Runs a command in the namespace, to its end. What it says is the caller's to judge. */
  run(words: readonly string[], input = ''): Promise<ToolResult> {
    return this.start(words, input).ended;
  }

  /** The same; throws NettraceError where it fails. Returns its standard output. */
  async must(words: readonly string[], input = ''): Promise<string> {
    return outputOf(await this.run(words, input), words, input);
  }

  /** Starts a command in the namespace and lets it run; it is ended with the session at the latest. */
  start(words: readonly string[], input = ''): HostProcess {
    if (!this.#processes) throw new NettraceError(`the network of host '${this.name}' is not up`);
    return this.#processes.start(words, this.namespace, input);
  }

  /**
   * From now on no frame reaches it, as where its power or its cable is gone and the network between does not know: its
   * interfaces have other hardware addresses than those that its peers were told.
   */
  async vanish(): Promise<void> {
    const lines = this.ends.map(
      ({ ifname, mac }) => `link set ${ifname} address ${mac.replace('02:00:0a:', '02:00:ff:')}`,
    );
    await ipBatch(lines, this.namespace);
  }

  /** A file as the namespace has it: below /proc/sys/net or /proc/thread-self/net. */
  read(file: string): string {
    return readInNetns(this.path, file, { maxBytes: MAX_FILE_BYTES }).toString('utf8');
  }

  /** A sysctl's value, by its name with dots (or slashes where a part has dots). */
  sysctl(name: string): string {
    return this.read(sysctlFile(name)).trim();
  }

  /** Sets sysctls. Throws NettraceError for one that the kernel does not have, or a value that it refuses. */
  setSysctl(values: Readonly<Record<string, string | number>>): void {
    for (const [name, value] of Object.entries(values)) {
      try {
        writeInNetns(this.path, sysctlFile(name), String(value));
      } catch (cause) {
        throw new NettraceError(`cannot set ${name}=${value} on ${this.name}: ${(cause as Error).message}`, { cause });
      }
    }
  }

  /** Its sockets of TCP or UDP, as the kernel lists them now: also half-open connections and those in TIME_WAIT. */
  sockets(proto: 'tcp' | 'udp' = 'tcp'): Promise<InetSocket[]> {
    return listSockets(this.inode, { proto, states: ALL_STATES });
  }

  /** The first socket that has all of this, waiting for it. */
  async untilSocket(wanted: HostSocketQuery, options: UntilOptions = {}): Promise<InetSocket> {
    const { proto = 'tcp' } = wanted;
    const what = `a ${proto} socket ${JSON.stringify(wanted)} on ${this.name}`;
    return await until(what, async () => (await this.sockets(proto)).find((one) => isMeant(one, wanted)), options);
  }

  /** Waits until no socket has all of this any more. */
  async untilNoSocket(wanted: HostSocketQuery, options: UntilOptions = {}): Promise<void> {
    const { proto = 'tcp' } = wanted;
    const what = `no ${proto} socket ${JSON.stringify(wanted)} on ${this.name}`;
    await until(what, async () => !(await this.sockets(proto)).some((one) => isMeant(one, wanted)), options);
  }

  /** A counter of /proc/net/netstat, snmp or snmp6 now, by its name in full or without its group; 0 where there is none. */
  counter(name: string): number {
    return counterByName(netCounters(COUNTER_FILES.map((file) => this.#readOrNothing(file))), name) ?? 0;
  }

  #readOrNothing(file: string): string {
    try {
      return this.read(file);
    } catch {
      return ''; // no IPv6
    }
  }

  /** To be closed when the session ends, if it still is open then. */
  adopt(socket: { close(): void }): void {
    this.#adopted.push(socket);
  }

  /** Closes all sockets that were opened here, the last one first. */
  closeSockets(): void {
    for (const socket of this.#adopted.splice(0).reverse()) socket.close();
  }

  #place(): SocketPlace {
    return { host: this.name, path: this.path, adopt: (socket) => this.adopt(socket) };
  }
}

/** As sysctl(8) reads names: dots separate, but where there are slashes, dots are part of an interface's name. */
function sysctlFile(name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  if (path.split('/').includes('..')) throw new UsageError(`'${name}' is no sysctl`);
  return `/proc/sys/${path}`;
}

/** Which socket of a host is meant: all that is given must hold. */
export interface HostSocketQuery {
  /** TCP state by the kernel's name without TCP_. */
  state?: string;
  localPort?: number;
  peerPort?: number;
  proto?: 'tcp' | 'udp';
}

function isMeant({ state, tuple }: InetSocket, wanted: HostSocketQuery): boolean {
  return (
    (wanted.state === undefined || state === wanted.state) &&
    (wanted.localPort === undefined || tuple.sport === wanted.localPort) &&
    (wanted.peerPort === undefined || tuple.dport === wanted.peerPort)
  );
}

export interface ConnectOptions extends WaitOptions {
  /** Bind to this first; a port alone is taken with the first link's address. */
  from?: Partial<Endpoint>;
  options?: SocketOptions;
}
