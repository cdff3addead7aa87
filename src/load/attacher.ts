import type { AttachResult, BpfObject, Link } from '#bpf-loader';
import { SpecTable } from '../generated/layout.js';
import { type PlannedProbe, probeSpec, specTable } from './attach-plan.js';
import { type AttachOutcome, type Backend, type KernelFeatures, programsOf, usableBackends } from './backends.js';
import { onlyFollows } from './probe-definition.js';
import { watchLink } from './take-down.js';

/** "nettrace" in ASCII: SPEC_MAGIC in bpf/config.h. */
const SPEC_MAGIC = 0x6e65747472616365n;

/** What doctor says of a backend that this kernel does not have. */
const WHY_NOT: Readonly<Record<Exclude<Backend, 'tracepoint'>, string>> = {
  'kprobe-multi': 'this kernel has no kprobe.multi (CONFIG_FPROBE, 5.18), or this user may not load programs for it',
  kprobe: 'this kernel has no kprobes (CONFIG_KPROBE_EVENTS), or this user may not load programs for them',
  fentry: 'this kernel, or this user, cannot load programs for fentry and fexit',
};

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

/** Attaching and detaching are synchronous, and take seconds on some kernels. */
const BREATHE_MS = 50;

/** Lets signals and batches through, now and then: where it is quick, nothing comes between. */
class Breath {
  #last = performance.now();

  async take(): Promise<void> {
    if (performance.now() - this.#last < BREATHE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#last = performance.now();
  }
}

/** Attaches loaded programs, and takes all of that back. */
export class Attacher {
  readonly #object: BpfObject;
  readonly #features: KernelFeatures;
  readonly #loadMore: (programs: readonly string[]) => BpfObject;
  readonly #objects = new Map<Backend, BpfObject>();
  readonly #multiFollows: boolean;
  readonly #links: Link[] = [];
  /** Attached one by one, each of which the kernel takes down in a tenth of a second or so. */
  readonly #slowLinks: Link[] = [];
  readonly #single: Partial<Record<Backend, (probe: PlannedProbe) => Attached>> = {
    fentry: (probe) => this.#fentry(probe),
    'kprobe-multi': (probe) => this.#multi(probe),
    kprobe: (probe) => this.#kprobe(probe),
  };

  /**
   * `loadMore`: loads what `object` left out, for a probe that has to fall to another backend. `multiFollows`: on_multi only
   * follows packets; what sees them first, or no packets, goes to sessions.
   */
  constructor(
    object: BpfObject,
    features: KernelFeatures,
    multiFollows: boolean,
    loadMore: (programs: readonly string[]) => BpfObject,
  ) {
    this.#object = object;
    this.#features = features;
    this.#multiFollows = multiFollows;
    this.#loadMore = loadMore;
  }

  #objectOf(backend: Backend): BpfObject {
    let object = this.#objects.get(backend);
    if (!object) {
      const programs = programsOf(backend, this.#features);
      const loaded = new Set(this.#object.programs.filter((p) => p.autoload).map((p) => p.name));
      object = programs.every((name) => loaded.has(name)) ? this.#object : this.#loadMore(programs);
      this.#objects.set(backend, object);
    }
    return object;
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
      for (const outcome of outcomes) outcome.failures.push({ backend, code: 'EOPNOTSUPP', message: WHY_NOT[backend] });
    }
    if (usable.length === 0) return outcomes;
    const breath = new Breath();
    for (const outcome of outcomes) {
      this.#best(outcome, usable);
      await breath.take();
    }
    return outcomes;
  }

  /** Attaches tracepoints, each only where none of the probes that it stands in for is attached. */
  async attachTracepoints(probes: readonly PlannedProbe[], attached: ReadonlySet<string>): Promise<AttachOutcome[]> {
    const outcomes: AttachOutcome[] = [];
    const breath = new Breath();
    for (const probe of probes) {
      if (probe.definition.insteadOf?.some((name) => attached.has(name))) continue;
      const name = probe.target.split(':')[1] ?? '';
      const spec = probeSpec(probe, false);
      const how = this.#features.tracepointCookie ? { cookie: spec } : immediates(spec);
      const [program = ''] = programsOf('tracepoint', this.#features);
      const result = this.#objectOf('tracepoint').attachRawTracepoint(program, name, how);
      if (result.ok) this.#links.push(result.link);
      outcomes.push({
        probe,
        backend: result.ok ? 'tracepoint' : undefined,
        hasReturn: false,
        failures: result.ok ? [] : [{ backend: 'tracepoint', code: result.code, message: result.message }],
      });
      await breath.take();
    }
    return outcomes;
  }

  /** After this nothing produces records any more, but for what is left in `slowLinks`. */
  detach(): void {
    for (const link of this.#links.splice(0)) link.detach();
  }

  get slowLinks(): readonly Link[] {
    return this.#slowLinks;
  }

  #keep(result: AttachResult): AttachResult {
    if (!result.ok) return result;
    this.#slowLinks.push(result.link);
    watchLink(result.link);
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
    const object = this.#objectOf('fentry');
    const options = { func: btf.name, ...(btf.module ? { module: btf.module } : {}) };
    return this.#pair(
      probe,
      (spec) => object.attachTracing('on_tracing_return', { ...options, kind: 'fexit', ...immediates(spec) }),
      (spec) => object.attachTracing('on_tracing', { ...options, kind: 'fentry', ...immediates(spec) }),
    );
  }

