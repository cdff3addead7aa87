/**
 * bpf-loader-node: libbpf for Node. Opens CO-RE BPF objects, loads and attaches their programs, reads and
 * writes their maps, streams ring buffers, and answers questions about the running kernel (BTF, kallsyms).
 *
 * All calls except the ring buffer's `stop()` are synchronous. Numbers named `...Ms` are milliseconds,
 * `...Bytes` bytes; addresses and cookies are 64-bit values as `bigint`; keys, values and records are raw
 * bytes in the machine's own byte order.
 */

/** Every failure of the kernel or of libbpf. Wrong arguments are a `TypeError` instead. */
export class BpfError extends Error {
  /** errno's name, for example `EPERM`. */
  readonly code: string;
  /** errno as a positive number. */
  readonly errno: number;
  /** What was being done, for example `load`. */
  readonly operation: string;
  /** The program, map, file or function that it was being done on. */
  readonly target: string;
  /** The end of the verifier's log, where there is one. */
  readonly verifierLog?: string;
}

export interface ProgramInfo {
  name: string;
  /** ELF section, for example `kprobe/tcp_v4_rcv`. */
  section: string;
  /** libbpf's name of the program type, for example `kprobe`. */
  type: string;
  autoload: boolean;
  /** Size in instructions; after relocation once the object is loaded. */
  instructions: number;
}

export interface MapInfo {
  name: string;
  /** libbpf's name of the map type, for example `hash`, `percpu_array`, `ringbuf`. */
  type: string;
  keySize: number;
  /** Bytes of one value; for per-CPU maps of one CPU's value. */
  valueSize: number;
  maxEntries: number;
}

/** What an attach came to: a failure is a value, for the caller to judge. */
export type AttachResult =
  | { ok: true; link: Link }
  | { ok: false; errno: number; code: string; message: string; verifierLog?: string };

/** One attachment. It lasts until `detach()`, until its object is closed or (with all its links) collected, or to the exit. */
export class Link {
  /** Safe to call twice. */
  detach(): void;
  readonly attached: boolean;
}

/**
 * Makes a private copy of the program for this attachment, in which every 64-bit immediate load
 * (`ld_imm64`) of a listed value is replaced. A program so becomes specialised for one probe: the
 * verifier removes branches that the constants rule out, and no cookie is needed (kernels before 5.15 have none).
 */
export interface CloneOptions {
  immediates?: ReadonlyArray<{ magic: bigint; value: bigint }>;
}

export interface KprobeOptions extends CloneOptions {
  /** Attach to the function's return. */
  retprobe?: boolean;
  /** Bytes from the function's start; 0 where not given. */
  offset?: number;
  /** For bpf_get_attach_cookie (5.15+). */
  cookie?: bigint;
}

export interface KprobeMultiOptions extends CloneOptions {
  /** Either symbols or addresses. */
  symbols?: readonly string[];
  addresses?: readonly bigint[];
  /** One for each symbol or address. */
  cookies?: readonly bigint[];
  retprobe?: boolean;
  /** One program for entry and return (6.10+). Mutually exclusive with `retprobe`. */
  session?: boolean;
}

export interface TracingOptions extends CloneOptions {
  /** The kernel function, as BTF names it. */
  func: string;
  kind: 'fentry' | 'fexit';
  /** The module that has the function; the kernel itself where not given. */
  module?: string;
  /** 5.19+ */
  cookie?: bigint;
}

export interface OpenOptions {
  /** The object's name in messages and in the kernel; from the file name, or `object`. */
  name?: string;
  /**
   * Path of the BTF to relocate against, in place of all that the kernel has. With `/sys/kernel/btf/vmlinux` the types of
   * modules are left out: libbpf can list those only with CAP_SYS_ADMIN, and fails without it where a type is missing.
   */
  btf?: string;
}

export class BpfObject {
  /** Opens an ELF object from its bytes or from a file. Nothing enters the kernel yet. */
  static open(source: Uint8Array | string, options?: OpenOptions): BpfObject;

