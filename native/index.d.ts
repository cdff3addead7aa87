/**
 * bpf-loader-node: libbpf for Node. Opens CO-RE BPF objects, loads and attaches their programs, reads and
 * writes their maps, streams ring buffers, and answers questions about the running kernel (BTF, kallsyms).
 *
 * All calls that give no promise are synchronous. Numbers named `...Ms` are milliseconds,
 * `...Bytes` bytes; addresses and cookies are 64-bit values as `bigint`; keys, values and records are raw
 * bytes in the machine's own byte order.
 */

/** Every failure of the kernel or of libbpf. Wrong arguments are a `TypeError` instead. */
export class BpfError extends Error {
  /** errno's name, for example `EPERM`; of libbpf's own errors `LIBBPF_ERRNO__FORMAT` and the like. */
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
  /** On another thread: the kernel takes some attachments down in a tenth of a second or so. */
  detachLater(): Promise<void>;
  readonly attached: boolean;
  /** The descriptor whose last close, in whichever process, takes the attachment down; -1 after `detach()`. */
  readonly fd: number;
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
  /**
   * Of the function, where it is known: then its name is for messages only. Kernels before 6.2 look at all symbols, several
   * times, to find a name.
   */
  address?: bigint;
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
  /**
   * Each load of the 64-bit number `magic` into r0 becomes a call of a function that the kernel offers to programs (kfunc),
   * which takes no arguments. Unlike libbpf's `__ksym` this leaves kernels alone that lack the function, with any
   * privileges. The asm that loads the number must list r0 to r5 as clobbered. EOPNOTSUPP where the kernel's BTF has no such
   * function, ENOENT where the program does not load the number. Before load.
   */
  setKfuncCall(program: string, magic: bigint, func: string): void;
  /**
   * Uses the maps of another object, which is loaded, in the place of this one's own of the same names: their contents are
   * one. So programs can be loaded later that the other object left out. Before load.
   */
  shareMaps(from: BpfObject): void;
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
  /** `cookie`: 6.10+ */
  attachRawTracepoint(program: string, name: string, options?: CloneOptions & { cookie?: bigint }): AttachResult;
  /** A copy of the program as BTF-typed raw tracepoint (tp_btf); the template rule of `attachTracing` holds. */
  attachBtfTracepoint(program: string, name: string, options?: CloneOptions): AttachResult;

