import { UsageError } from '../errors.js';
import type { Proto, TraceEvent, Tuple } from '../types.js';
import { NotKnown, runClassic } from './classic-interpreter.js';
import type { PcapPrograms } from './pcap-expression.js';
import { type RecordedPacket, rebuildPacket } from './rebuilt-packet.js';
import { recordedBytes, runOnBytes } from './recorded-bytes.js';
import { insideTunnel, TUNNEL_PORTS, TUNNEL_PROTOCOLS } from './tunnel-bytes.js';

/** Tags are none of what is recorded without bytes: each packet would look as if it had none. */
const TAGS = /(?<![\w.-])vlan(?![\w.-])/;
const FILTER = 'filter expression';
const TUNNEL_FILTER = 'tunnel filter';

/** What is recorded of a packet, and all its places. */
export interface RecordedWhole {
  proto: Proto;
  tuple?: Tuple | undefined;
  events: readonly TraceEvent[];
}

/** What is recorded of a packet at a place at which filters are asked about it. */
export interface RecordedSight {
  proto: Proto;
  tuple?: Tuple | undefined;
  /** The place; its bytes are those that the packet had there. */
  event?: TraceEvent | undefined;
  /** Bytes are recorded of later places: what is not known yet matches nothing here, as live. */
  hasLaterBytes?: boolean | undefined;
  /** No packet, but a socket: of its headers addresses and ports are known. */
  isSocket?: boolean | undefined;
  /** What the place is one of, where it is. */
  whole?: RecordedWhole | undefined;
}

export type SightTest = (sight: RecordedSight) => boolean;

function notRecorded(filter: string, what: string, hasBytes: boolean): UsageError {
  return new UsageError(`${filter}: whether packets match depends on ${what}, which traces do not record`, {
    advice: hasBytes
      ? 'give it when tracing'
      : 'give it when tracing, or trace with --json, which records first bytes of packets in whole ways and with --drop',
  });
}

/** What `run` says; what it does not know is an error. */
function known(filter: string, hasBytes: boolean, run: () => boolean): boolean {
  try {
    return run();
  } catch (error) {
    if (error instanceof NotKnown) throw notRecorded(filter, error.what, hasBytes);
    throw error;
  }
}

function runOnRebuilt(programs: PcapPrograms, packet: RecordedPacket): boolean {
  const results: boolean[] = [];
  for (const link of ['ethernet', 'raw'] as const) {
    const program = programs[link];
    const rebuilt = program && rebuildPacket(packet, link);
    if (rebuilt) results.push(runClassic(program, rebuilt) > 0);
  }
  // whether there was an Ethernet header is not recorded: it must not matter
  if (results.length === 2 && results[0] !== results[1]) throw new NotKnown("the link layer's header");
  return results[0] ?? false;
}

/**
 * An expression of pcap-filter(7), compiled, as a test of what is recorded of a packet: its bytes, or headers that are
 * rebuilt from the rest; `len` is the skb's length there. The test throws UsageError where something decides that
 * is not recorded.
 */
export function recordedExpression(expression: string, programs: PcapPrograms): SightTest {
  const asksForTags = TAGS.test(expression);
  return ({ proto, tuple, event, isSocket, hasLaterBytes }) => {
    if (isSocket) {
      const { raw } = programs;
      const socket = tuple && rebuildPacket({ proto, tuple, event: {} }, 'raw');
      return raw !== undefined && socket !== undefined && known(FILTER, false, () => runClassic(raw, socket) > 0);
    }
    if (!event) return false;
    const { bytes } = event;
    if (bytes) return known(FILTER, true, () => runOnBytes(programs, recordedBytes(bytes)));
    if (!tuple) return false;
    try {
      if (asksForTags) throw new NotKnown('VLAN tags');
      return runOnRebuilt(programs, { proto, tuple, event });
    } catch (error) {
      if (!(error instanceof NotKnown)) throw error;
      if (hasLaterBytes) return false;
      throw notRecorded(FILTER, error.what, false);
    }
  };
}

/** `proto`, `tuple`: of events that have no others. */
function mayBeTunnel(event: TraceEvent, { proto: ofAll, tuple: tupleOfAll }: RecordedSight): boolean {
  const { proto = ofAll, tuple = tupleOfAll, fromSocket, ipProtocol } = event;
  if (fromSocket) return false;
  if (proto === 'udp') return TUNNEL_PORTS.includes(tuple?.dport ?? 0);
  return (proto === 'ip' || proto === 'ipv6') && (ipProtocol === undefined || TUNNEL_PROTOCOLS.includes(ipProtocol));
}

/** The same of what is inside of tunnels; where no bytes are recorded, packets that may be some are an error. */
export function recordedTunnel(programs: PcapPrograms): SightTest {
  return ({ proto, tuple, event, hasLaterBytes, whole }) => {
    if (!event) return false;
    const { bytes } = event;
    if (bytes) {
      return known(TUNNEL_FILTER, true, () => {
        const inner = insideTunnel(recordedBytes(bytes));
        return inner !== undefined && runOnBytes(programs, inner);
      });
    }
    if (hasLaterBytes) return false;
    const { events } = whole ?? { events: [event] };
    if (!events.some((one) => mayBeTunnel(one, whole ?? { proto, tuple }))) return false;
    throw notRecorded(TUNNEL_FILTER, 'what is inside of tunnels', false);
  };
}
