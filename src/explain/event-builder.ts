import { tcpStateName } from '../decode/names.js';
import type { RawEvent, RawSock } from '../decode/records.js';
import { SockTimer } from '../generated/layout.js';
import type { AttachOutcome } from '../load/backends.js';
import type { Kernel } from '../load/kernel.js';
import type { Mode } from '../modes.js';
import type { LatencyEvent, Note, PacketEvent, SocketDetails, SocketEvent } from '../types.js';
import { visitNote } from './notes.js';
import { protoOf, stackFrames, type TraceBuilder, tupleOf } from './trace-builder.js';
import { WallClock } from './wall-clock.js';

/** include/uapi/linux/tcp.h, enum tcp_ca_state */
const CONGESTION_STATES = ['CA_Open', 'CA_Disorder', 'CA_CWR', 'CA_Recovery', 'CA_Loss'];
const TIMERS: Readonly<Record<number, string>> = {
  [SockTimer.retrans]: 'retrans',
  [SockTimer.probe0]: 'probe0',
  [SockTimer.earlyRetrans]: 'early_retrans',
  [SockTimer.lossProbe]: 'loss_probe',
  [SockTimer.reoTimeout]: 'reo_timeout',
  [SockTimer.keepalive]: 'keepalive',
};

export interface EventBuilderInput {
  kernel: Kernel;
  outcomes: readonly AttachOutcome[];
  traces: TraceBuilder;
  mode: Mode;
  /** Jiffies a second. */
  hz: number;
}

/** Single events to their public form: the modes that do not put events together to traces. */
export class EventBuilder {
  readonly #input: EventBuilderInput;
  readonly #outcomes: ReadonlyMap<number, AttachOutcome>;
  readonly #clock = new WallClock();

  constructor(input: EventBuilderInput) {
    this.#input = input;
    this.#outcomes = new Map(input.outcomes.map((o) => [o.probe.id, o]));
  }

  build(raw: RawEvent): PacketEvent | SocketEvent | LatencyEvent {
    if (raw.latency) return this.#latency(raw, raw.latency);
    return raw.sock && raw.skb === 0n ? this.#socket(raw, raw.sock) : this.#packet(raw);
  }

  #packet(raw: RawEvent): PacketEvent {
    const { mode } = this.#input;
    const trace = this.#input.traces.build({
      id: raw.traceId,
      skbs: [raw.skb],
      events: [{ raw, skb: 0, returned: undefined }],
      complete: true,
      closed: 'end',
    });
    const event = trace.events[0];
    if (!event) throw new Error('an event has vanished');
    const packet: PacketEvent = {
      v: 1,
      type: 'packet',
      mode: mode === 'drop' || mode === 'monitor' ? mode : 'basic',
      proto: trace.proto,
      date: trace.date,
      event,
    };
    if (raw.skb !== 0n && trace.skbs[0]) packet.skbAddress = trace.skbs[0];
    if (trace.tuple) packet.tuple = trace.tuple;
    return packet;
  }

  #latency(raw: RawEvent, times: NonNullable<RawEvent['latency']>): LatencyEvent {
    const { proto, tuple, date, event, skbAddress } = this.#packet(raw);
    const name = (probe: number) => this.#outcomes.get(probe)?.probe.definition.name ?? 'unknown';
    return {
      v: 1,
      type: 'latency',
      skbAddress: skbAddress ?? '',
      proto,
      ...(tuple ? { tuple } : {}),
      date,
      event,
      from: name(times.fromProbe),
      to: name(times.toProbe),
      latencyUs: (times.to - times.from) / 1e3,
    };
  }

  #socket(raw: RawEvent, sock: RawSock): SocketEvent {
    const definition = this.#outcomes.get(raw.probe)?.probe.definition;
    const { mode } = this.#input;
    const isRtt = definition?.read === 'rtt';
    const proto = raw.packet ? protoOf(raw.packet) : 'unknown';
    const event: SocketEvent = {
      v: 1,
      type: 'socket',
      mode: mode === 'monitor' ? 'monitor' : mode === 'rtt-detail' ? 'rtt' : 'sock',
      t: raw.time / 1e9,
      date: this.#clock.text(raw.time),
      func: definition?.name ?? 'unknown',
      stage: definition?.stage ?? 'other',
      cpu: raw.cpu,
      proto,
      tuple: raw.packet ? tupleOf(raw.packet, proto) : { saddr: '0.0.0.0', daddr: '0.0.0.0' },
      socket: socketDetails(sock, this.#input.hz),
      notes: definition ? notesOf(visitNote(definition), isRtt ? rttNote(sock) : stateNote(sock)) : [],
    };
    if (raw.meta?.ifname) Object.assign(event, { ifname: raw.meta.ifname, ifindex: raw.meta.ifindex });
    if (raw.meta?.netns) event.netns = raw.meta.netns;
    if (raw.meta?.ownerPid) event.owner = { pid: raw.meta.ownerPid, comm: raw.meta.ownerComm };
    if (isRtt) event.rtt = { us: sock.srttUs, minUs: sock.rttMinUs };
    if (raw.stack) event.stack = stackFrames(raw.stack, this.#input.kernel);
    return event;
  }
}

function notesOf(...notes: (Note | undefined)[]): Note[] {
  return notes.filter((note) => note !== undefined);
}

function stateNote(sock: RawSock): Note | undefined {
  if (sock.newState === 0 || sock.newState === sock.state) return undefined;
  const change = `${tcpStateName(sock.state)} -> ${tcpStateName(sock.newState)}`;
  return { level: 'info', text: `TCP socket state has changed: ${change}` };
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(3)}ms`;
}

function rttNote(sock: RawSock): Note {
  return { level: 'info', text: `rtt:${milliseconds(sock.srttUs)}, rtt_min:${milliseconds(sock.rttMinUs)}` };
}

function socketDetails(sock: RawSock, hz: number): SocketDetails {
  const details: SocketDetails = { state: tcpStateName(sock.state) ?? 'CLOSE', wmem: sock.wmem, rmem: sock.rmem };
  if (sock.isTcp) {
    details.caState = CONGESTION_STATES[sock.caState] ?? String(sock.caState);
    details.packetsOut = sock.packetsOut;
    details.retransOut = sock.retransOut;
    details.unacked = sock.unacked;
  }
  const kind = TIMERS[sock.timer];
  if (kind) details.timer = { kind, left: sock.timerLeft / hz };
  if (details.state === 'LISTEN') {
    details.acceptQueue = sock.acceptQueue;
    details.acceptLimit = sock.acceptLimit;
  }
  return details;
}
