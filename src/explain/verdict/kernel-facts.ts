import type { AttachOutcome } from '../../load/backends.js';
import type { Kernel } from '../../load/kernel.js';
import type { KernelFacts } from './sight.js';

/** What this kernel's BTF and this run's attachments say. */
export function factsOf(kernel: Kernel, outcomes: readonly AttachOutcome[]): KernelFacts {
  const attached = new Set(outcomes.filter(({ backend }) => backend).map(({ probe }) => probe.definition.name));
  const parameters = kernel.btf.function('tcp_check_req')?.parameters ?? [];
  return {
    namesRequestRefusals: parameters.some(({ type }) => type.includes('skb_drop_reason')),
    namesNotForwarding: kernel.hasDropReason('IP_INADDRERRORS'),
    sees: (func) => attached.has(func),
  };
}
