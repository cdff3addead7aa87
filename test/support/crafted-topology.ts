import { BpfError, type NetnsSocket, readInNetns, writeInNetns } from '#bpf-loader';
import { netCounters } from '../../src/counters/proc-files.js';
import { CraftedHost, type CraftedHostOptions } from '../../src/repro/crafted/index.js';
import { applyOptions } from '../../src/repro/socket-options.js';
import {
  type Listener,
  openListener,
  openUdp,
  type SocketPlace,
  startConnection,
  type UdpSocket,
} from '../../src/repro/sockets.js';
import { Topology } from './kernel-topology.js';

/** A kernel (`server`), and beside it a crafted host on a namespace whose kernel has no address. */
export class CraftedTopology {
  readonly topology = new Topology();
  readonly #closing: { close(): void }[] = [];

  readonly crafted4 = `${this.topology.v4}.0.1`;
  readonly server4 = `${this.topology.v4}.0.2`;
  readonly crafted6 = `${this.topology.v6}::1`;
  readonly server6 = `${this.topology.v6}::2`;

  async up(): Promise<void> {
    this.topology.add('crafted', 'server');
    for (const name of ['all', 'default']) this.#disableIpv6(name);
    await this.topology.join(
      { node: 'crafted', ifname: 'eth0', addresses: [] },
      { node: 'server', ifname: 'eth0', addresses: [`${this.server4}/24`, `${this.server6}/64`] },
    );
  }

  #disableIpv6(name: string): void {
    try {
      writeInNetns(this.path('crafted'), `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
    } catch (error) {
      if (!(error instanceof BpfError && error.code === 'ENOENT')) throw error; // a kernel without IPv6
    }
  }

  /** The namespace's file. */
  path(node: 'crafted' | 'server'): string {
    return `/run/netns/${this.topology.namespace(node)}`;
  }

  crafted(options: Partial<CraftedHostOptions> = {}): CraftedHost {
    const host = CraftedHost.open({
      netns: this.path('crafted'),
      ifname: 'eth0',
      addresses: [this.crafted4, this.crafted6],
      peers: [this.server4, this.server6],
      ...options,
    });
    this.#closing.push(host);
    return host;
  }

  #place(): SocketPlace {
    return {
      host: 'server',
      path: this.path('server'),
      adopt: (socket) => this.#closing.push({ close: () => abort(socket) }),
    };
  }

  listen(address = this.server4): Listener {
    return openListener(this.#place(), { address, port: 0 }, 10, {});
  }

  udp(address = this.server4): UdpSocket {
    return openUdp(this.#place(), { address, port: 0 }, {});
  }

  connect(address: string, port: number): ReturnType<typeof startConnection> {
    return startConnection(this.#place(), { address, port }, undefined, {});
  }

  /** A file as the namespace has it. */
  read(node: 'crafted' | 'server', file: string): string {
    return readInNetns(this.path(node), `/proc/thread-self/net/${file}`, { maxBytes: 1 << 20 }).toString();
  }

  /** Counters of /proc/net/snmp, snmp6 and netstat, such as `TcpOutRsts` and `TcpExtPAWSEstab`. */
  counters(node: 'crafted' | 'server'): Map<string, bigint> {
    return netCounters(['snmp', 'snmp6', 'netstat'].map((file) => this.read(node, file)));
  }

  /** States of TCP sockets that are bound to a port of the server, without the listener: include/net/tcp_states.h. */
  states(port: number): number[] {
    const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    return ['tcp', 'tcp6'].flatMap((file) =>
      this.read('server', file)
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, local]) => local?.endsWith(suffix))
        .map(([, , , state]) => Number.parseInt(state ?? '', 16))
        .filter((state) => state !== TCP_LISTEN),
    );
  }

  /** Closes what was opened since the last call, without a FIN that would be sent again and again as nobody answers it. */
  closeSockets(): void {
    for (const one of this.#closing.splice(0).reverse()) one.close();
  }

  async down(): Promise<void> {
    this.closeSockets();
    await this.topology.close();
  }
}

function abort(socket: NetnsSocket): void {
  try {
    applyOptions(socket, { linger: 0 });
  } catch (error) {
    if (!(error instanceof BpfError && error.code === 'EBADF')) throw error; // the test has closed it
  }
  socket.close();
}

export const TCP_ESTABLISHED = 1;
const TCP_LISTEN = 10;
