import { totalLatencyUs } from '../explain/latency.js';
import { dateMicroseconds } from '../explain/wall-clock.js';
import type {
  FunctionStats,
  LatencyEvent,
  Note,
  NoteLevel,
  OutputRecord,
  Owner,
  PacketEvent,
  Sampling,
  SkbTrace,
  SocketDetails,
  SocketEvent,
  StackFrame,
  TraceEvent,
} from '../types.js';
import { countersText } from './counters-text.js';
import { histogramText } from './histogram-text.js';
import { leftoversText } from './leftovers-text.js';
import { endpoints, PROTO_TITLES, packetText } from './packet-text.js';
import { printable } from './printable.js';
import { connectionOmissionText, connectionText, verdictDetails, verdictLine } from './verdict-text.js';

export interface TextOptions {
  /** CPU, interface, owner, netns, skb, options, mark and length on each line. */
  detail: boolean;
  /** Wall-clock time. */
  date: boolean;
  /** Return values on the lines. */
  ret: boolean;
  color: boolean;
  /** The packet on the first line of a block only. */
  tinyShow?: boolean;
  /** No line with the verdict: findings say more. */
  hideVerdict?: boolean;
  /** Evidence and advice of each verdict. */
  explain?: boolean;
  /** Time since the last function on each line. */
  latencyShow?: boolean;
  /** Columns of the terminal: draw bars; undefined: plain numbers. */
  columns?: number | undefined;
}

const CLOSED: Readonly<Record<SkbTrace['closed'], string | undefined>> = {
  freed: undefined,
  reused: 'its free was not seen: the address belongs to another packet now',
  age: 'closed by age: no event and no free was seen for a while',
  end: 'closed by the end of the run: not freed yet',
};
const COLORS: Readonly<Record<NoteLevel, string>> = { info: '\x1b[32m', warning: '\x1b[33m', error: '\x1b[31m' };
const BOLD = '\x1b[1m';
const RESET = '\x1b[0m';

/** What a line begins with. */
interface LineHead {
  t: number;
  func: string;
  cpu: number;
  ifname?: string | undefined;
  owner?: Owner | undefined;
  netns?: number | undefined;
}

