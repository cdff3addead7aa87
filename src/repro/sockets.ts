import { constants } from 'node:os';
import { BpfError, NetnsSocket } from '#bpf-loader';
import { formatEndpoint } from '../decode/addresses.js';
import { LITTLE } from '../decode/byte-order.js';
import { NettraceError } from '../errors.js';
import { decodeAddress, type Endpoint, encodeAddress, familyOf } from './socket-address.js';
import { applyOptions, type SocketOptions } from './socket-options.js';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const CHUNK = 64 << 10;
/** Whatever has to happen happens within this, ms, also on an emulated machine. */
const PATIENCE_MS = 30_000;

export interface WaitOptions {
  /** Milliseconds (default 30000). */
  timeoutMs?: number;
}

/** The namespace in which sockets are opened, and where they are noted so that the session can close them. */
export interface SocketPlace {
  /** In messages. */
  host: string;
  /** The namespace's file. */
  path: string;
  adopt(socket: NetnsSocket): void;
}

async function ready(
  socket: NetnsSocket,
  what: 'read' | 'write',
  doing: string,
  { timeoutMs = PATIENCE_MS }: WaitOptions,
): Promise<void> {
  if (await socket.wait(what, timeoutMs)) return;
  throw new NettraceError(socket.fd < 0 ? `${doing}: the socket was closed` : `${doing}: not within ${timeoutMs} ms`);
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, value]) => value === errno);
  return found?.[0] ?? `errno ${errno}`;
}

/** Why a connection could not be made, or broke off: `code` is errno's name, such as ECONNREFUSED. */
export class SocketError extends NettraceError {
  override readonly name = 'SocketError';
  readonly code: string;

  constructor(doing: string, code: string, cause?: unknown) {
    super(`${doing}: ${code}`, { cause });
    this.code = code;
  }
}

/** How it fails: the SocketError's code; undefined where it does not. Other errors stay errors. */
export async function failureOf(action: Promise<unknown>): Promise<string | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    if (error instanceof SocketError) return error.code;
    throw error;
  }
}

/** Calls of the kernel that fail become SocketError. */
function attempt<T>(doing: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof BpfError) throw new SocketError(doing, error.code, error);
    throw error;
  }
}

function open(place: SocketPlace, type: number, { address }: Endpoint, options: SocketOptions): NetnsSocket {
  const socket = NetnsSocket.open(familyOf(address), type, 0, { netns: place.path });
  place.adopt(socket);
  applyOptions(socket, options);
  return socket;
}

const text = ({ address, port }: Endpoint) => formatEndpoint(address, port);

/** A TCP connection of a kernel's own socket. */
export class Connection {
  readonly socket: NetnsSocket;
  readonly local: Endpoint;
  readonly peer: Endpoint;

  constructor(socket: NetnsSocket, peer: Endpoint) {
    this.socket = socket;
    this.local = decodeAddress(socket.getName());
    this.peer = peer;
  }

  get #name(): string {
    return `${text(this.local)} to ${text(this.peer)}`;
  }

  /** Sends all of it. Throws SocketError (ECONNRESET, EPIPE ...). */
  async send(data: string | Uint8Array, options: WaitOptions = {}): Promise<void> {
    let rest = Buffer.from(data);
    const doing = `sending from ${this.#name}`;
    while (rest.length > 0) {
      const sent = attempt(doing, () => this.socket.send(rest));
      if (sent === undefined) await ready(this.socket, 'write', doing, options);
      else rest = rest.subarray(sent);
    }
  }

  /** As at the start, but now. */
  setOptions(options: SocketOptions): void {
    applyOptions(this.socket, options);
  }

  /** Sends what the kernel takes at once; returns the number of bytes, 0 where its buffer is full. */
  sendSome(data: string | Uint8Array): number {
    return attempt(`sending from ${this.#name}`, () => this.socket.send(Buffer.from(data))) ?? 0;
  }

  /** What has come, or comes next; empty at the peer's end. Throws SocketError (ECONNRESET, ETIMEDOUT ...). */
  async receive(options: WaitOptions & { maxBytes?: number } = {}): Promise<Buffer> {
    const doing = `receiving on ${this.#name}`;
    for (;;) {
      const got = attempt(doing, () => this.socket.receive(options.maxBytes ?? CHUNK));
      if (got) return got.data;
      await ready(this.socket, 'read', doing, options);
    }
  }

  /** Exactly so many bytes; fewer where the peer ends before. */
  async receiveBytes(count: number, options: WaitOptions = {}): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = count; missing > 0; ) {
      const part = await this.receive({ ...options, maxBytes: Math.min(missing, CHUNK) });
      if (part.length === 0) break;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Ends one direction: 'write' sends FIN. */
  shutdown(how: 'read' | 'write' | 'both' = 'write'): void {
    attempt(`shutdown of ${this.#name}`, () => this.socket.shutdown(how));
  }

  close(): void {
    this.socket.close();
  }

  /** Closes with RST in place of FIN (linger 0). */
  abort(): void {
    applyOptions(this.socket, { linger: 0 });
    this.socket.close();
  }

  /** The socket is gone and nothing is sent, as where its host lost power (TCP_REPAIR, tcp_close() in net/ipv4/tcp.c). */
  lose(): void {
    applyOptions(this.socket, { repair: 1 });
    this.socket.close();
  }
}

