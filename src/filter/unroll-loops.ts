import type { ClassicInstruction } from '#bpf-loader';

/** How often a loop is run: `protochain` so passes as many extension headers less one. */
export const LOOP_ROUNDS = 9;

const JUMP_ALWAYS = 0x05;
const JUMP_CLASS = 0x05;
const RETURN_NOTHING: ClassicInstruction = { code: 0x06, jt: 0, jf: 0, k: 0 };

/** Instructions from `start` to `end`, both included. */
interface Loop {
  start: number;
  end: number;
}

const isJump = (i: ClassicInstruction) => (i.code & 0x07) === JUMP_CLASS;
const alwaysTarget = (i: ClassicInstruction, at: number) => at + 1 + (i.k | 0);

/** What jumps backward span; those that overlap are one. */
function findLoops(program: readonly ClassicInstruction[]): Loop[] {
  const loops: Loop[] = [];
  for (const [end, instruction] of program.entries()) {
    if (instruction.code !== JUMP_ALWAYS || alwaysTarget(instruction, end) > end) continue;
    const loop = { start: alwaysTarget(instruction, end), end };
    while ((loops.at(-1)?.end ?? -1) >= loop.start) loop.start = Math.min(loop.start, loops.pop()?.start ?? 0);
    loops.push(loop);
  }
  return loops;
}

/**
 * libpcap makes loops for `protochain`, which walk from one header to the next. Gives a program without: each loop is
 * written out LOOP_ROUNDS times, and a packet that would go round once more does not match. Jumps of the result may be
 * longer than the 8 bits that classic BPF has for them.
 */
export function unrollLoops(program: readonly ClassicInstruction[]): readonly ClassicInstruction[] {
  const loops = findLoops(program);
  if (loops.length === 0) return program;
  const loopOf = (at: number) => loops.find(({ start, end }) => start <= at && at <= end);
  /** Where an instruction comes to stand in a round of its loop. */
  const place = (at: number, round: number) => {
    const before = loops.filter(({ end }) => end < at);
    const added = before.reduce((sum, { start, end }) => sum + (end - start + 1) * (LOOP_ROUNDS - 1), 0);
    const loop = loopOf(at);
    return at + added + (loop ? round * (loop.end - loop.start + 1) : 0);
  };
  const reject = place(program.length, 0);
  const target = (to: number, from: number, round: number) => {
    const loop = loopOf(from);
    if (loop !== loopOf(to)) return place(to, 0);
    if (to > from) return place(to, round);
    return round + 1 < LOOP_ROUNDS ? place(to, round + 1) : reject;
  };
  const unrolled = new Array<ClassicInstruction>(reject).fill(RETURN_NOTHING);
  for (const [at, i] of program.entries()) {
    for (let round = 0; round < (loopOf(at) ? LOOP_ROUNDS : 1); round++) {
      const own = place(at, round);
      const distance = (to: number) => target(to, at, round) - own - 1;
      if (!isJump(i)) unrolled[own] = i;
      else if (i.code === JUMP_ALWAYS) unrolled[own] = { ...i, k: distance(alwaysTarget(i, at)) };
      else unrolled[own] = { ...i, jt: distance(at + 1 + i.jt), jf: distance(at + 1 + i.jf) };
    }
  }
  return [...unrolled, RETURN_NOTHING];
}
