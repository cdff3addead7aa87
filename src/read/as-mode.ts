import { ConnectionJudge } from '../explain/connections/connection-judge.js';
import { totalLatencyUs } from '../explain/latency.js';
import { followsPackets, type Mode } from '../modes.js';
import type {
  ConnectionOmission,
  ConnectionRecord,
  LatencyEvent,
  OutputRecord,
  PacketEvent,
  SkbTrace,
  SocketEvent,
} from '../types.js';
import { Counts } from './counts.js';
import { cutTrace, type DetailChoice, type EventChoice, hideDetails, isChosen } from './cut-trace.js';
import { fitsMode, recordedWith } from './fitting.js';
import { inTimeOrder, isAbnormal, isDrop, LastBytes, latencyEvent, packetEvent } from './single-events.js';

/** How records are to be shown. */
export interface ModeChoice {
  mode: Mode;
  events: EventChoice;
  details: DetailChoice;
  matches: (record: OutputRecord) => boolean;
  dropAll: boolean;
  /** Connections are judged anew, at the end. */
  explain: boolean;
  /** Microseconds. */
  minLatency: number;
  latencyFree: boolean;
  /** Microseconds: smoothed, and smallest. */
  minSrtt: number;
  minRtt: number;
}

/** Modes that show each thing that happened by itself; the others count over all of them. */
function countsOnly(mode: Mode): boolean {
  return mode === 'rtt' || mode === 'latency-summary' || mode === 'func-stats';
}

/**
 * Shows recorded records as a mode of live traces would have shown what they tell of, in constant memory. Filters are asked
 * as live: of a packet that is followed the places where it may be seen first, else each event by itself. Records that are in the
 * mode's form already pass, if they match.
 */
export class ModeConverter {
  /** Records, or single events, that went into the mode's counts. */
  counted = 0;
  /** Records of which the mode shows nothing, by what recorded them. */
  readonly unfit = new Map<string, number>();
  readonly #choice: ModeChoice;
  readonly #counts = new Counts();
  readonly #connections = new ConnectionJudge();
  /** Counts of the mode were in the file. */
  #hadCounts = false;

  constructor(choice: ModeChoice) {
    this.#choice = choice;
  }

