import type { ClassicInstruction } from '#bpf-loader';
import { UsageError } from '../errors.js';
import { FilterScratch } from '../generated/layout.js';
import { ALU, type BpfAssembler, JUMP, type Label, type Register, type Width } from './bpf-assembler.js';

/** Bytes of a packet that a filter can look at: FILTER_WINDOW in bpf/filter_program.h. */
export const WINDOW_BYTES = FilterScratch.margin - FilterScratch.packet;

/** The classes and modes of classic BPF (linux/bpf_common.h). */
const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, ret: 6, misc: 7 } as const;
const MODE = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, len: 0x80, msh: 0xa0 } as const;
const SIZES = [4, 2, 1] as const;
const SOURCE_X = 0x08;
const RETURN_A = 0x10;
const TXA = 0x80;
/** Fixed places from here on are no places but what the kernel knows of a packet (linux/filter.h, SKF_AD_OFF). */
const LINUX_EXTENSIONS = 0xfff0_0000;
/** The largest X that 4 * (P[k] & 0xf) gives. */
const MAX_HEADER = 60;

const SCRATCH: Register = 6;
const A: Register = 7;
const X: Register = 8;
const CAPTURED: Register = 9;
const SUM: Register = 0;
const PLACE: Register = 2;

/** Inverted conditions; "no bit is set" has none. */
const INVERTED: Readonly<Record<number, number>> = { [JUMP.eq]: JUMP.ne, [JUMP.gt]: JUMP.le, [JUMP.ge]: JUMP.lt };

const classOf = (i: ClassicInstruction) => i.code & 0x07;
const modeOf = (i: ClassicInstruction) => i.code & 0xe0;
const operationOf = (i: ClassicInstruction) => i.code & 0xf0;
const sizeOf = (i: ClassicInstruction): 1 | 2 | 4 => SIZES[(i.code & 0x18) >> 3] ?? 1;
const isLoad = (i: ClassicInstruction, mode: number) => classOf(i) === CLASS.ld && modeOf(i) === mode;

/** Where execution goes on behind the instruction at `at`. */
export function successors(i: ClassicInstruction, at: number): number[] {
  if (classOf(i) === CLASS.ret) return [];
  if (classOf(i) !== CLASS.jmp) return [at + 1];
  return operationOf(i) === 0 ? [at + 1 + i.k] : [at + 1 + i.jt, at + 1 + i.jf];
}

/**
 * Those that can be reached, where `next` leads on: the kernel takes no others. Jumps lead forward only, so one pass finds
 * them.
 */
export function reachable(program: readonly ClassicInstruction[], next = successors): boolean[] {
  const found = program.map((_, at) => at === 0);
  for (const [at, instruction] of program.entries())
    if (found[at]) for (const one of next(instruction, at)) found[one] = true;
  return found;
}

/** Up to which byte of the packet an instruction may look; X is at most `maxX`. */
function reach(i: ClassicInstruction, maxX: number): number {
  if (isLoad(i, MODE.abs)) return i.k + sizeOf(i);
  if (isLoad(i, MODE.ind)) return Math.min(i.k + maxX + sizeOf(i), WINDOW_BYTES);
  return classOf(i) === CLASS.ldx && modeOf(i) === MODE.msh ? i.k + 1 : 0;
}

/** May X be anything else than zero or the length of an IPv4 header? */
export function hasFreeX(program: readonly ClassicInstruction[]): boolean {
  return program.some(
    (i) => (classOf(i) === CLASS.ldx && modeOf(i) !== MODE.msh) || (classOf(i) === CLASS.misc && (i.code & TXA) === 0),
  );
}

/**
 * How many bytes of a packet the program may look at, at most WINDOW_BYTES. Throws UsageError where it wants a byte at
 * a fixed place behind those.
 */
export function windowOf(program: readonly ClassicInstruction[]): number {
  const maxX = hasFreeX(program) ? WINDOW_BYTES : MAX_HEADER;
  if (program.some((i) => isLoad(i, MODE.abs) && i.k >= LINUX_EXTENSIONS)) {
    throw new UsageError("'inbound', 'outbound' and 'ifindex' tell of a capture, not of a packet", {
      advice: 'for an interface: --ifname NAME, or --filter-meta "dev.ifindex == NUMBER"',
    });
  }
  const bytes = program.reduce((most, i) => Math.max(most, reach(i, maxX)), 0);
  if (bytes > WINDOW_BYTES) {
    throw new UsageError(
      `the filter looks at byte ${bytes - 1} of a packet, and only the first ${WINDOW_BYTES} are there`,
    );
  }
  return bytes;
}