  /** The map by name; throws BpfError ENOENT. After load. */
  map(name: string): BpfMap;
  /** Runs a loaded program once with BPF_PROG_TEST_RUN; `context` is its input context. Returns the program's return value. */
  testRun(program: string, context?: Uint8Array): number;
  /** Kernel's ids of all programs of this object, clones included (for bpftool). */
  programIds(): number[];
  /**
   * Runs that the kernel left out, of the same programs: one was running on that CPU already, as where an interrupt comes while
   * one runs. What the kernel counts of it (bpf_prog_info.recursion_misses): fentry and fexit from 5.12 on, raw tracepoints
   * from 6.1, kprobes from 6.7; else 0. Copies are counted while they are attached.
   */
  missedRuns(): number;
  /**
   * A loaded program's descriptor, for the kernel's interfaces that take one (netlink's TCA_BPF_FD). It is this object's: not to be
   * closed elsewhere, and no longer valid after `close()`.
   */
  programFd(program: string): number;
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
  /**
   * A copy of all values of an array map that was made with BPF_F_MMAPABLE (kernel 5.5), one after the other, each padded to 8
   * bytes. They are read from memory that is shared with the kernel, with no system call: while one reads a map, the
   * kernel skips kprobe programs that an interrupt on that CPU would run (bpf_disable_instrumentation()). Throws BpfError
   * (EINVAL, ENOTSUP, ENODEV) for other maps.
   */
  memory(): Buffer;
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
  /**
   * Starts a reading thread on a loaded object's ring buffer map. The reader keeps the process alive until stopped. A map has
   * one reader in a process, by whichever object: BpfError EBUSY until that one's `stop()` has resolved or its object is closed.
   */
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

/** A struct's member and what its type is, with typedefs and qualifiers looked through. */
export interface BtfField {
  /** From the struct's start; anonymous structs and unions are looked into. */
  bitOffset: number;
  /** Of the value; of a bit field its own bits. */
  bitSize: number;
  /** C-like text of the type. */
  type: string;
  /** `integer` also for enums and booleans, `composite` for structs and unions. */
  kind: 'integer' | 'pointer' | 'composite' | 'array' | 'other';
  /** Of an integer; of an enum only where the BTF tells (LLVM 15). */
  signed: boolean;
  /** What a pointer leads to, or an array holds: `character`, `composite` or `other`. */
  element: 'character' | 'composite' | 'other' | null;
  /** Number of elements of an array. */
  count: number;
  /** The type id of the composite that this is or leads to, for another call; null where there is none. */
  composite: number | null;
}

export class KernelBtf {
  /** From /sys/kernel/btf/vmlinux, or from `path`. Throws BpfError ENOENT where the kernel has none. */
  static load(path?: string): KernelBtf;
  /** As `load()` and `loadModules()`, on another thread. */
  static read(path?: string): Promise<KernelBtf>;
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
  /** A member of one of the kernel's own structs, given by name or by type id (modules are left out); null where it has no such. */
  field(struct: string | number, member: string): BtfField | null;
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
  /** As `load()`, on another thread. */
  static read(path?: string): Promise<Kallsyms>;
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
/**
 * Can this kernel and this user attach in this way at all? `tracing`: fentry and fexit; `kprobe-multi`: kernels may know it
 * and be built without (CONFIG_FPROBE). Nothing is attached to find out.
 */
export function probeAttach(way: 'tracing' | 'kprobe-multi'): boolean;
/** CPUs that the kernel may ever bring up; per-CPU values have this many parts. */
export function possibleCpus(): number;
export interface ReadInNetnsOptions {
  /** The inode that the namespace must have: BpfError ESTALE where the path names another one by now. */
  inode?: number;
  /** At most so many bytes of the file's beginning (default 64 KiB, at most 16 MiB). */
  maxBytes?: number;
}

/**
 * A file as a task of another network namespace sees it: /proc/sys/net is that of the reading task, and so is
 * /proc/thread-self/net (/proc/self/net is the main thread's). `netns` is the namespace's file: /proc/PID/ns/net, or
 * one below /run/netns. Both paths are absolute. A thread of its own enters the namespace, so that no other is moved;
 * the call waits for it. Entering takes CAP_SYS_ADMIN (BpfError EPERM); ENOENT, EINVAL (no namespace) and the like are
 * BpfError, too.
 */
export function readInNetns(netns: string, file: string, options?: ReadInNetnsOptions): Buffer;

/**
 * Writes a file as a task of another network namespace sees it, such as a setting below /proc/sys/net: all of `text` in one
 * call, into a file that is there. As `readInNetns` otherwise; EINVAL also where the kernel took a part only.
 */
export function writeInNetns(netns: string, file: string, text: string): void;

export interface NetnsOptions {
  /** The namespace's file, an absolute path: /proc/PID/ns/net, or one below /run/netns. Without it: the process's own. */
  netns?: string;
  /** The inode that the namespace must have: BpfError ESTALE where the path names another one by now. */
  inode?: number;
}

export interface ReceivedMessage {
  /** Empty also at the end of a stream. */
  data: Buffer;
  /** Of `data`; with MSG_TRUNC asked for, the bytes that the datagram really has. */
  length: number;
  /** The sender's struct sockaddr; empty on connected streams. */
  from: Buffer;
  /** MSG_... of struct msghdr, for example MSG_TRUNC. */
  flags: number;
  /** Control messages, as far as `controlBytes` had room. Descriptors (SCM_RIGHTS) are closed and left out. */
  control: { level: number; type: number; data: Buffer }[];
}

/**
 * A socket of any family, nonblocking and close-on-exec. Numbers are the kernel's own (AF_, SOCK_, SOL_, MSG_, ...), addresses
 * are the bytes of a struct sockaddr. What the kernel refuses is a BpfError; where a call would have to wait, it returns
 * `undefined`, and `wait()` tells when to try again. Without `close()` the garbage collector closes it some time.
 */
export class NetnsSocket {
  /**
   * socket(2) inside of a network namespace, whose the socket stays. A thread of its own enters the namespace, so that no
   * other is moved; the call waits for it. BpfError as for `readInNetns`, and what socket(2) says.
   */
  static open(domain: number, type: number, protocol: number, options?: NetnsOptions): NetnsSocket;

