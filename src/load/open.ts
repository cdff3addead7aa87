import { existsSync, readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BpfError, type BpfMap, BpfObject, type KernelBtf, RingBufferReader } from '#bpf-loader';
import { LITTLE } from '../decode/byte-order.js';
import { NettraceError, UsageError } from '../errors.js';
import { linkFunction } from '../filter/link-function.js';
import { CpuLosses, LateOptions, LossCause, SockOwner, TrackedSkb } from '../generated/layout.js';
import { followsPackets } from '../modes.js';
import { firstLevel } from '../sample.js';
import type { AttachPlan, PlannedProbe } from './attach-plan.js';
import { Attacher } from './attacher.js';
import {
  type AttachOutcome,
  BACKENDS,
  type Backend,
  chooseAutoload,
  hasFunctions,
  type KernelFeatures,
  probeFeatures,
  programsOf,
  usableBackends,
} from './backends.js';
import { type ConfigInput, writeConfig } from './config-data.js';
import { processSockets } from './owners.js';
import { hasSysAdmin, isOlder } from './preflight.js';
import { type ProbeDefinition, tracksOwner } from './probe-definition.js';
import { takeDown } from './take-down.js';

/** What was lost, by cause; `produced` counts the records that were to be sent. */
export interface KernelCounts {
  produced: number;
  ringFull: number;
  trackFull: number;
  framesFull: number;
  /** Left out by --rate-limit: not a loss. */
  rateLimited: number;
  /** Where not all packets are followed: those that are, and how many there were about. Both 0 with `sample: 'off'`. */
  sampled: number;
  sampledOf: number;
}

/** kernel/Kconfig.hz */
const KERNEL_HZ = [100, 250, 300, 1000] as const;
const HZ_MEASURE_MS = 100;
/** A detached program may run for so long on an emulated CPU that had to wait. */
const SETTLE_MS = 5;
/** Entries of the map `tracked`. */
const MAX_TRACKED = 65_536;
/** Entries of the map `netns_set` where it is used. */
const MAX_NAMESPACES = 1024;
/** Signals wait for the batches that are queued, and so does the end: no more of them than is decoded in a few milliseconds. */
const BATCHES = { batchBytes: 64 * 1024, queueBatches: 4 };
/** Sockets whose owners are written down at the start. */
const MAX_INODE_OWNERS = 1_000_000;

export interface OpenInput extends Omit<ConfigInput, 'fixedModuleTypes' | 'multiFollows'> {
  /** Timers of sockets are reported: find out how long a jiffy is. */
  wantTimers: boolean;
  /** BTF to use in place of the kernel's own. */
  btfPath: string | undefined;
  bufferBytes: number;
  backend: Backend | undefined;
}

/** Packets are followed, and nothing is read of them that can be left out. */
export const PLAIN_INPUT: Omit<OpenInput, 'filter' | 'netns' | 'bufferBytes'> = {
  generated: undefined,
  mode: 'life',
  wantMeta: false,
  wantBytes: false,
  wantOwner: false,
  wantHooks: false,
  wantTimers: false,
  latencyFree: false,
  rateLimit: 0,
  sample: { oneOf: 1, adaptive: false },
  minLatency: 0,
  minSrtt: 0,
  minRtt: 0,
  btfPath: undefined,
  backend: undefined,
};

function objectPath(): string {
  const machine = arch() === 'arm64' ? 'arm64' : 'x86_64';
  const path = fileURLToPath(new URL(`../bpf/nettrace.${machine}.bpf.o`, import.meta.url));
  if (!existsSync(path)) {
    throw new NettraceError(`the compiled BPF programs are missing: ${path}`, {
      advice: 'run make build, or install the package again',
    });
  }
  return path;
}

function explainLoadFailure(error: unknown): never {
  if (!(error instanceof BpfError)) throw error;
  const advice =
    error.code === 'EPERM'
      ? 'no security module or seccomp profile may forbid bpf(2); before 5.11 without root also: ulimit -l unlimited'
      : 'please report this with the output of nettrace doctor';
  throw new NettraceError(`the kernel did not take the BPF programs: ${error.message}`, { advice, cause: error });
}

/** What is attached if nothing is refused. */
function neededPrograms(
  definitions: readonly ProbeDefinition[],
  { backend }: OpenInput,
  features: KernelFeatures,
): readonly string[] {
  const [best] = usableBackends(backend ? [backend] : BACKENDS, features);
  const needed: string[] = [];
  if (best && definitions.some((d) => !d.tracepoint)) needed.push(...programsOf(best, features));
  if (definitions.some((d) => d.tracepoint)) needed.push(...programsOf('tracepoint', features));
  return needed;
}