/** What an instruction loads of a packet. */
export interface PacketLoad {
  /** `header` is 4 * (P[k] & 0xf), `length` the packet's. */
  place: 'fixed' | 'behind X' | 'header' | 'length';
  k: number;
  size: 1 | 2 | 4;
}

/** Can this be loaded? `next` is the instruction behind it. A program ends without a match where it cannot. */
export type LoadCheck = (load: PacketLoad, next: ClassicInstruction | undefined) => boolean;

export function packetLoad(i: ClassicInstruction): PacketLoad | undefined {
  if (classOf(i) > CLASS.ldx) return undefined;
  const of = (place: PacketLoad['place']): PacketLoad => ({ place, k: i.k, size: sizeOf(i) });
  if (modeOf(i) === MODE.len) return of('length');
  if (modeOf(i) === MODE.msh) return of('header');
  if (modeOf(i) === MODE.abs) return of('fixed');
  return modeOf(i) === MODE.ind ? of('behind X') : undefined;
}

/** Translates one program; what it shares with others is in `exits`. */
class Translation {
  readonly #out: BpfAssembler;
  readonly #program: readonly ClassicInstruction[];
  readonly #accept: Label;
  readonly #reject: Label;
  readonly #labels: Label[];
  readonly #check: LoadCheck | undefined;

  constructor(
    out: BpfAssembler,
    program: readonly ClassicInstruction[],
    accept: Label,
    reject: Label,
    check: LoadCheck | undefined,
  ) {
    this.#check = check;
    this.#out = out;
    this.#program = program;
    this.#accept = accept;
    this.#reject = reject;
    this.#labels = program.map(() => out.label());
  }

  run(): void {
    const out = this.#out;
    const reached = reachable(this.#program);
    out.load(4, CAPTURED, SCRATCH, FilterScratch.captured);
    out.move(A, 0);
    out.move(X, 0);
    const slots = new Set(
      this.#program.filter((i) => modeOf(i) === MODE.mem && classOf(i) <= CLASS.ldx).map((i) => i.k),
    );
    for (const slot of slots) out.store(4, SCRATCH, memory(slot), 0);
    for (const [at, instruction] of this.#program.entries()) {
      if (!reached[at]) continue;
      const label = this.#labels[at];
      if (label) out.place(label);
      this.#translate(instruction, at);
    }
  }

  #translate(i: ClassicInstruction, at: number): void {
    const out = this.#out;
    const load = this.#check && packetLoad(i);
    if (load && !this.#check?.(load, this.#program[at + 1])) {
      this.#fail();
      return;
    }
    switch (classOf(i)) {
      case CLASS.ld:
        this.#load(i, A);
        break;
      case CLASS.ldx:
        this.#load(i, X);
        break;
      case CLASS.st:
        out.store(4, SCRATCH, memory(i.k), { register: A });
        break;
      case CLASS.stx:
        out.store(4, SCRATCH, memory(i.k), { register: X });
        break;
      case CLASS.alu:
        this.#compute(i);
        break;
      case CLASS.jmp:
        this.#jump(i, at);
        break;
      case CLASS.ret:
        this.#return(i);
        break;
      default:
        if ((i.code & TXA) === 0) out.move(X, { register: A });
        else out.move(A, { register: X });
    }
  }

