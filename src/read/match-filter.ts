import { parseAddress } from '../decode/addresses.js';
import { parseTcpFlags } from '../decode/names.js';
import { UsageError } from '../errors.js';
import type { RecordedSight, RecordedWhole } from '../filter/recorded-expression.js';
import type { Filter, Net, PortRange } from '../options.js';
import { ETH_P_IP, ETH_P_IPV6, type ProtoTest } from '../protocols.js';
import type { OutputRecord, Owner, TraceEvent, Tuple } from '../types.js';

/** What filters ask of a packet at a place, from whichever record it is. */
export interface Subject extends RecordedSight {
  tcpFlags?: string | undefined;
  pktLen?: number | undefined;
  ifname?: string | undefined;
  netns?: number | undefined;
  /** One is enough. */
  owners: readonly Owner[];
}

/** The filter of live traces, and the namespace, which is none of its values there. */
export interface RecordFilter extends Filter {
  /** Inode. */
  /** Inodes, of which one is enough. */
  netns: readonly number[] | undefined;
}

export type SubjectTest = (subject: Subject) => boolean;

function netTest({ address, prefix }: Net): (bytes: Uint8Array) => boolean {
  const want = parseAddress(address) ?? new Uint8Array();
  return (have) => {
    if (have.length !== want.length) return false;
    for (let i = 0; i * 8 < prefix; i++) {
      const shift = Math.max(0, 8 - (prefix - i * 8));
      if ((have[i] ?? 0) >> shift !== (want[i] ?? 0) >> shift) return false;
    }
    return true;
  };
}

function addressTest(nets: readonly Net[], of: (tuple: Tuple) => readonly string[]): SubjectTest[] {
  if (nets.length === 0) return [];
  const tests = nets.map(netTest);
  return [
    ({ tuple }) =>
      tuple !== undefined &&
      of(tuple).some((address) => {
        const bytes = parseAddress(address);
        return bytes !== null && tests.some((test) => test(bytes));
      }),
  ];
}

function portTest(ranges: readonly PortRange[], of: (tuple: Tuple) => readonly (number | undefined)[]): SubjectTest[] {
  if (ranges.length === 0) return [];
  return [
    // a later fragment has no ports: both are 0
    ({ proto, tuple }) =>
      (proto === 'tcp' || proto === 'udp') &&
      tuple !== undefined &&
      Boolean(tuple.sport || tuple.dport) &&
      of(tuple).some((port) => port !== undefined && ranges.some(({ low, high }) => port >= low && port <= high)),
  ];
}

/** A protocol that IP carries is one with a name of its own in records, or a number beside it. */
function protoTest({ name, l3, l4 }: ProtoTest): SubjectTest {
  if (l4 === undefined && l3 === ETH_P_IP)
    return ({ proto, tuple }) => proto !== 'arp' && tuple !== undefined && !tuple.saddr.includes(':');
  if (l4 === undefined && l3 === ETH_P_IPV6) return ({ tuple }) => tuple?.saddr.includes(':') === true;
  return ({ proto, event }) => proto === name || (l4 !== undefined && event?.ipProtocol === l4);
}

function testsOf(filter: RecordFilter): SubjectTest[] {
  const { proto, tcpFlags, pktLen, ifname, netns, pid, comm } = filter;
  const tests: SubjectTest[] = [
    ...addressTest(filter.saddr, (tuple) => [tuple.saddr]),
    ...addressTest(filter.daddr, (tuple) => [tuple.daddr]),
    ...addressTest(filter.addr, (tuple) => [tuple.saddr, tuple.daddr]),
    ...portTest(filter.sport, (tuple) => [tuple.sport]),
    ...portTest(filter.dport, (tuple) => [tuple.dport]),
    ...portTest(filter.port, (tuple) => [tuple.sport, tuple.dport]),
  ];
  if (proto) tests.push(protoTest(proto));
  if (tcpFlags.length > 0) {
    tests.push((subject) => {
      const have = subject.tcpFlags === undefined ? null : parseTcpFlags(subject.tcpFlags);
      return have !== null && tcpFlags.some((set) => (have & set) === set);
    });
  }
  if (pktLen) tests.push(({ pktLen: have }) => have !== undefined && have >= pktLen.low && have <= pktLen.high);
  if (ifname !== undefined) tests.push((subject) => subject.ifname === ifname);
  if (netns !== undefined) tests.push((subject) => subject.netns !== undefined && netns.includes(subject.netns));
  if (pid !== undefined) tests.push(({ owners }) => owners.some((owner) => owner.pid === pid));
  if (comm !== undefined) tests.push(({ owners }) => owners.some((owner) => owner.comm === comm));
  return tests;
}

