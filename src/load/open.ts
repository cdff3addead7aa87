import { existsSync } from 'node:fs';
import { arch, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BpfError, type BpfMap, BpfObject, RingBufferReader } from '#bpf-loader';
import { LITTLE } from '../decode/byte-order.js';
import { NettraceError } from '../errors.js';
import { LateOptions, LossCause, TrackedSkb } from '../generated/layout.js';
import type { PlannedProbe } from './attach-plan.js';
import { Attacher } from './attacher.js';
import { type AttachOutcome, BACKENDS, type Backend, chooseAutoload, probeFeatures } from './backends.js';
import { type ConfigInput, writeConfig } from './config-data.js';
import type { Kernel } from './kernel.js';
import { hasSysAdmin, isOlder } from './preflight.js';

/** What was lost, by cause; `produced` counts the records that were to be sent. */
export interface KernelCounts {
  produced: number;
  ringFull: number;
  trackFull: number;
  framesFull: number;
}

export interface OpenInput extends Omit<ConfigInput, 'fixedModuleTypes'> {
  bufferBytes: number;
  backend: Backend | undefined;
}

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

/** Identity first, entries last: no trace begins before all that could end or continue it is there. */
function attachOrder(probe: PlannedProbe): number {
  if (probe.definition.entry) return probe.definition.read === 'drop' ? 2 : 3;
  return ['free', 'derive'].includes(probe.definition.read) ? 0 : 1;
}

/** The loaded and attached programs. Close it in any case. */
export class AttachedPrograms {
  readonly outcomes: AttachOutcome[] = [];
  readonly #object: BpfObject;
  readonly #attacher: Attacher;
  readonly #losses: BpfMap;
  readonly #tracked: BpfMap;
  readonly #late: BpfMap;
  #swept = 0n;
  #checkReuse = false;

  private constructor(object: BpfObject, attacher: Attacher) {
    this.#object = object;
    this.#attacher = attacher;
    this.#losses = object.map('losses');
    this.#tracked = object.map('tracked');
    this.#late = object.map('.data.late');
  }

  /** Opens, loads and attaches. Throws NettraceError where the kernel refuses the programs or nothing could be attached. */
  static async open(kernel: Kernel, probes: readonly PlannedProbe[], input: OpenInput): Promise<AttachedPrograms> {
    const object = BpfObject.open(objectPath(), {
      name: 'nettrace',
      ...(hasSysAdmin() ? {} : { btf: '/sys/kernel/btf/vmlinux' }),
    });
    try {
      const features = probeFeatures(kernel.btf.enumValues('bpf_attach_type'), kernel.btf.enumValues('bpf_func_id'));
      const rodata = object.initialData('.rodata');
      writeConfig(rodata, { ...input, fixedModuleTypes: isOlder(release(), 5, 11) });
      object.setInitialData('.rodata', rodata);
      object.setMaxEntries('events', input.bufferBytes);
      chooseAutoload(object, features);
      try {
        object.load();
      } catch (error) {
        explainLoadFailure(error);
      }
      const programs = new AttachedPrograms(object, new Attacher(object, features));
      await programs.#attach(probes, input.backend);
      return programs;
    } catch (error) {
      object.close();
      throw error;
    }
  }

  /** No function could be attached: frees and clones inside the stack are not seen. */
  get tracepointsOnly(): boolean {
    return !this.outcomes.some((o) => o.backend && o.backend !== 'tracepoint');
  }

  async #attach(probes: readonly PlannedProbe[], backend: Backend | undefined): Promise<void> {
    const ordered = [...probes].sort((a, b) => attachOrder(a) - attachOrder(b));
    const functions = ordered.filter((p) => !p.isTracepoint);
    const tracepoints = ordered.filter((p) => p.isTracepoint);
    this.outcomes.push(...(await this.#attacher.attachFunctions(functions, backend ? [backend] : BACKENDS)));
    const attached = new Set(this.outcomes.filter((o) => o.backend).map((o) => o.probe.definition.name));
    this.#checkReuse = !attached.has('__kfree_skb');
    this.#writeLate();
    this.outcomes.push(...(await this.#attacher.attachTracepoints(tracepoints, attached)));
    // a backend that was asked for and that took nothing is a failure, though tracepoints would be there
    const forced = backend !== undefined && backend !== 'tracepoint' && functions.length > 0;
    if (!this.outcomes.some((o) => o.backend) || (forced && this.tracepointsOnly))
      throw nothingAttached(this.outcomes, backend);
  }

  #writeLate(): void {
    const value = Buffer.alloc(LateOptions.size);
    value.writeBigUInt64LE(this.#swept, LateOptions.swept);
    value.writeUInt32LE(this.#checkReuse ? 1 : 0, LateOptions.checkReuse);
    value.writeUInt32LE(this.tracepointsOnly ? 1 : 0, LateOptions.keepCurrent);
    this.#late.update(Buffer.alloc(4), value);
  }

  read(onBatch: (batch: ArrayBuffer) => void): RingBufferReader {
    return new RingBufferReader(this.#object, 'events', { onBatch });
  }

  counts(): KernelCounts {
    const sum = (cause: number) => {
      const key = Buffer.alloc(4);
      key.writeUInt32LE(cause);
      const value = this.#losses.lookup(key);
      let total = 0n;
      const view = new DataView(value?.buffer ?? new ArrayBuffer(0), value?.byteOffset, value?.byteLength);
      for (let at = 0; at + 8 <= view.byteLength; at += 8) total += view.getBigUint64(at, LITTLE);
      return Number(total);
    };
    return {
      produced: sum(LossCause.noneProduced),
      ringFull: sum(LossCause.ringFull),
      trackFull: sum(LossCause.trackFull),
      framesFull: sum(LossCause.framesFull),
    };
  }

  /** Stops following skbs whose trace was closed; those that began another trace meanwhile stay. */
  forget(skbs: readonly bigint[], traceId: bigint): void {
    let swept = 0n;
    for (const skb of skbs) {
      const key = Buffer.from(new BigUint64Array([skb]).buffer);
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
    await this.#attacher.detach();
  }

  close(): void {
    this.#object.close();
  }
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