  #load(i: ClassicInstruction, to: Register): void {
    const out = this.#out;
    switch (modeOf(i)) {
      case MODE.imm:
        out.alu32(ALU.mov, to, i.k);
        break;
      case MODE.mem:
        out.load(4, to, SCRATCH, memory(i.k));
        break;
      case MODE.len:
        out.load(4, to, SCRATCH, FilterScratch.length);
        break;
      case MODE.abs:
        this.#loadFixed(sizeOf(i), to, i.k);
        break;
      case MODE.ind:
        this.#loadIndirect(sizeOf(i), to, i.k);
        break;
      default:
        this.#loadFixed(1, to, i.k);
        out.alu32(ALU.and, to, 0xf);
        out.alu32(ALU.lsh, to, 2);
    }
  }

  #loadFixed(size: 1 | 2 | 4, to: Register, k: number): void {
    if (k + size > WINDOW_BYTES) {
      this.#fail();
      return;
    }
    this.#out.jumpIf(JUMP.lt, CAPTURED, k + size, this.#reject);
    this.#read(size, to, SCRATCH, k);
  }

  /** X + k does not wrap: what is behind the end is not there. The first test is for the verifier, the second decides. */
  #loadIndirect(size: 1 | 2 | 4, to: Register, k: number): void {
    const out = this.#out;
    if (k + size > WINDOW_BYTES) {
      this.#fail();
      return;
    }
    out.jumpIf(JUMP.gt, X, WINDOW_BYTES - size - k, this.#reject);
    out.move(SUM, { register: X });
    out.alu64(ALU.add, SUM, k + size);
    out.jumpIf(JUMP.gt, SUM, { register: CAPTURED }, this.#reject);
    out.move(PLACE, { register: SCRATCH });
    out.alu64(ALU.add, PLACE, { register: X });
    this.#read(size, to, PLACE, k);
  }

  /** Always rejects, by a condition: what follows is never run, but the kernel takes no instructions that no way leads to. */
  #fail(): void {
    this.#out.jumpIf(JUMP.ge, CAPTURED, 0, this.#reject);
  }

  #read(size: 1 | 2 | 4, to: Register, base: Register, k: number): void {
    this.#out.load(size as Width, to, base, FilterScratch.packet + k);
    if (size > 1) this.#out.fromBigEndian(to, size === 2 ? 16 : 32);
  }

  #compute(i: ClassicInstruction): void {
    const out = this.#out;
    const operation = operationOf(i);
    const byX = (i.code & SOURCE_X) !== 0;
    if (operation === ALU.neg) {
      out.alu32(ALU.neg, A, 0);
      return;
    }
    if (operation === ALU.div || operation === ALU.mod) {
      if (byX) out.jumpIf32(JUMP.eq, X, 0, this.#reject);
      else if (i.k === 0) {
        this.#fail();
        return;
      }
    }
    if (operation === ALU.lsh || operation === ALU.rsh) {
      this.#shift(operation, byX, i.k);
      return;
    }
    out.alu32(operation, A, byX ? { register: X } : i.k);
  }

  /** As libpcap does it: nothing is left of a number that is shifted by 32 bits or more. */
  #shift(operation: number, byX: boolean, k: number): void {
    const out = this.#out;
    if (!byX) {
      if (k > 31) out.move(A, 0);
      else out.alu32(operation, A, k);
      return;
    }
    const [done, small] = [out.label(), out.label()];
    out.jumpIf32(JUMP.lt, X, 32, small);
    out.move(A, 0);
    out.jump(done);
    out.place(small);
    out.alu32(operation, A, { register: X });
    out.place(done);
  }

  #jump(i: ClassicInstruction, at: number): void {
    const out = this.#out;
    const condition = operationOf(i);
    if (condition === 0) {
      out.jump(this.#target(at + 1 + i.k));
      return;
    }
    const operand = i.code & SOURCE_X ? ({ register: X } as const) : i.k;
    const inverted = INVERTED[condition];
    if (i.jt === 0 && inverted !== undefined) {
      if (i.jf > 0) out.jumpIf32(inverted, A, operand, this.#target(at + 1 + i.jf));
      return;
    }
    out.jumpIf32(condition, A, operand, this.#target(at + 1 + i.jt));
    if (i.jf > 0) out.jump(this.#target(at + 1 + i.jf));
  }

  #return(i: ClassicInstruction): void {
    const out = this.#out;
    if ((i.code & 0x18) !== RETURN_A) {
      out.jump(i.k === 0 ? this.#reject : this.#accept);
      return;
    }
    out.jumpIf32(JUMP.eq, A, 0, this.#reject);
    out.jump(this.#accept);
  }

  #target(at: number): Label {
    const label = this.#labels[at];
    if (!label) throw new RangeError(`classic BPF jumps to instruction ${at} of ${this.#labels.length}`);
    return label;
  }
}

function memory(slot: number): number {
  if (slot > 15) throw new RangeError(`classic BPF has 16 memory slots, not ${slot + 1}`);
  return FilterScratch.memory + slot * 4;
}

/**
 * Translates classic BPF into BPF that works on struct filter_scratch (in r6): jumps to `accept` where the program
 * returns something, else to `reject`. Numbers have 32 bits and loads are big-endian; a load behind the captured bytes
 * and a division by zero end the program without a match. Extensions of Linux (negative offsets) are behind the captured
 * bytes too. `check` says which loads are allowed, where not all are. Throws RangeError where the program is none.
 */
export function translateClassic(
  out: BpfAssembler,
  program: readonly ClassicInstruction[],
  accept: Label,
  reject: Label,
  check?: LoadCheck,
): void {
  new Translation(out, program, accept, reject, check).run();
}
