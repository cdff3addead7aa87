import { type BpfObject, probeProgramType } from '#bpf-loader';
import type { PlannedProbe } from './attach-plan.js';

/** Ways to attach, best first. */
export const BACKENDS = ['kprobe-multi', 'kprobe', 'fentry', 'tracepoint'] as const;
export type Backend = (typeof BACKENDS)[number];

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
