import { NettraceError } from '../../errors.js';
import {
  type AnyLayer,
  findLayer,
  type Layer,
  payload,
  type Tcp,
  type TcpDraft,
  type TcpOptionDraft,
  tcp,
  tcpOption,
} from '../packet/index.js';
import type { CraftedHost, CraftedPacket, IpFields, ReceiveOptions } from './crafted-host.js';
import { isMatch, type PacketShape } from './packet-match.js';

/** What the two SYNs of a connection offer. */
export interface TcpOffer {
  /** Initial sequence number (default random). */
  isn?: number;
  /** As in the header, not scaled (default 65535). */
  window?: number;
  /** Bytes; false: no such option (default 1460). */
  mss?: number | false;
  /** The first timestamp (default 1000); each segment has one more than the one before. False: no timestamps. */
  tsval?: number | false;
  /** Shift; false, the default: no such option. */
  windowScale?: number | false;
  /** Default true. */
  sackPermitted?: boolean;
}

export interface CraftedTcpOptions extends TcpOffer {
  /** The peer's port. */
  port: number;
  /** The peer's address; default: the host's IPv4 peer. */
  address?: string;
  /** This end's address; default: the host's first of that family. */
  source?: string;
  /** Default: a random one from 32768 on. */
  sourcePort?: number;
}

export interface ServerOptions extends TcpOffer, ReceiveOptions {
  /** This end's port. */
  port: number;
}

/** What one segment has otherwise than the connection would give it. */
export interface SegmentOptions extends Partial<Omit<TcpDraft, 'kind'>> {
  /** Timestamps; where the connection has none, these add the option. */
  tsval?: number;
  tsecr?: number;
  /** False: without that option, whatever the connection has. */
  timestamps?: false;
  data?: string | Uint8Array;
  /** Fields of the IP header. */
  ip?: IpFields;
  /** Layers in front of the IP header, for example an Ethernet header and VLAN tags. */
  outer?: readonly AnyLayer[];
}

const DEFAULT_TSVAL = 1000;
const DEFAULT_MSS = 1460;
const FIRST_PORT = 32_768;

const modulo = (value: number) => ((value % 2 ** 32) + 2 ** 32) % 2 ** 32;
const randomBelow = (limit: number) => Math.floor(Math.random() * limit);

/**
 * One end of a TCP connection, by hand. It keeps count of sequence numbers and timestamps, and sends nothing by itself. A segment whose
 * `seq` is given does not move the count.
 */
export class CraftedTcp {
  readonly host: CraftedHost;
  readonly address: string;
  readonly port: number;
  readonly source: string;
  readonly sourcePort: number;
  /** This end's initial sequence number. */
  readonly isn: number;
  /** The sequence number of the next segment. */
  nextSeq: number;
  /** What the next segment acknowledges: all that has come in order. */
  nextAck = 0;
  /** The timestamp of the next segment. */
  nextTsval: number;
  /** The peer's last timestamp, which the next segment echoes. */
  nextTsecr = 0;
  /** The peer's initial sequence number, when its SYN has come. */
  peerIsn: number | undefined;
  readonly #offer: TcpOffer;
  #timestamps: boolean;

  constructor(host: CraftedHost, options: CraftedTcpOptions) {
    const { address = host.peer(), port, source, sourcePort, ...offer } = options;
    this.host = host;
    this.address = address;
    this.port = port;
    this.source = source ?? host.address(address.includes(':') ? 6 : 4);
    this.sourcePort = sourcePort ?? FIRST_PORT + randomBelow(2 ** 16 - FIRST_PORT);
    this.isn = offer.isn ?? randomBelow(2 ** 32);
    this.nextSeq = this.isn;
    this.#offer = offer;
    this.#timestamps = offer.tsval !== false;
    this.nextTsval = offer.tsval === false ? 0 : (offer.tsval ?? DEFAULT_TSVAL);
  }

  /** Which packets are the peer's part of this connection. */
  match(fields: PacketShape['tcp'] = {}): PacketShape {
    const head = { source: this.address, destination: this.source };
    const ports = { sourcePort: this.port, destinationPort: this.sourcePort };
    return { [this.address.includes(':') ? 'ipv6' : 'ipv4']: head, tcp: { ...ports, ...fields } };
  }

