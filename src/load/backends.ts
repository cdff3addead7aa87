import { type AttachResult, type BpfObject, probeProgramType } from '#bpf-loader';
import { type PlannedProbe, probeSpec } from './attach-plan.js';

/** Ways to attach, best first. */
export const BACKENDS = ['kprobe-multi', 'kprobe', 'fentry', 'tracepoint'] as const;
export type Backend = (typeof BACKENDS)[number];

/** "nettrace" in ASCII: SPEC_MAGIC in bpf/config.h. */
const SPEC_MAGIC = 0x6e65747472616365n;

/** How one probe was attached, and what was tried before. */
export interface AttachOutcome {
  probe: PlannedProbe;
  /** Undefined where no backend took it. */
  backend: Backend | undefined;
  /** Is the return attached too? */
  hasReturn: boolean;
  failures: { backend: Backend; code: string; message: string }[];
}

/** What the kernel side's programs need of the kernel, found out before they are loaded. */
export interface KernelFeatures {
  kprobe: boolean;
  tracing: boolean;
  /** kprobe.multi (CONFIG_FPROBE, 5.18) */
  multi: boolean;
  /** bpf_get_attach_cookie for kprobes (5.15) */
  cookie: boolean;
}

export function probeFeatures(
  attachTypes: ReadonlyMap<string, number> | null,
  helpers: ReadonlyMap<string, number> | null,
): KernelFeatures {
  const kprobe = probeProgramType('kprobe');
  return {
    kprobe,
    tracing: probeProgramType('tracing'),
    multi: kprobe && attachTypes?.has('BPF_TRACE_KPROBE_MULTI') === true,
    cookie: kprobe && helpers?.has('BPF_FUNC_get_attach_cookie') === true,
  };
}

/** Programs of the object that this kernel can load; `on_tracing` is always there. */
export function chooseAutoload(object: BpfObject, features: KernelFeatures): void {
  const load: Record<string, boolean> = {
    on_tracing: true,
    on_tracing_return: features.tracing,
    on_kprobe: features.kprobe && !features.cookie,
    on_kretprobe: features.kprobe && !features.cookie,
    on_cookie: features.cookie,
    on_cookie_return: features.cookie,
    on_multi: features.multi,
    on_multi_return: features.multi,
  };
  for (const [name, wanted] of Object.entries(load)) object.setAutoload(name, wanted);
  if (features.multi) {
    object.setExpectedAttachType('on_multi', 'BPF_TRACE_KPROBE_MULTI');
    object.setExpectedAttachType('on_multi_return', 'BPF_TRACE_KPROBE_MULTI');
  }
}

function immediates(spec: bigint) {
  return { immediates: [{ magic: SPEC_MAGIC, value: spec }] };
}

type Attacher = (
  object: BpfObject,
  probe: PlannedProbe,
  features: KernelFeatures,
) => { result: AttachResult; hasReturn: boolean };

/** Attaches the return first: a visit announces its return only where one will come. */
function attachPair(
  probe: PlannedProbe,
  attachReturn: (spec: bigint) => AttachResult,
  attachVisit: (spec: bigint) => AttachResult,
): { result: AttachResult; hasReturn: boolean } {
  const back = probe.wantReturn ? attachReturn(probeSpec(probe, false)) : undefined;
  const hasReturn = back?.ok === true;
  const result = attachVisit(probeSpec(probe, hasReturn));
  if (!result.ok && back?.ok) back.link.detach();
  return { result, hasReturn: hasReturn && result.ok };
}

function attachFentry(object: BpfObject, probe: PlannedProbe): { result: AttachResult; hasReturn: boolean } {
  const { btf } = probe;
  if (!btf) {
    const message = `${probe.target} is not in the kernel's BTF`;
    return { result: { ok: false, errno: 2, code: 'ENOENT', message }, hasReturn: false };
  }
  const options = { func: btf.name, ...(btf.module ? { module: btf.module } : {}) };
  return attachPair(
    probe,
    (spec) => object.attachTracing('on_tracing_return', { ...options, kind: 'fexit', ...immediates(spec) }),
    (spec) => object.attachTracing('on_tracing', { ...options, kind: 'fentry', ...immediates(spec) }),
  );
}

