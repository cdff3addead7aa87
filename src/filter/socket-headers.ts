import type { ClassicInstruction } from '#bpf-loader';
import { hasFreeX, type LoadCheck, packetLoad, reachable, successors } from './translate-classic.js';

/** From the first byte to before the last. */
type Range = readonly [start: number, end: number];

/** What is known of TCP's header. */
const TCP: Readonly<Record<HeadersOf, readonly Range[]>> = {
  // ports, sequence numbers and flags; neither the header's length nor the window
  segment: [
    [0, 12],
    [13, 14],
  ],
  socket: [[0, 4]],
};
const IPV6_HEADER = 40;
/** Protocol and addresses. */
const IP: Readonly<Record<4 | 6, readonly Range[]>> = {
  4: [
    [9, 10],
    [12, 20],
  ],
  6: [
    [6, 7],
    [8, IPV6_HEADER],
  ],
};

/** Of a segment that a socket is about to send, or of a socket without one. */
export type HeadersOf = 'segment' | 'socket';

/** Codes of classic BPF (linux/bpf_common.h): a byte of the packet, and two operations on it with a constant. */
const LOAD_BYTE = 0x30;
const AND = 0x54;
const JUMP_IF_EQUAL = 0x15;

const isWithin = (ranges: readonly Range[], at: number, size: number) =>
  ranges.some(([start, end]) => start <= at && at + size <= end);
const is = (i: ClassicInstruction | undefined, code: number, k: number) => i?.code === code && i.k === k;

/**
 * Which loads of a program for packets without link-layer header give the right bytes before the headers are written:
 * write_socket_headers() in bpf/filter_program.bpf.h makes up those parts that the socket knows, and leaves the rest zero.
 */
export function knownFromSocket(version: 4 | 6, program: readonly ClassicInstruction[], of: HeadersOf): LoadCheck {
  const tcp = TCP[of];
  const behindIpv6 = tcp.map(([start, end]): Range => [IPV6_HEADER + start, IPV6_HEADER + end]);
  const fixed = version === 4 ? IP[4] : [...IP[6], ...behindIpv6];
  const xIsHeader = version === 4 && !hasFreeX(program);
  return ({ place, k, size }, next) => {
    if (place === 'length') return false;
    if (place === 'header') return xIsHeader && k === 0;
    if (place === 'behind X') return xIsHeader && isWithin(tcp, k, size);
    // the version by itself, and whether this is a later fragment, are known: a segment is none
    if (k === 0 && size === 1) return is(next, AND, 0xf0);
    if (version === 4 && k === 6 && size === 2) return is(next, 0x45, 0x1fff);
    return isWithin(fixed, k, size);
  };
}

/** The instructions that may be run on packets of that version of IP, whose test is the only one that is decided. */
function reachedBy(version: 4 | 6, program: readonly ClassicInstruction[]): boolean[] {
  const isVersion = (i: ClassicInstruction, at: number) =>
    i.code === JUMP_IF_EQUAL && is(program[at - 1], AND, 0xf0) && is(program[at - 2], LOAD_BYTE, 0);
  return reachable(program, (i, at) =>
    isVersion(i, at) ? [at + 1 + (i.k === version << 4 ? i.jt : i.jf)] : successors(i, at),
  );
}

/** Does the program ask for nothing else than what is known of a socket? */
export function asksSocketsOnly(program: readonly ClassicInstruction[]): boolean {
  return ([4, 6] as const).every((version) => {
    const isKnown = knownFromSocket(version, program, 'socket');
    const reached = reachedBy(version, program);
    return program.every((instruction, at) => {
      const load = reached[at] ? packetLoad(instruction) : undefined;
      return !load || isKnown(load, program[at + 1]);
    });
  });
}
