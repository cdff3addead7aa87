import { BpfError, describeInterface } from '#bpf-loader';
import { NettraceError } from '../../errors.js';
import { macText } from '../packet/fields.js';
import {
  type AnyLayer,
  build,
  ethernet,
  findLayer,
  type Ipv4Draft,
  type Ipv6Draft,
  ipv4,
  ipv6,
  type Layer,
  type PcapRecord,
  type Problem,
  parse,
} from '../packet/index.js';
import { PacketSocket } from '../packet-socket.js';
import { acceptCraftedTcp, CraftedTcp, type CraftedTcpOptions, type ServerOptions } from './crafted-tcp.js';
import { Inbox } from './inbox.js';
import { refuseKernelsOwn } from './kernel-addresses.js';
import {
  addressKey,
  BROADCAST_MAC,
  groupMac,
  neighbourAnswer,
  neighbourFact,
  neighbourQuestion,
} from './neighbours.js';
import type { PacketMatch } from './packet-match.js';

export interface CraftedHostOptions {
  /** The namespace's file; without it the process's own. */
  netns?: string;
  /** An interface on which the kernel has no address, and IPv6 off. */
  ifname: string;
  /** IPv4 and IPv6 addresses that it has; the first of a family is the source of what it sends. */
  addresses: readonly string[];
  /** Default: the interface's. */
  mac?: string;
  /** Addresses of the one that connections go to, where none is named: one for each family at most. */
  peers?: readonly string[];
  /** Hardware addresses that are known from the start, by address. */
  neighbours?: Readonly<Record<string, string>>;
  /** For all that is not known as a neighbour: the router's address; without it all are on the link. */
  gateway?: string;
  /** It answers ARP requests and neighbour solicitations for its addresses (default true). */
  answers?: boolean;
}

/** A packet that came or went. */
export interface CraftedPacket {
  direction: 'in' | 'out';
  /** Nanoseconds since 1970. */
  time: bigint;
  bytes: Uint8Array;
  layers: Layer[];
  /** A transport checksum that the sender's kernel left to the device is none. */
  problems: Problem[];
}

export interface ReceiveOptions {
  /** Milliseconds (default 30000: whatever has to come comes within this, also on an emulated machine). */
  timeoutMs?: number;
}

/** Fields of an IPv4 or IPv6 header, those that are left out fitting. */
export type IpFields = Partial<Omit<Ipv4Draft, 'kind'> & Omit<Ipv6Draft, 'kind'>>;

/** Packets that the log keeps. */
const LOG_LIMIT = 100_000;
const PATIENCE_MS = 30_000;
/** Between two questions for a neighbour, ms. */
const ASK_AGAIN_MS = 1000;

/**
 * A host that consists of TypeScript: a packet socket on an interface whose kernel knows nothing of the host's addresses, and so never
 * answers for it. It answers who it is, and sends what it is told to.
 */
export class CraftedHost {
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly peers: readonly string[];
  /** Answers ARP requests and neighbour solicitations. */
  answers: boolean;
  /** All packets both ways, in order of time; only the last 100000. */
  readonly log: CraftedPacket[] = [];
  readonly #socket: PacketSocket;
  readonly #inbox = new Inbox();
  readonly #neighbours = new Map<string, string>();
  readonly #own: ReadonlySet<string>;
  readonly #gateway: string | undefined;

  /** Throws BpfError where the interface cannot be opened, NettraceError where the kernel has one of the addresses itself. */
  static open(options: CraftedHostOptions): CraftedHost {
    refuseKernelsOwn(options.addresses, options.netns);
    return new CraftedHost(options);
  }

