import { BpfAssembler, JUMP, type Label, type Register } from './bpf-assembler.js';

/** Arguments of generated_filter() in bpf/filter_program.bpf.h, and where they are kept. */
const ARGUMENT = { scratch: 1, skb: 2, program: 3 } as const;
export const SCRATCH: Register = 6;
/** Overwritten by packet programs, which do not need it. */
export const SKB: Register = 9;

/** Writes one program's instructions; it goes to `accept` or to `reject` in the end. */
export type WriteProgram = (out: BpfAssembler, accept: Label, reject: Label) => void;

/**
 * The body of generated_filter(): runs the program of the number that it is called with (enum filter_program), and
 * returns 1 where that accepts, else 0. A program that is not there matches nothing. Throws RangeError where it comes out
 * too long for jumps.
 */
export function generateFunction(programs: ReadonlyMap<number, WriteProgram>): Uint8Array {
  const out = new BpfAssembler();
  const [accept, reject] = [out.label(), out.label()];
  out.move(SCRATCH, { register: ARGUMENT.scratch });
  out.move(SKB, { register: ARGUMENT.skb });
  const starts = [...programs].map(([number, write]) => ({ number, write, start: out.label() }));
  for (const { number, start } of starts) out.jumpIf(JUMP.eq, ARGUMENT.program, number, start);
  out.jump(reject);
  for (const { write, start } of starts) {
    out.place(start);
    write(out, accept, reject);
  }
  if (accept.used) {
    out.place(accept);
    out.move(0, 1);
    out.exit();
  }
  out.place(reject);
  out.move(0, 0);
  out.exit();
  return out.bytes();
}