/** `date` is that of `start`, in seconds of the monotonic clock, as `t` is. */
function dateText(date: string, start: number, t: number): string {
  const us = dateMicroseconds(date) + Math.round((t - start) * 1e6);
  const at = new Date(Math.floor(us / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const micros = String(us % 1e6).padStart(6, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${micros}`;
}

export function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(3)}ms`;
}

function ownerText(owner: Owner | undefined): string {
  return owner ? `${printable(owner.comm)}-${owner.pid}` : 'no owner';
}

function socketText(socket: SocketDetails): string {
  let text = socket.state;
  if (socket.caState !== undefined) {
    text += ` ${socket.caState} out:(p${socket.packetsOut ?? '?'} r${socket.retransOut ?? '?'}) unack:${socket.unacked ?? '?'}`;
  }
  if (socket.wmem !== undefined) text += ` mem:(w${socket.wmem} r${socket.rmem ?? '?'})`;
  if (socket.timer) text += ` timer:(${socket.timer.kind}, ${socket.timer.left.toFixed(3)}s)`;
  if (socket.acceptLimit !== undefined) text += ` accept:(${socket.acceptQueue ?? '?'} of ${socket.acceptLimit})`;
  return text;
}

function samplingText({ sampled, of }: Sampling): string {
  return `more packets than can be shown: followed ${sampled} of about ${of} (--sample off: all, with losses)`;
}

/** Writes records as blocks of lines, as users of nettrace know them. */
export class TextFormatter {
  readonly #options: TextOptions;

  constructor(options: TextOptions) {
    this.#options = options;
  }

  record(record: OutputRecord): string {
    switch (record.type) {
      case 'trace':
        return this.trace(record);
      case 'connection':
        return connectionText(record);
      case 'connections-omitted':
        return connectionOmissionText(record);
      case 'packet':
        return this.#packet(record);
      case 'socket':
        return this.#socket(record);
      case 'latency':
        return this.#latency(record);
      case 'histogram':
        return histogramText(record, this.#options.columns);
      case 'functions':
        return functionsText(record);
      case 'counters':
        return countersText(record, this.#options.columns);
      case 'leftovers':
        return leftoversText(record);
      case 'omitted':
        return `${this.#note({ level: 'warning', text: `left out by --rate-limit: ${record.count}` })}\n`;
      case 'sampled':
        return `${this.#note({ level: 'warning', text: samplingText(record) })}\n`;
    }
  }

  trace(trace: SkbTrace): string {
    const heads = trace.skbs.map((skb) => skb.slice(-8)).join(',');
    let text = this.#bold(`***************** ${heads} ***************`);
    text += '\n';
    let before: TraceEvent | undefined;
    for (const event of trace.events) {
      if (event.parent !== undefined) continue;
      text += this.#traceLine(trace, event, before);
      before = event;
    }
    if (this.#options.latencyShow) text += `total latency: ${milliseconds(totalLatencyUs(trace))}\n`;
    if (!trace.complete)
      text += `${this.#note({ level: 'warning', text: 'incomplete: events were lost while this trace was open' })}\n`;
    const closed = CLOSED[trace.closed];
    if (closed) text += `${this.#note({ level: 'info', text: closed })}\n`;
    if (!this.#options.hideVerdict) text += `${verdictLine(trace.verdict)}\n`;
    if (this.#options.explain) text += verdictDetails(trace.verdict);
    return `${text}\n`;
  }

  #traceLine(trace: SkbTrace, event: TraceEvent, before: TraceEvent | undefined): string {
    const { ret, latencyShow, tinyShow } = this.#options;
    let text = this.#head(event, trace.date, trace.start, trace.skbs[event.skb]);
    if (!tinyShow || !before) text += ` ${packetText(trace, event, this.#options.detail)}`;
    if (ret && event.ret !== undefined) text += ` ret:${event.ret}`;
    if (latencyShow && before) text += ` latency: ${milliseconds((event.t - before.t) * 1e6)}`;
    if (!tinyShow || event.drop) text += this.#notes(event.notes);
    if (event.netfilter?.hooks?.length) {
      const names = event.netfilter.hooks.map((hook) => `${hook.name}${hook.blamed ? ' (blamed)' : ''}`);
      text += ` ${this.#note({ level: 'info', text: `hooks: ${names.join(', ')}` })}`;
    }
    return `${text}\n${stackText(event.stack)}`;
  }

  #packet(record: PacketEvent): string {
    const { event, mode } = record;
    const { date, skbAddress } = record;
    const isShort = mode === 'drop' && !this.#options.detail;
    let text = isShort ? `[${this.#time(date, event.t, event.t)}]` : this.#head(event, date, event.t, skbAddress);
    // what happens to a device is about no packet
    const isPacket = record.skbAddress !== undefined || record.tuple !== undefined;
    if (isPacket) text += ` ${packetText(record, event, this.#options.detail)}`;
    else if (event.ifname && !this.#options.detail) text += ` ${printable(event.ifname)}`;
    text += this.#notes(event.notes);
    if (mode === 'drop' && !this.#options.detail) text += ` owner:${ownerText(event.owner)}`;
    return `${text}\n${stackText(event.stack)}`;
  }

  #latency(record: LatencyEvent): string {
    const head = this.#head(record.event, record.date, record.event.t, record.skbAddress);
    const way = `[${record.from} -> ${record.to.padEnd(19)}]`;
    const packet = packetText(record, record.event, this.#options.detail);
    return `${head}${way} ${packet} latency: ${milliseconds(record.latencyUs)}\n`;
  }

  #socket(record: SocketEvent): string {
    const { tuple } = record;
    let text = `${this.#head(record, record.date, record.t)} ${PROTO_TITLES[record.proto]}: ${endpoints(tuple)} ${socketText(record.socket)}`;
    text += this.#notes(record.notes);
    if (!this.#options.detail && record.mode === 'sock') text += ` owner:${ownerText(record.owner)}`;
    return `${text}\n${stackText(record.stack)}`;
  }

  /** `date` is that of `start`, both times in seconds of the monotonic clock. */
  #time(date: string, start: number, t: number): string {
    return this.#options.date ? dateText(date, start, t) : t.toFixed(6);
  }

  /** Time and function, and with --detail where and whose it was. */
  #head(head: LineHead, date: string, start: number, skbAddress?: string): string {
    const time = this.#time(date, start, head.t);
    const func = head.func.padEnd(20);
    if (!this.#options.detail) return `[${time}] [${func}]`;
    const skb = skbAddress ? `[${skbAddress.slice(-8)}]` : '';
    const place = `[cpu:${String(head.cpu).padEnd(3)}][${printable(head.ifname ?? '').padEnd(5)}]`;
    return `[${time}] ${skb}[${func}]${place}[${ownerText(head.owner)}][ns:${head.netns ?? ''}]`;
  }

  #notes(notes: readonly Note[]): string {
    return notes.map((note) => ` ${this.#note(note)}`).join('');
  }

  #note(note: Note): string {
    const text = `*${printable(note.text)}*`;
    return this.#options.color ? `${COLORS[note.level]}${text}${RESET}` : text;
  }

  #bold(text: string): string {
    return this.#options.color ? `${BOLD}${text}${RESET}` : text;
  }
}

function stackText(stack: readonly StackFrame[] | undefined): string {
  if (!stack) return '';
  return `Call Stack:\n${stack.map((f) => `    -> [${f.address}]${printable(f.symbol)}\n`).join('')}\n`;
}

function functionsText(record: FunctionStats): string {
  const width = Math.max(20, ...record.functions.map((row) => row.func.length));
  const rows = record.functions.map((row) => `${row.func.padEnd(width)} ${String(row.hits).padStart(12)}\n`);
  return rows.length > 0 ? rows.join('') : 'no function was called\n';
}