function load(object: BpfObject, programs: readonly string[]): void {
  chooseAutoload(object, programs);
  try {
    object.load();
  } catch (error) {
    explainLoadFailure(error);
  }
}

/**
 * Owners first: they are remembered while the rest is attached. Last what forgets an owner: of two programs at one tracepoint
 * the one that was attached first runs first, and names it.
 */
function attachOrder(probe: PlannedProbe): number {
  if (probe.definition.read === 'disown') return 2;
  return tracksOwner(probe.definition) ? 0 : 1;
}

/** The loaded and attached programs. Close it in any case. */
export class AttachedPrograms {
  readonly outcomes: AttachOutcome[] = [];
  plan: AttachPlan = { probes: [], unavailable: [] };
  /** Jiffies a second. */
  hz = 250;
  readonly #object: BpfObject;
  /** With those that were loaded later. */
  readonly #objects: readonly BpfObject[];
  readonly #attacher: Attacher;
  readonly #losses: BpfMap;
  readonly #tracked: BpfMap;
  readonly #late: BpfMap;
  #firstPackets: BpfMap | undefined;
  #namespaces: BpfMap | undefined;
  #swept = 0n;
  #life = true;
  #checkReuse = false;
  /** Until all is attached: no trace begins before what could continue or end it is there. */
  #silent = true;
  #sampleLevel = 0;
  #oneOf = 1;

  private constructor(object: BpfObject, objects: readonly BpfObject[], attacher: Attacher) {
    this.#object = object;
    this.#objects = objects;
    this.#attacher = attacher;
    this.#losses = object.map('losses');
    this.#tracked = object.map('tracked');
    this.#late = object.map('.data.late');
  }

  /**
   * Opens, loads and attaches. `plan` is called after the load, which takes as long as reading the symbols that a plan needs.
   * Throws NettraceError where the kernel refuses the programs or nothing could be attached.
   */
  static async open(
    btf: KernelBtf,
    definitions: readonly ProbeDefinition[],
    plan: () => Promise<AttachPlan>,
    input: OpenInput,
  ): Promise<AttachedPrograms> {
    const path = objectPath();
    const { generated } = input;
    const source = generated ? linkFunction(readFileSync(path), 'generated_filter', generated.body) : path;
    const objects: BpfObject[] = [];
    const openObject = () => {
      const opened = BpfObject.open(source, {
        name: 'nettrace',
        ...(hasSysAdmin() && !input.btfPath ? {} : { btf: input.btfPath ?? '/sys/kernel/btf/vmlinux' }),
      });
      objects.push(opened);
      return opened;
    };
    try {
      const object = openObject();
      const features = probeFeatures(btf);
      const rodata = object.initialData('.rodata');
      const multiFollows = features.session && followsPackets(input.mode);
      writeConfig(rodata, { ...input, multiFollows, fixedModuleTypes: isOlder(release(), 5, 11) });
      object.setInitialData('.rodata', rodata);
      object.setMaxEntries('events', input.bufferBytes);
      object.setMaxEntries('hits', Math.max(1, definitions.length));
      if (input.mode === 'latency') object.setMaxEntries('first_packets', MAX_TRACKED);
      const owners = input.wantOwner ? inodeOwners() : new Map<bigint, Buffer>();
      if (typeof input.netns !== 'number') object.setMaxEntries('netns_set', MAX_NAMESPACES);
      object.setMaxEntries('inode_owners', Math.max(1, owners.size));
      load(object, [...neededPrograms(definitions, input, features), ...(input.wantTimers ? ['read_jiffies'] : [])]);
      const loadMore = (names: readonly string[]) => {
        const more = openObject();
        more.shareMaps(object);
        load(more, names);
        return more;
      };
      const programs = new AttachedPrograms(object, objects, new Attacher(object, features, multiFollows, loadMore));
      programs.#life = input.mode === 'life';
      programs.#oneOf = input.sample.oneOf;
      programs.#sampleLevel = input.sample.adaptive ? firstLevel(input.bufferBytes) : 0;
      if (input.mode === 'latency') programs.#firstPackets = object.map('first_packets');
      const inodes = object.map('inode_owners');
      for (const [inode, owner] of owners) inodes.update(u64Bytes(inode), owner);
      if (typeof input.netns !== 'number') {
        programs.#namespaces = object.map('netns_set');
        for (const inode of input.netns) programs.addNamespace(inode);
      }
      programs.plan = await plan();
      const ticks = input.wantTimers ? programs.#ticks() : undefined;
      await programs.#attach(programs.plan.probes, input.backend);
      if (ticks) programs.hz = await programs.#measureHz(ticks);
      return programs;
    } catch (error) {
      for (const opened of objects) opened.close();
      throw error;
    }
  }

