import { Assembler, type OpenTrace } from '../../src/assemble/assembler.js';
import { EventFlag } from '../../src/generated/layout.js';
import { type RecordInput, recordOf } from './records.js';

/** Records of one trace through an assembler; time goes on by 10 microseconds per record. */
export function assembleOne(inputs: readonly RecordInput[], onTrace: (trace: OpenTrace) => void): void {
  const assembler = new Assembler({
    graceMs: 1,
    ageMs: 1000,
    maxOpen: 10,
    maxEvents: 100,
    maxBytes: 2 ** 20,
    isEntry: () => true,
    onTrace,
    onForget: () => {},
  });
  for (const [i, input] of inputs.entries()) {
    const flags = i === 0 ? EventFlag.firstSight : 0;
    assembler.add(
      recordOf({ traceId: 0x2a, skb: 0xffff888012345600n, time: 1_000_000_000 + i * 10_000, flags, ...input }),
      1,
    );
  }
  assembler.end();
}