  /** Does the mode count, and show what it counted at the end? */
  get isCounting(): boolean {
    return countsOnly(this.#choice.mode);
  }

  /** What is to be shown of a record now. */
  *convert(record: OutputRecord): Generator<OutputRecord, void, undefined> {
    for (const one of this.#inMode(record)) {
      if (this.isCounting && this.#count(one)) continue;
      hideDetails(one, this.#choice.details);
      yield one;
    }
  }

  /** Connections of the traces that were shown. */
  connections(): Iterable<OutputRecord> {
    return this.#connections.end();
  }

  /** What is to be shown when all has been read. */
  end(): OutputRecord | undefined {
    const { mode } = this.#choice;
    if (!this.isCounting || (this.counted === 0 && this.#hadCounts)) return undefined;
    if (mode === 'func-stats') return this.#counts.functions();
    return this.#counts.histogram(mode === 'rtt' ? 'rtt' : 'latency');
  }

  /** Throws UsageError where a function that was asked for is neither known nor was seen. */
  checkFunctions(): void {
    const { only, without, begin, end } = this.#choice.events;
    const { stacks } = this.#choice.details;
    for (const functions of [only, without, begin, end]) functions?.checkSeen();
    if (typeof stacks === 'object') stacks.checkSeen();
  }

  #inMode(record: OutputRecord): Iterable<OutputRecord> {
    if (!fitsMode(this.#choice.mode, record)) {
      const by = recordedWith(record);
      this.unfit.set(by, (this.unfit.get(by) ?? 0) + 1);
      return [];
    }
    switch (record.type) {
      case 'trace':
        return followsPackets(this.#choice.mode) ? this.#wholeTrace(record) : this.#eventsOf(record);
      case 'packet':
        return this.#packet(record);
      case 'socket':
        return this.#socket(record);
      case 'latency':
        return this.#latency(record);
      case 'connection':
      case 'connections-omitted':
        return this.#connection(record);
      default:
        return this.#other(record);
    }
  }

  *#wholeTrace(trace: SkbTrace): Generator<SkbTrace | LatencyEvent, void, undefined> {
    const { mode, events, matches, minLatency, latencyFree, explain } = this.#choice;
    if (!matches(trace)) return;
    const cut = cutTrace(trace, events);
    if (!cut) return;
    if (mode === 'life') {
      if (minLatency > 0 && totalLatencyUs(cut) < minLatency) return;
      if (explain) this.#connections.add(trace);
      yield cut;
      return;
    }
    const latency = latencyEvent(cut, { toFree: latencyFree, ends: events.end });
    if (latency && latency.latencyUs >= minLatency) yield latency;
  }

  *#eventsOf(trace: SkbTrace): Generator<PacketEvent, void, undefined> {
    const { mode } = this.#choice;
    const last = new LastBytes(trace);
    for (const event of inTimeOrder(trace)) {
      const bytes = last.at(event);
      // where a clone joined nothing was read of the packet: it only counts
      if (event.parent !== undefined && mode !== 'func-stats') continue;
      const packet = packetEvent(trace, event, mode === 'drop' || mode === 'monitor' ? mode : 'basic');
      if (this.#isWanted(packet, bytes)) yield packet;
    }
  }

  *#packet(packet: PacketEvent): Generator<PacketEvent, void, undefined> {
    const { mode } = this.#choice;
    const isSingle = mode === 'basic' || mode === 'drop' || mode === 'monitor';
    if (this.#isWanted(packet)) yield isSingle ? { ...packet, mode } : packet;
  }

  /** `bytes`: what the packet had there, where that is known and the event has none of its own. */
  #isWanted(packet: PacketEvent, bytes = packet.event.bytes): boolean {
    const { mode, events, matches, dropAll } = this.#choice;
    const { event } = packet;
    if (mode === 'drop' && !isDrop(event, dropAll)) return false;
    if (mode === 'monitor' && !isAbnormal(event) && !(dropAll && isDrop(event, true))) return false;
    return isChosen(events, event.func) && matches(bytes ? { ...packet, event: { ...event, bytes } } : packet);
  }

  *#socket(socket: SocketEvent): Generator<SocketEvent, void, undefined> {
    const { mode, events, matches, minSrtt, minRtt } = this.#choice;
    const { rtt } = socket;
    if (mode === 'monitor' && socket.mode !== 'monitor' && !isAbnormal(socket)) return;
    // as live: sockets that do something else have no round-trip time to ask for
    if (rtt && (rtt.us < minSrtt || rtt.minUs < minRtt)) return;
    if (isChosen(events, socket.func) && matches(socket)) yield socket;
  }

  *#latency(latency: LatencyEvent): Generator<LatencyEvent, void, undefined> {
    const { events, matches, minLatency } = this.#choice;
    if (latency.latencyUs < minLatency) return;
    if (isChosen({ ...events, only: undefined }, latency.to) && matches(latency)) yield latency;
  }

  /** What was judged when the traces were recorded. */
  *#connection(record: ConnectionRecord | ConnectionOmission): Generator<OutputRecord, void, undefined> {
    const { explain, matches } = this.#choice;
    if (!explain && matches(record)) yield record;
  }

  /** Counts, which cannot be taken apart, and what was left out. */
  *#other(record: OutputRecord): Generator<OutputRecord, void, undefined> {
    const { events, matches } = this.#choice;
    if (!matches(record)) return;
    const isCount = record.type !== 'omitted' && record.type !== 'sampled';
    if (isCount && (events.only || events.without || events.begin || events.end)) return;
    if (!isCount && this.isCounting) return;
    if (isCount) this.#hadCounts = true;
    yield record;
  }

  /** False for what is shown as it is. */
  #count(record: OutputRecord): boolean {
    const counts = this.#counts;
    if (record.type === 'packet') counts.addHit(record.event.func, record.event.stage, momentOf(record));
    else if (record.type === 'latency') counts.addTime(record.latencyUs, momentOf(record));
    else if (record.type === 'socket' && this.#choice.mode === 'func-stats')
      counts.addHit(record.func, record.stage, record);
    else if (record.type === 'socket') counts.addTime(record.rtt?.us ?? 0, record);
    else return false;
    this.counted++;
    return true;
  }
}

function momentOf({ event, date }: PacketEvent | LatencyEvent): { t: number; date: string } {
  return { t: event.t, date };
}
