import type { TraceEvent } from '../types.js';

/** include/uapi/linux/netfilter.h */
const NF_DROP = 0;
const NF_STOLEN = 2;
/** Stage of the probes on hook functions that --hooks adds. */
export const HOOK_STAGE = 'netfilter-hook';

/** The verdict that an event's function returned; undefined for other functions. */
function verdictOf(event: TraceEvent): number | undefined {
  const isVerdict = event.stage === HOOK_STAGE || /^(nft|ipt|ip6t)_do_(chain|table)$/.test(event.func);
  return isVerdict && typeof event.ret === 'number' ? event.ret & 0xff : undefined;
}

/** Is this the hook function behind the table's own function? Before 5.16 legacy tables had a function each. */
function isCaller(hook: string, event: TraceEvent): boolean {
  if (hook === event.func || hook.startsWith(`${event.func}_`)) return true;
  const table = event.netfilter?.table;
  return table !== undefined && new RegExp(`^ip6?table_${table}_hook$`).test(hook);
}

/**
 * Marks, at each netfilter hook that dropped the packet, the hook function that returned the verdict: the one whose own
 * return, or its table's, says drop before the packet passes the next hook; the only one where just one is registered.
 */
export function blameHooks(events: readonly TraceEvent[]): void {
  for (const [i, event] of events.entries()) {
    const hooks = event.netfilter?.hooks;
    if (!hooks || typeof event.ret !== 'number' || event.ret >= 0) continue;
    const following = events.slice(i + 1).filter((e) => e.skb === event.skb);
    const next = following.findIndex((e) => e.netfilter?.hooks);
    const inside = next < 0 ? following : following.slice(0, next);
    // a drop with a reason, as of nftables, is NF_STOLEN with an error
    const guilty = inside.filter((e) => [NF_DROP, NF_STOLEN].includes(verdictOf(e) ?? -1));
    const known = hooks.find((hook) => guilty.some((e) => isCaller(hook.name.replace(/ .*/, ''), e)));
    const blamed = known ?? (hooks.length === 1 ? hooks[0] : undefined);
    if (blamed) blamed.blamed = true;
  }
}