  /** No function could be attached: frees and clones inside the stack are not seen. */
  get tracepointsOnly(): boolean {
    return !hasFunctions(this.outcomes);
  }

  async #attach(probes: readonly PlannedProbe[], backend: Backend | undefined): Promise<void> {
    this.#writeLate();
    const ordered = [...probes].sort((a, b) => attachOrder(a) - attachOrder(b));
    const functions = ordered.filter((p) => !p.isTracepoint);
    const tracepoints = ordered.filter((p) => p.isTracepoint);
    this.outcomes.push(...(await this.#attacher.attachFunctions(functions, backend ? [backend] : BACKENDS)));
    const attached = new Set(this.outcomes.filter((o) => o.backend).map((o) => o.probe.definition.name));
    this.#checkReuse = !attached.has('__kfree_skb');
    this.outcomes.push(...(await this.#attacher.attachTracepoints(tracepoints, attached)));
    // a backend that was asked for and that took nothing is a failure, though tracepoints would be there
    const forced = backend !== undefined && backend !== 'tracepoint' && functions.length > 0;
    if (!this.outcomes.some((o) => o.backend) || (forced && this.tracepointsOnly))
      throw nothingAttached(this.outcomes, backend);
    this.#silent = false;
    this.#writeLate();
  }

  #writeLate(): void {
    const value = Buffer.alloc(LateOptions.size);
    value.writeBigUInt64LE(this.#swept, LateOptions.swept);
    value.writeUInt32LE(this.#checkReuse ? 1 : 0, LateOptions.checkReuse);
    value.writeUInt32LE(this.tracepointsOnly && this.#life ? 1 : 0, LateOptions.keepCurrent);
    value.writeUInt32LE(this.#silent ? 1 : 0, LateOptions.silent);
    value.writeUInt32LE(this.#sampleLevel, LateOptions.sampleLevel);
    this.#late.update(Buffer.alloc(4), value);
  }

  /** With this many bytes in the ring buffer fewer packets are followed. */
  set sampleLevel(bytes: number) {
    this.#sampleLevel = bytes;
    this.#writeLate();
  }

  read(onBatch: (batch: ArrayBuffer) => void): RingBufferReader {
    return new RingBufferReader(this.#object, 'events', { ...BATCHES, onBatch });
  }

  #ticks(): Ticks {
    return { jiffies: this.#object.testRun('read_jiffies'), time: performance.now() };
  }

  /** CONFIG_HZ is nowhere to be read; it is one of a few. */
  async #measureHz(start: Ticks): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, HZ_MEASURE_MS - (performance.now() - start.time))));
    const { jiffies, time } = this.#ticks();
    const measured = ((jiffies - start.jiffies) >>> 0) / ((time - start.time) / 1000);
    const distance = (hz: number) => Math.abs(Math.log(hz / measured));
    return KERNEL_HZ.reduce((best, hz) => (distance(hz) < distance(best) ? hz : best));
  }

  /** Runs that the kernel left out because one was running on that CPU, of whichever packets; 0 where it does not count them. */
  missedRuns(): number {
    return this.#objects.reduce((sum, object) => sum + object.missedRuns(), 0);
  }

  /** Microseconds that were counted, by their bit length: bucket n has from 2^(n-1) up to 2^n - 1. */
  times(): number[] {
    return perCpuSums(this.#object.map('times'));
  }

  /** Hits by probe id. */
  hits(): number[] {
    return perCpuSums(this.#object.map('hits'));
  }

  counts(): KernelCounts {
    const bytes = this.#losses.memory();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sum = (cause: number) => {
      let total = 0;
      // after each batch, of hundreds of CPUs: no BigInt is made
      for (let at = CpuLosses.count + 8 * cause; at < view.byteLength; at += CpuLosses.size)
        total += view.getUint32(at + 4, LITTLE) * 2 ** 32 + view.getUint32(at, LITTLE);
      return total;
    };
    return {
      produced: sum(LossCause.noneProduced),
      ringFull: sum(LossCause.ringFull),
      trackFull: sum(LossCause.trackFull),
      framesFull: sum(LossCause.framesFull),
      rateLimited: sum(LossCause.rateLimit),
      sampled: sum(LossCause.sampled),
      sampledOf: sum(LossCause.sampledOf) * this.#oneOf,
    };
  }

  /** From now on packets that are first seen in this namespace too. Throws BpfError E2BIG where there are too many. */
  addNamespace(inode: number): void {
    this.#listed().update(u32Bytes(inode), u32Bytes(1));
  }

  /** Packets that are followed already go on. */
  removeNamespace(inode: number): void {
    this.#listed().delete(u32Bytes(inode));
  }

  #listed(): BpfMap {
    if (!this.#namespaces) throw new UsageError('namespaces can be added to a run only whose `netns` is a list');
    return this.#namespaces;
  }

  /**
   * Stops following skbs that were seen first before `time` (nanoseconds of CLOCK_MONOTONIC): where no events come, nobody
   * knows that their free went unseen.
   */
  sweep(time: bigint): void {
    let swept = 0n;
    for (const [key, value] of this.#tracked.entries()) {
      if (value.readBigUInt64LE(TrackedSkb.firstNs) >= time || !this.#tracked.delete(key)) continue;
      swept++;
      if (this.#firstPackets) this.#firstPackets.delete(key);
    }
    if (swept === 0n) return;
    this.#swept += swept;
    this.#writeLate();
  }

  /** Stops following skbs whose trace was closed; those that began another trace meanwhile stay. */
  forget(skbs: readonly bigint[], traceId: bigint): void {
    let swept = 0n;
    for (const skb of skbs) {
      const key = u64Bytes(skb);
      const value = this.#tracked.lookup(key);
      if (!value) continue;
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      if (view.getBigUint64(TrackedSkb.traceId, LITTLE) === traceId && this.#tracked.delete(key)) swept++;
    }
    if (swept === 0n) return;
    this.#swept += swept;
    this.#writeLate();
  }

  /** Ends the producing; what is in the ring buffer can still be read, and the counts are final. */
  async detach(): Promise<void> {
    this.#detachOrSilence();
    // a program that was running on another CPU still finishes: until nothing is produced any more
    for (let before = -1, now = this.counts().produced; now !== before; now = this.counts().produced) {
      before = now;
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    }
  }

  #detachOrSilence(): void {
    if (this.#attacher.slowLinks.length > 0 && !this.#silent) {
      this.#silent = true;
      this.#writeLate();
    }
    this.#attacher.detach();
  }

  /** Ends everything; slow attachments silently later (`take-down.ts`). */
  close(): void {
    const close = () => {
      for (const object of this.#objects) object.close();
    };
    const { slowLinks } = this.#attacher;
    this.#detachOrSilence();
    if (slowLinks.length === 0) close();
    else void takeDown(slowLinks).then(close);
  }
}

/** Which processes hold sockets already, by inode, as struct sock_owner. Later ones are remembered by the kernel side. */
function inodeOwners(): Map<bigint, Buffer> {
  const owners = new Map<bigint, Buffer>();
  for (const { pid, comm, inodes } of processSockets()) {
    const value = Buffer.alloc(SockOwner.size);
    Buffer.from(comm).copy(value, SockOwner.comm, 0, 15);
    value.writeUInt32LE(pid, SockOwner.pid);
    for (const inode of inodes) if (owners.size < MAX_INODE_OWNERS && !owners.has(inode)) owners.set(inode, value);
  }
  return owners;
}

interface Ticks {
  jiffies: number;
  /** Milliseconds. */
  time: number;
}

function u64Bytes(value: bigint): Buffer {
  return Buffer.from(new BigUint64Array([value]).buffer);
}

function u32Bytes(value: number): Buffer {
  return Buffer.from(new Uint32Array([value]).buffer);
}

/** An array map of u64 per CPU: for each entry the sum over the CPUs. */
function perCpuSums(map: BpfMap): number[] {
  const sums: number[] = [];
  const key = Buffer.alloc(4);
  for (let i = 0; i < map.info.maxEntries; i++) {
    key.writeUInt32LE(i);
    const value = map.lookup(key);
    let total = 0n;
    if (value) {
      const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
      for (let at = 0; at + 8 <= view.byteLength; at += 8) total += view.getBigUint64(at, LITTLE);
    }
    sums.push(Number(total));
  }
  return sums;
}

function nothingAttached(outcomes: AttachOutcome[], backend: Backend | undefined): NettraceError {
  const first = outcomes.flatMap((o) => o.failures.map((f) => `${o.probe.target}: ${f.message}`))[0];
  const how = backend ? ` with the backend ${backend}` : '';
  return new NettraceError(`no probe could be attached${how}${first ? `: ${first}` : ''}`, {
    advice: backend
      ? 'leave --backend out, or see nettrace doctor for what this kernel has'
      : 'nettrace doctor says what this kernel has',
  });
}
