import type { AttachResult, BpfObject, Link } from '#bpf-loader';
import { type PlannedProbe, probeSpec } from './attach-plan.js';
import { type AttachOutcome, type Backend, type KernelFeatures, usableBackends } from './backends.js';

/** "nettrace" in ASCII: SPEC_MAGIC in bpf/config.h. */
const SPEC_MAGIC = 0x6e65747472616365n;

type Attached = { result: AttachResult; hasReturn: boolean };

function failed(code: string, errno: number, message: string): Attached {
  return { result: { ok: false, errno, code, message }, hasReturn: false };
}

function immediates(spec: bigint) {
  return { immediates: [{ magic: SPEC_MAGIC, value: spec }] };
}

function u64Bytes(value: bigint): Buffer {
  return Buffer.from(new BigUint64Array([value]).buffer);
}

/** Lets signals through: attaching and detaching are synchronous and take seconds on some kernels. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Attaches the programs of a loaded object, and takes all of that back. */
export class Attacher {
  readonly #object: BpfObject;
  readonly #features: KernelFeatures;
  readonly #links: Link[] = [];
  readonly #single: Partial<Record<Backend, (probe: PlannedProbe) => Attached>> = {
    fentry: (probe) => this.#fentry(probe),
    'kprobe-multi': (probe) => this.#multi(probe),
    kprobe: (probe) => this.#kprobe(probe),
  };

  constructor(object: BpfObject, features: KernelFeatures) {
    this.#object = object;
    this.#features = features;
  }

  /** Attaches functions with the backends given, best first, each probe falling to the next on its own. */
  async attachFunctions(probes: readonly PlannedProbe[], backends: readonly Backend[]): Promise<AttachOutcome[]> {
    const outcomes = probes.map(
      (probe): AttachOutcome => ({ probe, backend: undefined, hasReturn: false, failures: [] }),
    );
    const usable = usableBackends(backends, this.#features);
    if (usable[0] === 'kprobe-multi' && outcomes.length > 0 && this.#allMulti(outcomes)) return outcomes;
    for (const backend of backends) {
      if (backend === 'tracepoint' || usable.includes(backend)) continue;
      const message = 'this kernel, or this user, cannot load programs of this kind';
      for (const outcome of outcomes) outcome.failures.push({ backend, code: 'EOPNOTSUPP', message });
    }
    for (const outcome of outcomes) {
      this.#best(outcome, usable);
      await breathe();
    }
    return outcomes;
  }

  /** Attaches tracepoints, each only where none of the probes that it stands in for is attached. */
  async attachTracepoints(probes: readonly PlannedProbe[], attached: ReadonlySet<string>): Promise<AttachOutcome[]> {
    const outcomes: AttachOutcome[] = [];
    for (const probe of probes) {
      if (probe.definition.insteadOf?.some((name) => attached.has(name))) continue;
      const name = probe.target.split(':')[1] ?? '';
      const spec = immediates(probeSpec(probe, false));
      const result = this.#keep(this.#object.attachRawTracepoint('on_tracing', name, spec));
      outcomes.push({
        probe,
        backend: result.ok ? 'tracepoint' : undefined,
        hasReturn: false,
        failures: result.ok ? [] : [{ backend: 'tracepoint', code: result.code, message: result.message }],
      });
      await breathe();
    }
    return outcomes;
  }

  /** After this nothing produces records any more. */
  async detach(): Promise<void> {
    for (const link of this.#links.splice(0)) {
      link.detach();
      await breathe();
    }
  }

  #keep(result: AttachResult): AttachResult {
    if (result.ok) this.#links.push(result.link);
    return result;
  }

  #best(outcome: AttachOutcome, backends: readonly Backend[]): void {
    for (const backend of backends) {
      const attached = this.#single[backend]?.(outcome.probe);
      if (!attached) continue;
      if (attached.result.ok) {
        outcome.backend = backend;
        outcome.hasReturn = attached.hasReturn;
        return;
      }
      const { code, message } = attached.result;
      outcome.failures.push({ backend, code, message });
    }
  }

  /** Attaches the return first: a visit announces its return only where one will come. */
  #pair(
    probe: PlannedProbe,
    attachReturn: (spec: bigint) => AttachResult,
    attachVisit: (spec: bigint) => AttachResult,
  ): Attached {
    const back = probe.wantReturn ? attachReturn(probeSpec(probe, false)) : undefined;
    const hasReturn = back?.ok === true;
    const result = attachVisit(probeSpec(probe, hasReturn));
    if (back?.ok) {
      if (result.ok) this.#keep(back);
      else back.link.detach();
    }
    return { result: this.#keep(result), hasReturn: hasReturn && result.ok };
  }

  #fentry(probe: PlannedProbe): Attached {
    const { btf } = probe;
    if (!btf) return failed('ENOENT', 2, `${probe.target} is not in the kernel's BTF`);
    const object = this.#object;
    const options = { func: btf.name, ...(btf.module ? { module: btf.module } : {}) };
    return this.#pair(
      probe,
      (spec) => object.attachTracing('on_tracing_return', { ...options, kind: 'fexit', ...immediates(spec) }),
      (spec) => object.attachTracing('on_tracing', { ...options, kind: 'fentry', ...immediates(spec) }),
    );
  }

  #kprobe(probe: PlannedProbe): Attached {
    const object = this.#object;
    const { target } = probe;
    if (this.#features.cookie) {
      return this.#pair(
        probe,
        (cookie) => object.attachKprobe('on_cookie_return', target, { retprobe: true, cookie }),
        (cookie) => object.attachKprobe('on_cookie', target, { cookie }),
      );
    }
    // the kernel side finds the spec by the address; returns, which have none, get a copy of the program
    if (probe.addresses.every((address) => address === 0n)) {
      return failed('EPERM', 1, 'kernel addresses are hidden: without them and without cookies probes look alike');
    }
    const specs = object.map('specs');
    return this.#pair(
      probe,
      (spec) => object.attachKprobe('on_kretprobe', target, { retprobe: true, ...immediates(spec) }),
      (spec) => {
        for (const address of probe.addresses) specs.update(u64Bytes(address), u64Bytes(spec));
        return object.attachKprobe('on_kprobe', target);
      },
    );
  }

  #multi(probe: PlannedProbe): Attached {
    const object = this.#object;
    const symbols = [probe.target];
    return this.#pair(
      probe,
      (spec) => object.attachKprobeMulti('on_multi_return', { symbols, cookies: [spec], retprobe: true }),
      (spec) => object.attachKprobeMulti('on_multi', { symbols, cookies: [spec] }),
    );
  }

  /** All at once: one call for the returns, one for the visits. False where the kernel refused the lot. */
  #allMulti(outcomes: AttachOutcome[]): boolean {
    const returning = outcomes.filter((o) => o.probe.wantReturn).map((o) => o.probe);
    let back: AttachResult | undefined;
    if (returning.length > 0) {
      back = this.#object.attachKprobeMulti('on_multi_return', {
        symbols: returning.map((p) => p.target),
        cookies: returning.map((p) => probeSpec(p, false)),
        retprobe: true,
      });
      if (!back.ok) return false;
    }
    const visits = this.#object.attachKprobeMulti('on_multi', {
      symbols: outcomes.map((o) => o.probe.target),
      cookies: outcomes.map((o) => probeSpec(o.probe, o.probe.wantReturn)),
    });
    if (!visits.ok) {
      if (back?.ok) back.link.detach();
      return false;
    }
    if (back) this.#keep(back);
    this.#keep(visits);
    for (const outcome of outcomes) {
      outcome.backend = 'kprobe-multi';
      outcome.hasReturn = outcome.probe.wantReturn;
    }
    return true;
  }
}
