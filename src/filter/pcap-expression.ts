import { BpfError, type ClassicInstruction, compilePcapFilter } from '#bpf-loader';
import { NettraceError, UsageError } from '../errors.js';
import { expressionError } from './expression-error.js';
import { findPosition } from './pcap-position.js';
import { WINDOW_BYTES, windowOf } from './translate-classic.js';
import { unrollLoops } from './unroll-loops.js';

/** DLT_ numbers of packets with an Ethernet header, and of those that start with an IP header (pcap-linktype(7)). */
const LINK_TYPE = { ethernet: 1, raw: 12 } as const;

/** A filter expression for both kinds of packets; undefined where it asks for what packets of that kind do not have. */
export interface PcapPrograms {
  ethernet: readonly ClassicInstruction[] | undefined;
  raw: readonly ClassicInstruction[] | undefined;
  /** Bytes of a packet that they may look at. */
  window: number;
}

function compile(expression: string, linkType: number): ReturnType<typeof compilePcapFilter> {
  try {
    return compilePcapFilter(expression, linkType, WINDOW_BYTES);
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    throw new NettraceError(`packet filter expressions need libpcap: ${error.message}`, {
      advice: 'on Debian and Ubuntu: apt-get install libpcap0.8',
      cause: error,
    });
  }
}

function tryCompile(expression: string): string | undefined {
  const result = compile(expression, LINK_TYPE.ethernet);
  return result.ok ? undefined : result.message;
}

/**
 * Compiles an expression of pcap-filter(7). `what` names it in messages. Throws UsageError with libpcap's words and the
 * place where neither kind of packets takes it, NettraceError where libpcap is missing.
 */
export function compileExpression(expression: string, what: string): PcapPrograms {
  if (expression.trim() === '') throw new UsageError(`${what} must not be empty`);
  if (expression.includes('\0')) throw new UsageError(`${what} must not contain a zero byte`);
  const ethernet = compile(expression, LINK_TYPE.ethernet);
  const raw = compile(expression, LINK_TYPE.raw);
  if (!ethernet.ok && !raw.ok) {
    const span = findPosition(expression, ethernet.message, tryCompile);
    const message = ethernet.message.replace(/^can't parse filter expression: /, '').trim();
    throw expressionError(what, message, expression, span);
  }
  const programs = {
    ethernet: ethernet.ok ? unrollLoops(ethernet.program) : undefined,
    raw: raw.ok ? unrollLoops(raw.program) : undefined,
  };
  const window = Math.max(...[programs.ethernet, programs.raw].map((program) => (program ? windowOf(program) : 0)));
  return { ...programs, window };
}
