import { formatEndpoint } from '../decode/addresses.js';
import type { Note, NoteLevel, Proto, SkbTrace, TcpOptions, TraceEvent, Tuple } from '../types.js';
import { printable } from './printable.js';

export interface TextOptions {
  /** CPU, interface, process, netns, skb, options, mark and length on each line. */
  detail: boolean;
  /** Wall-clock time. */
  date: boolean;
  /** Return values on the lines. */
  ret: boolean;
  color: boolean;
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

const ICMP_NAMES: Readonly<Record<string, string>> = {
  'icmp:0': 'ping reply',
  'icmp:3': 'destination unreachable',
  'icmp:4': 'source quench',
  'icmp:5': 'redirect',
  'icmp:8': 'ping request',
  'icmp:11': 'time exceeded',
  'icmp:12': 'parameter problem',
  'icmpv6:1': 'destination unreachable',
  'icmpv6:2': 'packet too big',
  'icmpv6:3': 'time exceeded',
  'icmpv6:4': 'parameter problem',
  'icmpv6:128': 'ping request',
  'icmpv6:129': 'ping reply',
  'icmpv6:130': 'multicast listener query',
  'icmpv6:131': 'multicast listener report',
  'icmpv6:133': 'router solicitation',
  'icmpv6:134': 'router advertisement',
  'icmpv6:135': 'neighbour solicitation',
  'icmpv6:136': 'neighbour advertisement',
  'icmpv6:143': 'multicast listener report v2',
};

const PROTO_TITLES: Readonly<Record<Proto, string>> = {
  tcp: 'TCP',
  udp: 'UDP',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  arp: 'ARP',
  ip: 'IP',
  ipv6: 'IPv6',
  unknown: 'packet',
};

function endpoints(tuple: Tuple): string {
  return `${formatEndpoint(tuple.saddr, tuple.sport)} -> ${formatEndpoint(tuple.daddr, tuple.dport)}`;
}

function optionsText(options: TcpOptions): string {
  let text = '';
  if (options.mss !== undefined) text += `, mss:${options.mss}`;
  if (options.windowScale !== undefined) text += `, wscale:${options.windowScale}`;
  if (options.sackPermitted) text += ', sackOK';
  if (options.tsval !== undefined) text += `, ts:${options.tsval}, ecr:${options.tsecr}`;
  if (options.sack) text += `, sack:${options.sack.map((b) => `${b.left}-${b.right}`).join('/')}`;
  if (options.malformed) text += ', options malformed';
  return text;
}

/** Protocol, addresses and what the protocol's header says. */
export function packetText(trace: SkbTrace, event: TraceEvent, detail: boolean): string {
  const proto = event.proto ?? trace.proto;
  const tuple = event.tuple ?? trace.tuple;
  const title = PROTO_TITLES[proto];
  if (!tuple) return `${title}: headers could not be read`;
  let text = `${title}: ${endpoints(tuple)}`;
  if (event.tcp) {
    const { tcp } = event;
    text += ` seq:${tcp.seq}, ack:${tcp.ack}, flags:${tcp.flags}`;
    if (detail) text += `, win:${tcp.win}${optionsText(tcp)}`;
  } else if (event.icmp) {
    const { icmp } = event;
    text += ` ${ICMP_NAMES[`${proto}:${icmp.type}`] ?? `type: ${icmp.type}`}`;
    if (icmp.id !== undefined) text += `, seq: ${icmp.seq}, id: ${icmp.id}`;
    else text += `, code: ${icmp.code}`;
  } else if (event.arpOp !== undefined) {
    text += event.arpOp === 1 ? ' request' : event.arpOp === 2 ? ' reply' : ` operation ${event.arpOp}`;
  }
  if (detail) {
    if (event.len !== undefined) text += `, len:${event.len}`;
    if (event.mark) text += `, mark:0x${event.mark.toString(16)}`;
  }
  return text;
}

function timeText(trace: SkbTrace, event: TraceEvent, date: boolean): string {
  if (!date) return event.t.toFixed(6);
  // the date has microseconds, which Date does not: they are in its text
  const first = Math.floor(Date.parse(trace.date) / 1000) * 1e6 + Number(trace.date.slice(20, 26));
  const us = first + Math.round((event.t - trace.start) * 1e6);
  const at = new Date(Math.floor(us / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const micros = String(us % 1e6).padStart(6, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${micros}`;
}

/** Writes traces as blocks of lines, as users of nettrace know them. */
export class TextFormatter {
  readonly #options: TextOptions;

  constructor(options: TextOptions) {
    this.#options = options;
  }

  trace(trace: SkbTrace): string {
    const heads = trace.skbs.map((skb) => skb.slice(-8)).join(',');
    let text = this.#bold(`***************** ${heads} ***************`);
    text += '\n';
    for (const event of trace.events) if (event.parent === undefined) text += `${this.#line(trace, event)}\n`;
    if (!trace.complete)
      text += `${this.#note({ level: 'warning', text: 'incomplete: events were lost while this trace was open' })}\n`;
    const closed = CLOSED[trace.closed];
    if (closed) text += `${this.#note({ level: 'info', text: closed })}\n`;
    return `${text}\n`;
  }

  #line(trace: SkbTrace, event: TraceEvent): string {
    const { detail, date, ret } = this.#options;
    const func = event.func.padEnd(20);
    let text = `[${timeText(trace, event, date)}] `;
    if (detail) {
      const skb = trace.skbs[event.skb]?.slice(-8) ?? '';
      const process = `${printable(event.comm ?? '')}-${event.pid ?? 0}`;
      text += `[${skb}][${func}][cpu:${String(event.cpu).padEnd(3)}][${printable(event.ifname ?? '').padEnd(5)}][${process}][ns:${event.netns ?? ''}] `;
    } else {
      text += `[${func}] `;
    }
    text += packetText(trace, event, detail);
    if (ret && event.ret !== undefined) text += ` ret:${event.ret}`;
    for (const note of event.notes) text += ` ${this.#note(note)}`;
    return text;
  }

  #note(note: Note): string {
    const text = `*${printable(note.text)}*`;
    return this.#options.color ? `${COLORS[note.level]}${text}${RESET}` : text;
  }

  #bold(text: string): string {
    return this.#options.color ? `${BOLD}${text}${RESET}` : text;
  }
}
