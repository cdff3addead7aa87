import { BpfError, type ClassicInstruction, KernelBtf } from '#bpf-loader';
import { NettraceError, UsageError } from '../errors.js';
import { FilterProgram, FilterWanted } from '../generated/layout.js';
import { generateFunction, type WriteProgram } from './generated-function.js';
import { compileMeta } from './meta-expression.js';
import type { FieldTypes } from './meta-field.js';
import { compileExpression } from './pcap-expression.js';
import { asksSocketsOnly, type HeadersOf, knownFromSocket } from './socket-headers.js';
import { type LoadCheck, translateClassic } from './translate-classic.js';

/** The filter expressions that were given; empty ones are wrong, not absent. */
export interface FilterExpressions {
  expression?: string;
  filterTunnel?: string;
  filterMeta?: string;
}

/** What the kernel side needs of them. */
export interface GeneratedFilter {
  /** Instructions of generated_filter() in bpf/filter_program.bpf.h. */
  body: Uint8Array;
  /** Bits of enum filter_wanted. */
  wanted: number;
  /** Bytes of a packet that the expression, and the tunnel's, can look at. */
  expressionWindow: number;
  tunnelWindow: number;
}

/** Which programs an expression becomes. */
interface ProgramNumbers {
  ethernet?: number;
  raw?: number;
  /** For what a socket tells: of segments whose headers are not written yet, or of itself. */
  socket?: HeadersOf;
}

const SOCKET_PROGRAMS = [
  [4, FilterProgram.socketV4],
  [6, FilterProgram.socketV6],
] as const;

/** A program of classic BPF, to be translated into the generated function. */
export function packetProgram(program: readonly ClassicInstruction[], check?: LoadCheck): WriteProgram {
  return (out, accept, reject) => translateClassic(out, program, accept, reject, check);
}

/** For the running kernel where no other types are given. */
function compileMetaFor(expression: string, btf: FieldTypes | undefined): WriteProgram {
  if (btf) return compileMeta(expression, btf);
  let kernel: KernelBtf;
  try {
    kernel = KernelBtf.load();
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    throw new NettraceError(`a metadata filter needs the kernel's BTF: ${error.message}`, { cause: error });
  }
  try {
    return compileMeta(expression, kernel);
  } finally {
    kernel.close();
  }
}

/**
 * Compiles the expressions that were given; undefined where there is none. `seen`: what the mode sees. `btf`: where fields of
 * struct sk_buff are, of the running kernel if not given. Throws UsageError with the place of what is wrong, NettraceError where
 * libpcap is missing.
 */
export function compileFilters(
  { expression, filterTunnel, filterMeta }: FilterExpressions,
  btf?: FieldTypes,
  seen: 'packets' | 'sockets' = 'packets',
): GeneratedFilter | undefined {
  const programs = new Map<number, WriteProgram>();
  const result = { wanted: 0, expressionWindow: 0, tunnelWindow: 0 };
  const addPacketFilter = (text: string | undefined, what: string, numbers: ProgramNumbers) => {
    if (text === undefined) return 0;
    const { ethernet, raw, window } = compileExpression(text, what);
    const { socket } = numbers;
    if (socket === 'socket' && !(raw && asksSocketsOnly(raw))) {
      throw new UsageError(`${what}: '${text}' asks for more than a socket has: addresses and ports`, {
        advice: 'without --sock and --rtt packets are seen, with all their fields',
      });
    }
    if (ethernet && numbers.ethernet !== undefined) programs.set(numbers.ethernet, packetProgram(ethernet));
    if (raw && numbers.raw !== undefined) programs.set(numbers.raw, packetProgram(raw));
    if (raw && socket)
      for (const [version, number] of SOCKET_PROGRAMS)
        programs.set(number, packetProgram(raw, knownFromSocket(version, raw, socket)));
    return window;
  };
  if (expression !== undefined) result.wanted |= FilterWanted.expression;
  result.expressionWindow = addPacketFilter(
    expression,
    'filter expression',
    seen === 'sockets'
      ? { socket: 'socket' }
      : { ethernet: FilterProgram.ethernet, raw: FilterProgram.raw, socket: 'segment' },
  );
  if (filterTunnel !== undefined) result.wanted |= FilterWanted.tunnel;
  result.tunnelWindow = addPacketFilter(filterTunnel, 'tunnel filter', {
    ethernet: FilterProgram.innerEthernet,
    raw: FilterProgram.innerRaw,
  });
  if (filterMeta !== undefined) {
    programs.set(FilterProgram.meta, compileMetaFor(filterMeta, btf));
    result.wanted |= FilterWanted.meta;
  }
  if (result.wanted === 0) return undefined;
  try {
    return { ...result, body: generateFunction(programs) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`the filter is too complex: ${error.message}`);
  }
}