/** A packet's owners; the process that was running at its first event where none of the events knows one. */
function ownersOf(events: readonly TraceEvent[]): Owner[] {
  const owners = events.flatMap((event) => event.owner ?? []);
  const [first] = events;
  if (owners.length > 0 || first?.pid === undefined || first.comm === undefined) return owners;
  return [{ pid: first.pid, comm: first.comm }];
}

/**
 * Where live filters were asked about the packet, until one let it through: its first place, and each one of which there
 * are bytes. The length is asked for where it is known: where a segment has no header yet it is not.
 */
function* sightsOf(whole: RecordedWhole): Generator<Subject, void, undefined> {
  const { proto, tuple, events } = whole;
  // where a clone joined nothing was read of the packet
  const first = events.find((event) => event.parent === undefined);
  const measured = first?.fromSocket ? events.find((event) => event.pktLen !== undefined) : undefined;
  const later = events.filter((event) => (event.bytes || event === measured) && event !== first);
  const owners = ownersOf(events);
  for (const event of first ? [first, ...later] : [undefined]) {
    yield {
      proto: event?.proto ?? proto,
      tuple: event?.tuple ?? tuple,
      tcpFlags: event?.tcp?.flags,
      pktLen: event?.pktLen,
      ifname: event?.ifname,
      netns: event?.netns,
      owners,
      event,
      hasLaterBytes: later.some((one) => one.bytes),
      whole,
    };
  }
}

/** What the record is about; nothing where it is about no single packet or socket. */
function subjectsOf(record: OutputRecord): Iterable<Subject> {
  switch (record.type) {
    case 'trace':
      return sightsOf(record);
    case 'packet':
    case 'latency':
      return sightsOf({ proto: record.proto, tuple: record.tuple, events: [record.event] });
    case 'connection':
      return [{ proto: record.proto, tuple: record.tuple, owners: [] }];
    case 'socket':
      return [
        {
          proto: record.proto,
          tuple: record.tuple,
          ifname: record.ifname,
          netns: record.netns,
          owners: record.owner ? [record.owner] : [],
          isSocket: true,
        },
      ];
    default:
      return [];
  }
}

/** Does what is described match? All tests that the filter asks for must hold. */
export function subjectTest(filter: RecordFilter): SubjectTest {
  const tests = testsOf(filter);
  return (subject) => tests.every((test) => test(subject));
}

/**
 * Does a record match, as the packet would have matched live: at one of the places at which filters are asked, and by the
 * owners of its socket?
 * Counts over many packets match no filter but the empty one, for they cannot be taken apart. `more`: tests of other
 * filters, all of which must hold too.
 */
export function recordMatcher(
  filter: RecordFilter,
  more: readonly SubjectTest[] = [],
): (record: OutputRecord) => boolean {
  const tests = [...testsOf(filter), ...more];
  if (tests.length === 0) return () => true;
  return (record) => {
    let unknown: UsageError | undefined;
    for (const subject of subjectsOf(record)) {
      try {
        if (tests.every((test) => test(subject))) return true;
      } catch (error) {
        // what is not recorded of one place does not matter where another matches
        if (!(error instanceof UsageError)) throw error;
        unknown ??= error;
      }
    }
    if (unknown) throw unknown;
    return false;
  };
}