  #kprobe(probe: PlannedProbe): Attached {
    const object = this.#objectOf('kprobe');
    const { target, addresses } = probe;
    // of several functions of one name the kernel judges
    const where = addresses.length === 1 && addresses[0] ? { address: addresses[0] } : {};
    if (this.#features.cookie) {
      return this.#pair(
        probe,
        (cookie) => object.attachKprobe('on_cookie_return', target, { ...where, retprobe: true, cookie }),
        (cookie) => object.attachKprobe('on_cookie', target, { ...where, cookie }),
      );
    }
    // the kernel side finds the spec by the address; returns, which have none, get a copy of the program
    if (addresses.every((address) => address === 0n)) {
      return failed('EPERM', 1, 'kernel addresses are hidden: without them and without cookies probes look alike');
    }
    const specs = object.map('specs');
    return this.#pair(
      probe,
      (spec) => object.attachKprobe('on_kretprobe', target, { ...where, retprobe: true, ...immediates(spec) }),
      (spec) => {
        for (const address of addresses) specs.update(u64Bytes(address), u64Bytes(spec));
        return object.attachKprobe('on_kprobe', target, where);
      },
    );
  }

  #multi(probe: PlannedProbe): Attached {
    const object = this.#object;
    const symbols = [probe.target];
    if (this.#features.session) {
      const result = this.#keep(this.#session([probe]));
      return { result, hasReturn: result.ok && probe.wantReturn };
    }
    return this.#pair(
      probe,
      (spec) => object.attachKprobeMulti('on_multi_return', { symbols, cookies: [spec], retprobe: true }),
      (spec) => object.attachKprobeMulti('on_multi', { symbols, cookies: [spec] }),
    );
  }

  #session(probes: readonly PlannedProbe[]): AttachResult {
    const symbols = probes.map((p) => p.target);
    return this.#object.attachKprobeMulti('on_session', {
      symbols,
      cookies: probes.map((p) => probeSpec(p, p.wantReturn)),
      session: true,
    });
  }

  #visits(probes: readonly PlannedProbe[]): AttachResult {
    const symbols = probes.map((p) => p.target);
    return this.#object.attachKprobeMulti('on_multi', {
      symbols,
      cookies: probes.map((p) => probeSpec(p, p.wantReturn)),
    });
  }

  #returns(probes: readonly PlannedProbe[]): AttachResult {
    const symbols = probes.map((p) => p.target);
    return this.#object.attachKprobeMulti('on_multi_return', {
      symbols,
      cookies: probes.map((p) => probeSpec(p, false)),
      retprobe: true,
    });
  }

  #writeSpecs(table: Buffer): void {
    this.#object.map('.data.specs').update(Buffer.alloc(4), table);
  }

  /** Where addresses are hidden, or no table fits, the kernel side asks for cookies. */
  #placeSpecs(probes: readonly PlannedProbe[]): void {
    const specs = new Map<bigint, bigint>();
    for (const probe of probes) {
      const spec = probeSpec(probe, probe.wantReturn);
      for (const address of probe.addresses) {
        if (specs.has(address)) return;
        specs.set(address, spec);
      }
    }
    const table = specTable(specs);
    if (table) this.#writeSpecs(table);
  }

  /**
   * All in a few calls. Where there are sessions no function is in two of them: the kernel then jumps to it at once, and
   * does not look through a list of who wants to know. False where the kernel refused one of them.
   */
  #allMulti(outcomes: AttachOutcome[]): boolean {
    const probes = outcomes.map((o) => o.probe);
    this.#placeSpecs(probes);
    const inSession = (p: PlannedProbe) => p.wantReturn || (this.#multiFollows && !onlyFollows(p.definition));
    const steps: [(probes: readonly PlannedProbe[]) => AttachResult, PlannedProbe[]][] = this.#features.session
      ? [
          // first what ends traces, then what begins them
          [(some) => this.#visits(some), probes.filter((p) => !inSession(p))],
          [(some) => this.#session(some), probes.filter(inSession)],
        ]
      : [
          [(some) => this.#returns(some), probes.filter((p) => p.wantReturn)],
          [(some) => this.#visits(some), probes],
        ];
    const links: Link[] = [];
    for (const [attach, some] of steps) {
      if (some.length === 0) continue;
      const result = attach(some);
      if (!result.ok) {
        for (const link of links) link.detach();
        // one by one a return may be missing, which only the cookie knows
        this.#writeSpecs(Buffer.alloc(SpecTable.size));
        return false;
      }
      links.push(result.link);
    }
    this.#links.push(...links);
    for (const outcome of outcomes) {
      outcome.backend = 'kprobe-multi';
      outcome.hasReturn = outcome.probe.wantReturn;
    }
    return true;
  }
}
