import type { ClassicInstruction } from '#bpf-loader';
import { hasFreeX, type LoadCheck } from './translate-classic.js';

/** From the first byte to before the last. */
type Range = readonly [start: number, end: number];

/** Ports, sequence numbers and flags; neither the header's length nor the window. */
const TCP: readonly Range[] = [
  [0, 12],
  [13, 14],
];
const IPV6_HEADER = 40;
const FIXED: Readonly<Record<4 | 6, readonly Range[]>> = {
  // protocol and addresses
  4: [
    [9, 10],
    [12, 20],
  ],
  6: [[6, 7], [8, IPV6_HEADER], ...TCP.map(([start, end]): Range => [IPV6_HEADER + start, IPV6_HEADER + end])],
};

const isWithin = (ranges: readonly Range[], at: number, size: number) =>
  ranges.some(([start, end]) => start <= at && at + size <= end);
const is = (i: ClassicInstruction | undefined, code: number, k: number) => i?.code === code && i.k === k;

/**
 * Which loads of a program for packets without link-layer header give the right bytes before the headers are written:
 * write_socket_headers() in bpf/filter_program.bpf.h makes up those parts that the socket knows, and leaves the rest zero.
 */
export function knownFromSocket(version: 4 | 6, program: readonly ClassicInstruction[]): LoadCheck {
  const xIsHeader = version === 4 && !hasFreeX(program);
  return ({ place, k, size }, next) => {
    if (place === 'length') return false;
    if (place === 'header') return xIsHeader && k === 0;
    if (place === 'behind X') return xIsHeader && isWithin(TCP, k, size);
    // the version by itself, and whether this is a later fragment, are known: a segment is none
    if (k === 0 && size === 1) return is(next, 0x54, 0xf0);
    if (version === 4 && k === 6 && size === 2) return is(next, 0x45, 0x1fff);
    return isWithin(FIXED[version], k, size);
  };
}