  /** Sends the SYN, when the peer's hardware address is known. */
  async syn(options: SegmentOptions = {}): Promise<CraftedPacket> {
    await this.host.resolve(this.address);
    return this.segment('S', { options: this.#synOptions(options), ...options });
  }

  /** Waits for the answer to the SYN, and takes its numbers over. */
  async synAck(options: ReceiveOptions = {}): Promise<CraftedPacket> {
    return this.receive({ flags: 'SA', ack: this.nextSeq }, options);
  }

  /** Answers the SYN of a connection that came. */
  answerSyn(options: SegmentOptions = {}): CraftedPacket {
    return this.segment('SA', { options: this.#synOptions(options), ...options });
  }

  ack(options: SegmentOptions = {}): CraftedPacket {
    return this.segment('A', options);
  }

  /** RST at the next sequence number, without ACK; with a timestamp where the connection has them. */
  rst(options: SegmentOptions = {}): CraftedPacket {
    return this.segment('R', options);
  }

  fin(options: SegmentOptions = {}): CraftedPacket {
    return this.segment('FA', options);
  }

  /** One segment with PSH and ACK. */
  data(data: string | Uint8Array, options: SegmentOptions = {}): CraftedPacket {
    return this.segment('PA', { data, ...options });
  }

  /** Any segment. */
  segment(flags: string, options: SegmentOptions = {}): CraftedPacket {
    const { tsval, tsecr, timestamps: _, data = '', ip = {}, outer = [], ...fields } = options;
    const content = payload(data);
    const head = tcp({
      sourcePort: this.sourcePort,
      destinationPort: this.port,
      seq: this.nextSeq,
      ack: this.nextAck,
      flags,
      window: this.#offer.window,
      options: this.#timestampOptions(options),
      ...fields,
    });
    const layers = [this.host.ip(this.address, { source: this.source, ...ip }), head];
    const packet = this.host.send([...outer, ...layers, ...(content.data.length > 0 ? [content] : [])]);
    this.nextTsval = modulo(this.nextTsval + 1);
    if (fields.seq === undefined)
      this.nextSeq = modulo(this.nextSeq + sequenceLength(head.flags ?? '', content.data.length));
    return packet;
  }

  /** The next segment of the peer with these fields. What is in order is counted, and acknowledged by the next segment. */
  async receive(fields: PacketShape['tcp'] = {}, options: ReceiveOptions = {}): Promise<CraftedPacket> {
    const packet = await this.host.receive(this.match(fields), options);
    this.take(packet);
    return packet;
  }

  /** The same, of data in order, as bytes. */
  async receiveData(options: ReceiveOptions = {}): Promise<Uint8Array> {
    const matches = (packet: { layers: readonly Layer[] }) =>
      isMatch(packet, this.match({ seq: this.nextAck })) && findLayer(packet.layers, 'payload') !== undefined;
    const packet = await this.host.receive(matches, options);
    this.take(packet);
    return findLayer(packet.layers, 'payload')?.data ?? new Uint8Array(0);
  }

  /** Waits so long, ms, and throws where the peer has sent such a segment by then. */
  receiveNone(fields: PacketShape['tcp'], forMs: number): Promise<void> {
    return this.host.receiveNone(this.match(fields), forMs);
  }

  /** Takes over the numbers of a segment that came, as far as it is in order. */
  take({ layers }: CraftedPacket): void {
    const segment = findLayer(layers, 'tcp');
    if (!segment) throw new NettraceError('this is no TCP segment');
    if (this.peerIsn === undefined && segment.flags.includes('S')) {
      this.peerIsn = segment.seq;
      this.nextAck = segment.seq;
      this.#timestamps &&= tcpOption(segment, 'timestamps') !== undefined;
    }
    if (segment.seq !== this.nextAck || segment.flags.includes('R')) return;
    const bytes = findLayer(layers, 'payload')?.data.length ?? 0;
    this.nextAck = modulo(this.nextAck + sequenceLength(segment.flags, bytes));
    this.nextTsecr = tcpOption(segment, 'timestamps')?.tsval ?? this.nextTsecr;
  }

  #synOptions(segment: SegmentOptions): TcpOptionDraft[] {
    const { mss = DEFAULT_MSS, windowScale = false, sackPermitted = true } = this.#offer;
    const options: TcpOptionDraft[] = [];
    if (mss !== false) options.push({ kind: 'mss', value: mss });
    if (sackPermitted) options.push({ kind: 'sack-permitted' });
    const stamps = this.#stamps(segment);
    if (stamps) options.push(stamps);
    if (windowScale !== false) options.push({ kind: 'nop' }, { kind: 'window-scale', shift: windowScale });
    return options;
  }

  #timestampOptions(segment: SegmentOptions): TcpOptionDraft[] {
    const stamps = this.#stamps(segment);
    return stamps ? [{ kind: 'nop' }, { kind: 'nop' }, stamps] : [];
  }

  #stamps({ timestamps, tsval, tsecr }: SegmentOptions): TcpOptionDraft | undefined {
    const wanted = this.#timestamps || tsval !== undefined || tsecr !== undefined;
    if (timestamps === false || !wanted) return undefined;
    return { kind: 'timestamps', tsval: tsval ?? this.nextTsval, tsecr: tsecr ?? this.nextTsecr };
  }
}

/** What a segment takes of the sequence numbers. */
function sequenceLength(flags: Tcp['flags'], bytes: number): number {
  return bytes + Number(flags.includes('S')) + Number(flags.includes('F'));
}

export async function acceptCraftedTcp(host: CraftedHost, options: ServerOptions): Promise<CraftedTcp> {
  const { port, timeoutMs, ...offer } = options;
  const packet = await host.receive(
    { tcp: { destinationPort: port, flags: 'S' } },
    timeoutMs === undefined ? {} : { timeoutMs },
  );
  const [ip, segment] = [
    findLayer(packet.layers, 'ipv4') ?? findLayer(packet.layers, 'ipv6'),
    findLayer(packet.layers, 'tcp'),
  ];
  if (!ip || !segment) throw new NettraceError('a SYN without an IP header');
  const peer = { address: ip.source, port: segment.sourcePort };
  const connection = new CraftedTcp(host, { ...offer, ...peer, source: ip.destination, sourcePort: port });
  connection.take(packet);
  return connection;
}