/** A TCP socket that listens. */
export class Listener {
  readonly socket: NetnsSocket;
  readonly local: Endpoint;
  readonly #place: SocketPlace;

  constructor(socket: NetnsSocket, place: SocketPlace) {
    this.socket = socket;
    this.local = decodeAddress(socket.getName());
    this.#place = place;
  }

  get port(): number {
    return this.local.port;
  }

  /** A connection that waits in the accept queue; undefined where none does. */
  acceptNow(): Connection | undefined {
    const socket = attempt(`accepting on ${text(this.local)}`, () => this.socket.accept());
    if (!socket) return undefined;
    this.#place.adopt(socket);
    return new Connection(socket, decodeAddress(socket.getPeerName()));
  }

  async accept(options: WaitOptions = {}): Promise<Connection> {
    for (;;) {
      const connection = this.acceptNow();
      if (connection) return connection;
      await ready(this.socket, 'read', `accepting on ${text(this.local)}`, options);
    }
  }

  close(): void {
    this.socket.close();
  }
}

/** A UDP socket. */
export class UdpSocket {
  readonly socket: NetnsSocket;
  readonly local: Endpoint;

  constructor(socket: NetnsSocket) {
    this.socket = socket;
    this.local = decodeAddress(socket.getName());
  }

  get port(): number {
    return this.local.port;
  }

  /** Throws SocketError, also for what an ICMP message said of a former datagram where the socket is connected. */
  async send(data: string | Uint8Array, to: Endpoint, options: WaitOptions = {}): Promise<void> {
    const doing = `sending from ${text(this.local)} to ${text(to)}`;
    const address = encodeAddress(to);
    while (attempt(doing, () => this.socket.sendTo(Buffer.from(data), address)) === undefined)
      await ready(this.socket, 'write', doing, options);
  }

  /** What is sent later goes there, and ICMP errors reach this socket (ECONNREFUSED). */
  connect(to: Endpoint): void {
    attempt(`connecting ${text(this.local)} to ${text(to)}`, () => this.socket.connect(encodeAddress(to)));
  }

  /** A datagram that waits to be read; undefined where none does. */
  receiveNow(): { data: Buffer; from: Endpoint } | undefined {
    const got = attempt(`receiving on ${text(this.local)}`, () => this.socket.receive(CHUNK));
    return got && { data: got.data, from: decodeAddress(got.from) };
  }

  async receive(options: WaitOptions = {}): Promise<{ data: Buffer; from: Endpoint }> {
    for (;;) {
      const got = this.receiveNow();
      if (got) return got;
      await ready(this.socket, 'read', `receiving on ${text(this.local)}`, options);
    }
  }

  close(): void {
    this.socket.close();
  }
}

export function openListener(place: SocketPlace, local: Endpoint, backlog: number, options: SocketOptions): Listener {
  const socket = open(place, SOCK_STREAM, local, { reuseAddress: true, ...options });
  attempt(`listening on ${text(local)} of ${place.host}`, () => {
    socket.bind(encodeAddress(local));
    socket.listen(backlog);
  });
  return new Listener(socket, place);
}

export function openTcp(place: SocketPlace, address: string, options: SocketOptions): NetnsSocket {
  return open(place, SOCK_STREAM, { address, port: 0 }, options);
}

export function openUdp(place: SocketPlace, local: Endpoint, options: SocketOptions): UdpSocket {
  const socket = open(place, SOCK_DGRAM, local, options);
  attempt(`binding ${text(local)} of ${place.host}`, () => socket.bind(encodeAddress(local)));
  return new UdpSocket(socket);
}

/** Connects; `done` resolves when the handshake has ended, and rejects with SocketError where it failed. */
export function startConnection(
  place: SocketPlace,
  to: Endpoint,
  local: Endpoint | undefined,
  options: SocketOptions & WaitOptions,
): { socket: NetnsSocket; done: Promise<Connection> } {
  const { timeoutMs, ...socketOptions } = options;
  const socket = open(place, SOCK_STREAM, to, socketOptions);
  const doing = `connecting ${place.host} to ${text(to)}`;
  const isDone = attempt(doing, () => {
    if (local) socket.bind(encodeAddress(local));
    return socket.connect(encodeAddress(to));
  });
  const finish = async () => {
    if (!isDone) {
      await ready(socket, 'write', doing, timeoutMs === undefined ? {} : { timeoutMs });
      const value = socket.getOption(SOL_SOCKET, SO_ERROR, 4);
      const errno = new DataView(value.buffer, value.byteOffset).getInt32(0, LITTLE);
      if (errno !== 0) throw new SocketError(doing, errnoName(errno));
    }
    return new Connection(socket, to);
  };
  const done = finish();
  done.catch(() => {}); // whoever only wants the SYN need not wait
  return { socket, done };
}
