import { existsSync } from 'node:fs';
import { type BpfObject, type KernelBtf, probeAttach, probeProgramType } from '#bpf-loader';
import type { PlannedProbe } from './attach-plan.js';
import type { Backend } from './backend-names.js';

export { BACKENDS, type Backend } from './backend-names.js';

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
  /** Entry and return of a function in one attachment (6.10) */
  session: boolean;
  /** bpf_get_attach_cookie for kprobes (5.15) */
  cookie: boolean;
  /** and for raw tracepoints (6.10) */
  tracepointCookie: boolean;
}

/** The kernel function by which a program of a session knows what it is called for. */
const SESSION_IS_RETURN = 'bpf_session_is_return';
/** SESSION_MAGIC of bpf/config.h. */
const SESSION_MAGIC = 0x6e65747472616366n;
/** perf's kprobes (CONFIG_KPROBE_EVENTS): a kernel may load programs for them and have none. */
const KPROBE_PMU = '/sys/bus/event_source/devices/kprobe';

export function probeFeatures(btf: Pick<KernelBtf, 'enumValues' | 'member' | 'function'>): KernelFeatures {
  const kprobe = existsSync(KPROBE_PMU) && probeProgramType('kprobe');
  const multi = probeAttach('kprobe-multi');
  const hasSessions = btf.enumValues('bpf_attach_type')?.has('BPF_TRACE_KPROBE_SESSION') === true;
  return {
    kprobe,
    tracing: probeAttach('tracing'),
    multi,
    session: multi && hasSessions && btf.function(SESSION_IS_RETURN) !== null,
    cookie: kprobe && btf.enumValues('bpf_func_id')?.has('BPF_FUNC_get_attach_cookie') === true,
    tracepointCookie: btf.member('bpf_raw_tp_link', 'cookie') !== null,
  };
}

/** The program for visits and the one for returns (of sessions: for both), which tracepoints do not have. */
export function programsOf(backend: Backend, features: KernelFeatures): string[] {
  switch (backend) {
    case 'kprobe-multi':
      return ['on_multi', features.session ? 'on_session' : 'on_multi_return'];
    case 'kprobe':
      return features.cookie ? ['on_cookie', 'on_cookie_return'] : ['on_kprobe', 'on_kretprobe'];
    case 'fentry':
      return ['on_tracing', 'on_tracing_return'];
    case 'tracepoint':
      return [features.tracepointCookie ? 'on_tracepoint' : 'on_tracing'];
  }
}

/** Has the object's `load()` load these programs only: each costs a run of the verifier. */
export function chooseAutoload(object: BpfObject, programs: readonly string[]): void {
  for (const { name } of object.programs) object.setAutoload(name, programs.includes(name));
  for (const name of ['on_multi', 'on_multi_return'])
    if (programs.includes(name)) object.setExpectedAttachType(name, 'BPF_TRACE_KPROBE_MULTI');
  if (!programs.includes('on_session')) return;
  object.setExpectedAttachType('on_session', 'BPF_TRACE_KPROBE_SESSION');
  object.setKfuncCall('on_session', SESSION_MAGIC, SESSION_IS_RETURN);
}

/** Which of these backends attach functions on this kernel, in their order. */
export function usableBackends(backends: readonly Backend[], features: KernelFeatures): Backend[] {
  const has: Record<Backend, boolean> = {
    'kprobe-multi': features.multi,
    kprobe: features.kprobe,
    fentry: features.tracing,
    tracepoint: false,
  };
  return backends.filter((backend) => has[backend]);
}

/** Was any function attached? Without, frees and clones inside of the stack are not seen. */
export function hasFunctions(outcomes: readonly AttachOutcome[]): boolean {
  return outcomes.some(({ backend }) => backend !== undefined && backend !== 'tracepoint');
}