  readonly programs: readonly ProgramInfo[];
  readonly maps: readonly MapInfo[];
  readonly loaded: boolean;

  /** The initial contents of a data map such as `.rodata` or `.bss` (a copy). `map` is the section's name. Before load. */
  initialData(map: string): Buffer;
  /** Replaces the initial contents of a data map; `data` must have exactly the map's size. Before load. */
  setInitialData(map: string, data: Uint8Array): void;
  /** Chooses whether `load()` loads this program. Before load. */
  setAutoload(program: string, load: boolean): void;
  /** Changes the number of entries (for a ring buffer: bytes, a power of two and a multiple of the page size). Before load. */
  setMaxEntries(map: string, entries: number): void;
  /** Gives the expected attach type by the kernel's own enum name (enum bpf_attach_type), for example
   *  `BPF_TRACE_KPROBE_MULTI`; the value comes from the kernel's BTF. Before load. */
  setExpectedAttachType(program: string, name: string): void;
  /** Verifies and loads the chosen programs and creates the maps. */
  load(): void;

  attachKprobe(program: string, func: string, options?: KprobeOptions): AttachResult;
  attachKprobeMulti(program: string, options: KprobeMultiOptions): AttachResult;
  /**
   * Attaches a copy of the program to the entry or exit of a function that is named now. The program
   * serves as template: any program whose context is an array of u64 (a raw tracepoint program) fits, so the
   * template itself loads on every kernel and needs no target of its own.
   */
  attachTracing(program: string, options: TracingOptions): AttachResult;
  /** `category` and `name` as in tracefs, for example `net`, `net_dev_queue`. */
  attachTracepoint(
    program: string,
    category: string,
    name: string,
    options?: CloneOptions & { cookie?: bigint },
  ): AttachResult;
  attachRawTracepoint(program: string, name: string, options?: CloneOptions): AttachResult;
  /** A copy of the program as BTF-typed raw tracepoint (tp_btf); the template rule of `attachTracing` holds. */
  attachBtfTracepoint(program: string, name: string, options?: CloneOptions): AttachResult;

  /** The map by name; throws BpfError ENOENT. After load. */
  map(name: string): BpfMap;
  /** Runs a loaded program once with BPF_PROG_TEST_RUN; `context` is its input context. Returns the program's return value. */
  testRun(program: string, context?: Uint8Array): number;
  /** Kernel's ids of all programs of this object, clones included (for bpftool). */
  programIds(): number[];
  /** Detaches all links, stops readers, frees all. Safe to call twice. */
  close(): void;
}

export class BpfMap {
  readonly info: MapInfo;
  /** The value, or null. For per-CPU maps: one value after the other, each padded to 8 bytes, for every possible CPU. */
  lookup(key: Uint8Array): Buffer | null;
  update(key: Uint8Array, value: Uint8Array, mode?: 'any' | 'create' | 'exist'): void;
  /** False where the key was not there. */
  delete(key: Uint8Array): boolean;
  /** Keys in the kernel's order. A map that changes meanwhile may show a key twice or miss one; it never loops for ever. */
  keys(): IterableIterator<Buffer>;
  entries(): IterableIterator<[Buffer, Buffer]>;
}

export interface RingBufferOptions {
  /** Hand a batch over when so many bytes have come together (default 256 KiB) ... */
  batchBytes?: number;
  /** ... or when its first record is so old (default 20). */
  batchMs?: number;
  /** Batches that may wait for JavaScript (default 16); when it is full, reading stops, so that the kernel counts the loss. */
  queueBatches?: number;
  /**
   * Called on the main thread with whole records. Layout: for each record a u32 length (bytes of the record,
   * native order), u32 zero, then the record, padded to 8 bytes: every record starts 8-byte aligned.
   * An exception thrown here reaches `process.on('uncaughtException')`.
   */
  onBatch(batch: ArrayBuffer, records: number): void;
}

