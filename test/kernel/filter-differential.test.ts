import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { packetProgram } from '../../src/filter/compile-filters.js';
import { generateFunction } from '../../src/filter/generated-function.js';
import { compileExpression, type PcapPrograms } from '../../src/filter/pcap-expression.js';
import { FilterProgram } from '../../src/generated/layout.js';
import { craftPackets } from '../support/crafted-packets.js';
import { filterExpressions } from '../support/filter-expressions.js';
import { type Captured, runFilter, runTcpdump } from '../support/filter-runner.js';
import { EMULATED } from '../support/machine.js';

/** An emulated machine starts tcpdump in half a second: there a part shows that its kernel takes the programs. */
const EXPRESSIONS = filterExpressions(EMULATED ? 30 : 260).slice(0, EMULATED ? 30 : undefined);
const frames = craftPackets(EMULATED ? 60 : 600);
const ETHERNET_HEADER = 14;

/** Some packets were longer than what was captured of them. */
const captured = (bytes: Uint8Array, i: number): Captured => ({ bytes, length: bytes.length + (i % 5 === 0 ? i : 0) });
const LINK_TYPES = {
  ethernet: { number: 1, program: FilterProgram.ethernet, packets: frames.map(captured) },
  raw: {
    number: 101,
    program: FilterProgram.raw,
    packets: frames.map((frame) => frame.subarray(ETHERNET_HEADER)).map(captured),
  },
} as const;

/** Undefined where libpcap refuses it for both link types. */
function compileOrRefuse(expression: string): PcapPrograms | undefined {
  try {
    return compileExpression(expression, 'filter');
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

describe.each(['ethernet', 'raw'] as const)('the kernel and tcpdump agree on each packet, link type %s', (linkType) => {
  const { number, program, packets } = LINK_TYPES[linkType];
  const verdicts = runTcpdump(EXPRESSIONS, packets, number);
  let matches = 0;
  it.each(EXPRESSIONS.map((expression, i) => [expression, i] as const))('%s', (expression, i) => {
    const theirs = verdicts[i];
    const compiled = compileOrRefuse(expression);
    const code = compiled?.[linkType];
    if (!compiled || !code || typeof theirs === 'string') {
      expect(code, `tcpdump says: ${theirs}`).toBeUndefined();
      expect(theirs).toBeTypeOf('string');
      return;
    }
    const body = generateFunction(new Map([[program, packetProgram(code)]]));
    const ours = runFilter(body, program, packets, compiled.window);
    matches += ours.filter(Boolean).length;
    const different = ours.flatMap((verdict, at) => (verdict === theirs?.[at] ? [] : [at]));
    expect(different.map((at) => `${at}: ${ours[at]}: ${Buffer.from(packets[at]!.bytes).toString('hex')}`)).toEqual([]);
  });
  it('and neither all nor nothing matches', () => {
    expect(matches).toBeGreaterThan(packets.length);
  });
});
