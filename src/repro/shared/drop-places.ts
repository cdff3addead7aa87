import { type ByKernel, byKernel } from '../by-kernel.js';

/**
 * A drop reason by the version that brought it, `5.18`: before it the kernel frees for NOT_SPECIFIED, and before 5.17, which
 * brought reasons, without one.
 */
export function reasonSince(version: string, reason: string): ByKernel<string | undefined> {
  const before = version === '5.17' ? {} : { [`<${version}`]: 'NOT_SPECIFIED' };
  return byKernel<string | undefined>({ '<5.17': undefined, ...before, else: reason });
}

/** The reason of whatever netfilter drops. */
export const NETFILTER_DROP = reasonSince('5.18', 'NETFILTER_DROP');

/**
 * Where a rule of nftables drops: it says so itself (NF_DROP_REASON() in nft_do_chain()) since 6.7, and in the stable releases
 * of 6.1.
 */
export const NFT_DROP_PLACE = byKernel({ '<6.1': 'nf_hook_slow', '>=6.1': 'nft_do_chain' });

/** Where UDP drops what no socket takes, or what is damaged: the one is part of the other from 7.0 on. */
export const UDP_PLACE = byKernel({ '<7.0': '__udp4_lib_rcv', '>=7.0': 'udp_rcv' });

/** What the kernel frees without a reason of its own; before 5.17 there are none at all. */
export const NO_REASON = byKernel({ '<5.17': undefined, else: 'NOT_SPECIFIED' });