  private constructor(options: CraftedHostOptions) {
    const { netns, ifname, addresses, mac, peers = [], neighbours = {}, gateway, answers = true } = options;
    const place = netns === undefined ? {} : { netns };
    this.mac = mac ?? macText(describeInterface(ifname, place).address);
    this.addresses = addresses;
    this.peers = peers;
    this.answers = answers;
    this.#own = new Set(addresses.map(addressKey));
    this.#gateway = gateway;
    for (const [address, known] of Object.entries(neighbours)) this.#neighbours.set(addressKey(address), known);
    this.#socket = new PacketSocket(ifname, place);
    void this.#read();
  }

  /** Its first address of that family. */
  address(version: 4 | 6 = 4): string {
    return this.#first(this.addresses, version, 'address');
  }

  /** The peer's address of that family. */
  peer(version: 4 | 6 = 4): string {
    return this.#first(this.peers, version, 'peer');
  }

  #first(list: readonly string[], version: 4 | 6, what: string): string {
    const found = list.find((one) => one.includes(':') === (version === 6));
    if (!found) throw new NettraceError(`the crafted host has no IPv${version} ${what}`);
    return found;
  }

  /** An IP header from here to there, of the destination's family. */
  ip(destination: string, fields: IpFields = {}): Ipv4Draft | Ipv6Draft {
    const make = destination.includes(':') ? ipv6 : ipv4;
    return make({ source: this.address(destination.includes(':') ? 6 : 4), ...fields, destination });
  }

  /**
   * Sends a packet, at once. Where it has no Ethernet header, or one without addresses, that is filled in: the destination's hardware
   * address must be known, from `resolve`, from packets of it, or as option. Returns what was sent. Throws RangeError as `build`,
   * NettraceError where the neighbour is not known, BpfError (EMSGSIZE ...).
   */
  send(layers: readonly AnyLayer[]): CraftedPacket {
    const bytes = build(this.#framed(layers));
    const packet: CraftedPacket = { direction: 'out', time: now(), bytes, ...parse(bytes) };
    this.#socket.send(bytes);
    this.#note(packet);
    return packet;
  }

  #framed(layers: readonly AnyLayer[]): AnyLayer[] {
    const [first, ...rest] = layers;
    const inner = first?.kind === 'ethernet' ? rest : layers;
    const given = first?.kind === 'ethernet' ? first : ethernet();
    return [
      { ...given, source: given.source ?? this.mac, destination: given.destination ?? this.#destinationMac(inner) },
      ...inner,
    ];
  }

  #destinationMac(layers: readonly AnyLayer[]): string {
    const head = layers.find(({ kind }) => kind !== 'vlan');
    if (head?.kind === 'arp') return head.operation === 2 && head.targetMac ? head.targetMac : BROADCAST_MAC;
    if (head?.kind !== 'ipv4' && head?.kind !== 'ipv6') return BROADCAST_MAC;
    const mac = this.neighbour(head.destination);
    if (mac === undefined)
      throw new NettraceError(`no hardware address is known for ${this.#nextHop(head.destination)}`, {
        advice: 'wait for resolve() before the first packet, or give it as neighbour',
      });
    return mac;
  }

  #nextHop(address: string): string {
    const isKnown = this.#neighbours.has(addressKey(address));
    const isSameFamily = this.#gateway?.includes(':') === address.includes(':');
    return this.#gateway !== undefined && isSameFamily && !isKnown ? this.#gateway : address;
  }

  /** The hardware address that packets to this address get; undefined where it is not known. */
  neighbour(address: string): string | undefined {
    return groupMac(address) ?? this.#neighbours.get(addressKey(this.#nextHop(address)));
  }

  /** Asks who has the address (or the gateway to it), until an answer comes. Throws NettraceError where none does. */
  async resolve(address: string, { timeoutMs = PATIENCE_MS }: ReceiveOptions = {}): Promise<string> {
    const end = performance.now() + timeoutMs;
    const hop = this.#nextHop(address);
    for (;;) {
      const known = this.neighbour(address);
      if (known !== undefined) return known;
      const rest = end - performance.now();
      if (rest <= 0) throw new NettraceError(`${hop} does not answer who it is: not within ${timeoutMs} ms`);
      this.send(neighbourQuestion(hop, { address: this.address(hop.includes(':') ? 6 : 4), mac: this.mac }));
      await this.#inbox.change(() => this.neighbour(address) !== undefined, Math.min(rest, ASK_AGAIN_MS));
    }
  }

  /**
   * The first packet that fits, of those that have come and that no other call has taken; waits for it. Throws NettraceError
   * that says what came in its place.
   */
  receive(match: PacketMatch, { timeoutMs = PATIENCE_MS }: ReceiveOptions = {}): Promise<CraftedPacket> {
    return this.#inbox.take(match, timeoutMs);
  }

  /** Waits so long, ms, and throws NettraceError where a packet that fits has come by then that no other call has taken. */
  receiveNone(match: PacketMatch, forMs: number): Promise<void> {
    return this.#inbox.none(match, forMs);
  }

  /** Forgets what has come and was not taken. */
  forget(): void {
    this.#inbox.clear();
  }

  /** A TCP connection that this host opens, packet by packet. */
  tcp(options: CraftedTcpOptions): CraftedTcp {
    return new CraftedTcp(this, options);
  }

  /** Waits for a SYN to that port: the connection, of which nothing is answered yet. */
  acceptTcp(options: ServerOptions): Promise<CraftedTcp> {
    return acceptCraftedTcp(this, options);
  }

  /** The log, for a pcap file. */
  records(): PcapRecord[] {
    return this.log.map(({ bytes, time }) => ({ bytes, time }));
  }

  /** Waiting calls end with an error. */
  close(): void {
    this.#socket.close();
    this.#inbox.close(new NettraceError('the crafted host was closed'));
  }

  async #read(): Promise<void> {
    try {
      while (await this.#socket.wait()) this.#drain();
    } catch (error) {
      this.#inbox.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #drain(): void {
    for (let captured = nextPacket(this.#socket); captured; captured = nextPacket(this.#socket)) {
      const { bytes, time, outgoing, checksumPending } = captured;
      if (outgoing) continue; // of another socket, or of the kernel
      const packet: CraftedPacket = { direction: 'in', time, bytes, ...parse(bytes, { checksumPending }) };
      this.#note(packet);
      this.#learn(packet.layers);
      if (this.answers) this.#answer(packet.layers);
      this.#inbox.add(packet);
    }
  }

  /** In order of time: what has come is read later than it came, perhaps after an answer of ours. */
  #note(packet: CraftedPacket): void {
    const earlier = this.log.findLastIndex(({ time }) => time <= packet.time);
    this.log.splice(earlier + 1, 0, packet);
    if (this.log.length > LOG_LIMIT) this.log.shift();
  }

  /** What neighbours say of themselves is certain; who only sends packets may be a router. */
  #learn(layers: readonly Layer[]): void {
    const fact = neighbourFact(layers);
    if (fact) this.#neighbours.set(addressKey(fact.address), fact.mac);
    const ip = findLayer(layers, 'ipv4') ?? findLayer(layers, 'ipv6');
    const source = findLayer(layers, 'ethernet')?.source;
    if (!ip || !source || !this.#own.has(addressKey(ip.destination))) return;
    if (!this.#neighbours.has(addressKey(ip.source))) this.#neighbours.set(addressKey(ip.source), source);
  }

  #answer(layers: readonly Layer[]): void {
    const answer = neighbourAnswer(layers, (address) => this.#own.has(addressKey(address)), this.mac);
    if (answer) this.send(answer);
  }
}

/** An interface that goes down says so once to each of its packet sockets. */
function nextPacket(socket: PacketSocket): ReturnType<PacketSocket['receive']> {
  try {
    return socket.receive();
  } catch (error) {
    if (error instanceof BpfError && error.code === 'ENETDOWN') return undefined;
    throw error;
  }
}

/** Nanoseconds since 1970, to the microsecond. */
function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