export interface RingBufferStats {
  records: number;
  bytes: number;
  batches: number;
  /** How often reading stopped because the queue was full. */
  stalls: number;
  /** Records that are larger than any batch may be and were skipped. */
  oversized: number;
  /** Batches waiting for JavaScript now. */
  queued: number;
}

export class RingBufferReader {
  /** Starts a reading thread on a loaded object's ring buffer map. The reader keeps the process alive until stopped. */
  constructor(object: BpfObject, map: string, options: RingBufferOptions);
  stats(): RingBufferStats;
  /** Reads what is there, delivers it, then ends the thread. Resolves after the last batch was delivered. */
  stop(): Promise<void>;
}

export interface BtfParameter {
  name: string;
  /** The struct that it points to (typedefs and const are looked through), or null. */
  pointsTo: string | null;
  /** C-like text of the type, for example `struct sk_buff *`. */
  type: string;
}

export interface BtfFunction {
  name: string;
  /** Null for the kernel itself. */
  module: string | null;
  parameters: BtfParameter[];
  /** C-like text of the return type; `void` where there is none. */
  returns: string;
  /** True where the function is static (BTF linkage). */
  static: boolean;
}

export class KernelBtf {
  /** From /sys/kernel/btf/vmlinux, or from `path`. Throws BpfError ENOENT where the kernel has none. */
  static load(path?: string): KernelBtf;
  /** Adds the BTF of loaded modules from /sys/kernel/btf; those that cannot be read are left out. Returns their names. */
  loadModules(): string[];
  /**
   * Functions by glob (`*`, `?`), or all; `pointsTo` keeps those with a parameter that points to that struct.
   */
  functions(filter?: { pattern?: string; pointsTo?: string }): BtfFunction[];
  /** One function by exact name, or null. */
  function(name: string): BtfFunction | null;
  /** name -> value of an enum, or null where the kernel has no such enum. 64-bit enums too. */
  enumValues(name: string): Map<string, number> | null;
  /** Byte offset and size of a (possibly anonymous-nested) struct member, or null. */
  member(struct: string, member: string): { offset: number; size: number; type: string } | null;
  /** Byte size of a struct, or null. */
  structSize(name: string): number | null;
  /** All structs' layout in a BPF object's or kernel's BTF: members with bit offsets; for generators. Null where it has no such struct. */
  struct(
    name: string,
  ): { size: number; members: { name: string; bitOffset: number; bitSize: number; type: string }[] } | null;
  /** True where the kernel has a raw tracepoint's type `btf_trace_NAME`. */
  hasTracepoint(name: string): boolean;
  /** Parameters of a raw tracepoint as TP_PROTO lists them (without the leading `void *data`), or null. */
  tracepoint(name: string): BtfParameter[] | null;
  close(): void;
}

export interface ResolvedSymbol {
  name: string;
  /** Bytes from the symbol's start. */
  offset: number;
  /** Null for the kernel itself. */
  module: string | null;
}

export class Kallsyms {
  /** Reads /proc/kallsyms. `hidden` is true where the kernel shows zero addresses only. */
  static load(path?: string): Kallsyms;
  readonly hidden: boolean;
  readonly size: number;
  /** The symbol that holds the address, or null (also for an address far behind the last symbol of its module). */
  resolve(address: bigint): ResolvedSymbol | null;
  /** All addresses of a text symbol (a static name may be there more than once). */
  lookup(name: string): { address: bigint; module: string | null }[];
  /** Text symbols that start with `prefix`, for example `name.constprop.`. */
  withPrefix(prefix: string): string[];
}

/** libbpf's probe: can this kernel and this user load such a program? `kprobe`, `tracing`, `raw_tracepoint`, ... */
export function probeProgramType(type: string): boolean;
/** CPUs that the kernel may ever bring up; per-CPU values have this many parts. */
export function possibleCpus(): number;
/** libbpf's version, for example `1.1.2`. */
export const libbpfVersion: string;