  bind(address: Uint8Array): void;
  /** False where the connection is under way: writable when that has ended, and SO_ERROR tells how. */
  connect(address: Uint8Array): boolean;
  listen(backlog: number): void;
  /** Undefined where no connection waits. Its address is `getPeerName()`. */
  accept(): NetnsSocket | undefined;
  /** The number of bytes that were taken; undefined where there is no room now. Never raises SIGPIPE. */
  send(data: Uint8Array, flags?: number): number | undefined;
  sendTo(data: Uint8Array, address: Uint8Array, flags?: number): number | undefined;
  /** `maxBytes` up to 16 MiB, `controlBytes` (0 where not given) up to 64 KiB. Undefined where nothing is there. */
  receive(maxBytes: number, flags?: number, controlBytes?: number): ReceivedMessage | undefined;
  shutdown(how: 'read' | 'write' | 'both'): void;
  /**
   * A number is passed as an int. What bytes with pointers in them (SO_ATTACH_FILTER) make the kernel read or write is the
   * caller's affair.
   */
  setOption(level: number, option: number, value: Uint8Array | number): void;
  /** As many bytes as the kernel gives, `maxBytes` (up to 64 KiB) at most. */
  getOption(level: number, option: number, maxBytes: number): Buffer;
  /** The socket's own address. */
  getName(): Buffer;
  getPeerName(): Buffer;
  /**
   * True when the socket is ready (errors and hang-ups count: the next call tells them), false after `timeoutMs` (for ever where
   * not given, 0: only asked) or when it is closed meanwhile. Any number at a time; a wait keeps the process alive.
   */
  wait(what: 'read' | 'write', timeoutMs?: number): Promise<boolean>;
  /** Safe to call twice. With SO_LINGER set to a time it blocks so long. */
  close(): void;
  /** -1 once closed. Its owner is this object: do not close it elsewhere. */
  readonly fd: number;
}

export interface InterfaceDescription {
  index: number;
  /** ARPHRD_...: 1 for Ethernet, 772 for loopback. */
  type: number;
  /** IFF_..., the lower 16 bits. */
  flags: number;
  /** Bytes. */
  mtu: number;
  /** The hardware address: six bytes of Ethernet and loopback, else none. */
  address: Buffer;
}

/** What a namespace's interface of that name is; BpfError ENODEV where there is none. */
export function describeInterface(name: string, options?: NetnsOptions): InterfaceDescription;

/** One instruction of classic BPF, as struct sock_filter has it. */
export interface ClassicInstruction {
  code: number;
  /** Instructions to skip behind this one where the condition holds, and where it does not. */
  jt: number;
  jf: number;
  /** 32 bits, unsigned. */
  k: number;
}

/**
 * Compiles a pcap filter expression with libpcap, which is loaded at the first call; throws BpfError ENOENT where it is
 * missing. `linkType` is a DLT_ number, `snapLength` the bytes of a packet that a match returns. An
 * expression that libpcap refuses is a value, with its words; looking up a name may take as long as the resolver does.
 */
export function compilePcapFilter(
  expression: string,
  linkType: number,
  snapLength: number,
): { ok: true; program: ClassicInstruction[] } | { ok: false; message: string };

/** libbpf's version, for example `1.1.2`. */
export const libbpfVersion: string;
