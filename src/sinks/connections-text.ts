import { formatEndpoint, plainAddress } from '../decode/addresses.js';
import type { InetSocket } from '../types.js';
import { printable } from './printable.js';

/** Below that many columns each socket has two lines. */
const NARROW = 100;

export interface ConnectionsTextOptions {
  listen: boolean;
  /** Columns of the terminal; undefined where it is none. */
  columns: number | undefined;
}

/** Milliseconds to a short text: 40ms, 4.1s, 12min, 30h. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = ms / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)}s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)}min`;
  return `${Math.round(seconds / 3600)}h`;
}

function endpointText(address: string, port: number | undefined): string {
  const plain = plainAddress(address);
  // as ss(8) writes it: the socket is one of IPv6
  const shown = plain === address ? address : `::ffff:${plain}`;
  return formatEndpoint(shown, port).replace(/:0$/, ':*');
}

function timerText({ timer, retransmits }: InetSocket): string {
  if (!timer) return '';
  const again = retransmits ? ` x${retransmits}` : '';
  return `${timer.kind} ${durationText(Math.round(timer.left * 1000))}${again}`;
}

/** Since data went or came. */
function idleText({ tcp }: InetSocket): string {
  const times = [tcp?.lastDataSentMs, tcp?.lastDataReceivedMs].filter((ms) => ms !== undefined);
  return times.length > 0 ? durationText(Math.min(...times)) : '';
}

function whoseText(socket: InetSocket): string {
  const { owner, isRequest, isUnaccepted, uid, inode } = socket;
  if (owner) return `${printable(owner.comm)}-${owner.pid}`;
  if (isRequest) return 'request';
  if (isUnaccepted) return 'not accepted';
  return inode === 0 ? '' : `uid ${uid}`;
}

/** Columns with their titles, `>` in front of those that stand at the right. */
const TABLE: ReadonlyArray<readonly [title: string, text: (socket: InetSocket) => string]> = [
  ['STATE', (s) => s.state],
  ['>RECV-Q', (s) => String(s.recvQueue)],
  ['>SEND-Q', (s) => String(s.sendQueue)],
  ['LOCAL', (s) => localText(s)],
  ['PEER', (s) => endpointText(s.tuple.daddr, s.tuple.dport)],
  ['TIMER', timerText],
  ['>IDLE', idleText],
  ['OWNER', whoseText],
];

const LISTENERS: typeof TABLE = [
  ['>ACCEPT-Q', (s) => String(s.acceptQueue ?? '')],
  ['>LIMIT', (s) => String(s.acceptLimit ?? '')],
  ['>SYN-Q', (s) => String(s.synQueue ?? '?')],
  ['LOCAL', (s) => localText(s)],
  ['OWNER', whoseText],
];

function localText({ tuple, ipProtocol, ifindex }: InetSocket): string {
  const place = ifindex === undefined ? '' : `%${ifindex}`;
  const local = endpointText(tuple.saddr, tuple.sport) + place;
  return ipProtocol === undefined ? local : `${local} protocol ${ipProtocol}`;
}

function tableText(columns: typeof TABLE, sockets: readonly InetSocket[]): string {
  const rows = [
    columns.map(([title]) => title.replace('>', '')),
    ...sockets.map((socket) => columns.map(([, text]) => text(socket))),
  ];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) => {
      const cells = row.map((cell, i) =>
        columns[i]?.[0].startsWith('>') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      );
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

function narrowText(socket: InetSocket): string {
  const { state, tuple, recvQueue, sendQueue } = socket;
  const timer = timerText(socket);
  const idle = idleText(socket);
  const rest = [
    `recv-q:${recvQueue} send-q:${sendQueue}`,
    timer && `timer:(${timer})`,
    idle && `idle:${idle}`,
    whoseText(socket),
  ];
  const peer = endpointText(tuple.daddr, tuple.dport);
  return `${state} ${localText(socket)} ${peer}\n    ${rest.filter(Boolean).join(' ')}\n`;
}

/** The sockets as a table, or on a narrow terminal on two lines each. */
export function connectionsText(sockets: readonly InetSocket[], options: ConnectionsTextOptions): string {
  if (sockets.length === 0) return options.listen ? 'no listeners\n' : 'no sockets\n';
  if (options.listen) return tableText(LISTENERS, sockets);
  if (options.columns !== undefined && options.columns < NARROW) return sockets.map(narrowText).join('');
  return tableText(TABLE, sockets);
}