/** Without cookies the kernel side finds the spec by the address; returns, which have none, get a copy of the program. */
function attachKprobe(
  object: BpfObject,
  probe: PlannedProbe,
  features: KernelFeatures,
): { result: AttachResult; hasReturn: boolean } {
  const { target } = probe;
  if (features.cookie) {
    return attachPair(
      probe,
      (cookie) => object.attachKprobe('on_cookie_return', target, { retprobe: true, cookie }),
      (cookie) => object.attachKprobe('on_cookie', target, { cookie }),
    );
  }
  const specs = object.map('specs');
  return attachPair(
    probe,
    (spec) => object.attachKprobe('on_kretprobe', target, { retprobe: true, ...immediates(spec) }),
    (spec) => {
      const value = Buffer.from(new BigUint64Array([spec]).buffer);
      for (const address of probe.addresses) specs.update(Buffer.from(new BigUint64Array([address]).buffer), value);
      return object.attachKprobe('on_kprobe', target);
    },
  );
}

function attachMulti(object: BpfObject, probe: PlannedProbe): { result: AttachResult; hasReturn: boolean } {
  return attachPair(
    probe,
    (spec) => object.attachKprobeMulti('on_multi_return', { symbols: [probe.target], cookies: [spec], retprobe: true }),
    (spec) => object.attachKprobeMulti('on_multi', { symbols: [probe.target], cookies: [spec] }),
  );
}

const SINGLE: Partial<Record<Backend, Attacher>> = {
  fentry: attachFentry,
  'kprobe-multi': attachMulti,
  kprobe: attachKprobe,
};

/** All at once with kprobe.multi: one call for the returns, one for the visits. False where the kernel refused the lot. */
function attachAllMulti(object: BpfObject, outcomes: AttachOutcome[]): boolean {
  const returning = outcomes.filter((o) => o.probe.wantReturn).map((o) => o.probe);
  let back: AttachResult | undefined;
  if (returning.length > 0) {
    back = object.attachKprobeMulti('on_multi_return', {
      symbols: returning.map((p) => p.target),
      cookies: returning.map((p) => probeSpec(p, false)),
      retprobe: true,
    });
    if (!back.ok) return false;
  }
  const visits = object.attachKprobeMulti('on_multi', {
    symbols: outcomes.map((o) => o.probe.target),
    cookies: outcomes.map((o) => probeSpec(o.probe, o.probe.wantReturn)),
  });
  if (!visits.ok) {
    if (back?.ok) back.link.detach();
    return false;
  }
  for (const outcome of outcomes) {
    outcome.backend = 'kprobe-multi';
    outcome.hasReturn = outcome.probe.wantReturn;
  }
  return true;
}

function attachOne(
  object: BpfObject,
  outcome: AttachOutcome,
  backends: readonly Backend[],
  features: KernelFeatures,
): void {
  for (const backend of backends) {
    const attached = SINGLE[backend]?.(object, outcome.probe, features);
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

/** Attaches functions with the backends given, best first, each probe falling to the next on its own. */
export function attachFunctions(
  object: BpfObject,
  probes: readonly PlannedProbe[],
  backends: readonly Backend[],
  features: KernelFeatures,
): AttachOutcome[] {
  const outcomes = probes.map(
    (probe): AttachOutcome => ({ probe, backend: undefined, hasReturn: false, failures: [] }),
  );
  const usable = backends.filter(
    (b) =>
      (b === 'fentry' && features.tracing) ||
      (b === 'kprobe-multi' && features.multi) ||
      (b === 'kprobe' && features.kprobe),
  );
  if (usable[0] === 'kprobe-multi' && outcomes.length > 0 && attachAllMulti(object, outcomes)) return outcomes;
  for (const outcome of outcomes) attachOne(object, outcome, usable, features);
  return outcomes;
}

/** Attaches tracepoints, each only where none of the probes that it stands in for is attached. */
export function attachTracepoints(
  object: BpfObject,
  probes: readonly PlannedProbe[],
  attached: ReadonlySet<string>,
): AttachOutcome[] {
  const outcomes: AttachOutcome[] = [];
  for (const probe of probes) {
    if (probe.definition.insteadOf?.some((name) => attached.has(name))) continue;
    const name = probe.target.split(':')[1] ?? '';
    const result = object.attachRawTracepoint('on_tracing', name, immediates(probeSpec(probe, false)));
    outcomes.push({
      probe,
      backend: result.ok ? 'tracepoint' : undefined,
      hasReturn: false,
      failures: result.ok ? [] : [{ backend: 'tracepoint', code: result.code, message: result.message }],
    });
  }
  return outcomes;
}
