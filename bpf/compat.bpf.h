/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels, each with the version or commit that caused it. The rest does not know versions. */
#ifndef NETTRACE_COMPAT_H
#define NETTRACE_COMPAT_H

#include "kernel_types.h"
#include "config.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/*
 * Modules have BTF from 5.11 on (commit 36e68442d1af). Before, the types of nf_tables and x_tables cannot be relocated:
 * these are their places on 64-bit 5.8 to 5.10. On later kernels types that are not found (the module was loaded
 * later, or this user may not list modules' BTF) are not read at all.
 */
struct nft_chain___no_btf {
	char before[64];
	struct nft_table___no_btf *table;
	u64 handle;
	u32 use;
	u32 flags;
	char *name;
} __attribute__((packed));

struct nft_table___no_btf {
	char before[240];
	char *name;
} __attribute__((packed));

struct nft_pktinfo___no_btf {
	struct sk_buff *skb;
	u64 before[3];
	const struct nf_hook_state *state;
};

struct nft_traceinfo___no_btf {
	const struct nft_pktinfo *pkt;
	u64 before[2];
	const struct nft_rule_dp *rule;
	const struct nft_verdict *verdict;
};

struct xt_table___no_btf {
	char before[56];
	char name[32];
};

/* 5.10 to 5.14: the state is in the embedded xt_action_param; moved by commit 897389de4828 (5.14). */
struct xt_action_param___v5_10 {
	const struct nf_hook_state *state;
} __attribute__((preserve_access_index));

struct nft_pktinfo___v5_10 {
	struct xt_action_param___v5_10 xt;
} __attribute__((preserve_access_index));

static __always_inline const struct nf_hook_state *nft_pktinfo_state(const struct nft_pktinfo *pkt)
{
	if (bpf_core_field_exists(pkt->state))
		return BPF_CORE_READ(pkt, state);
	if (bpf_core_type_exists(struct nft_pktinfo___v5_10))
		return BPF_CORE_READ((const struct nft_pktinfo___v5_10 *)(const void *)pkt, xt.state);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_pktinfo___no_btf *)(const void *)pkt, state);
	return NULL;
}

static __always_inline const char *nft_chain_name(const struct nft_chain *chain)
{
	if (bpf_core_type_exists(struct nft_chain))
		return BPF_CORE_READ(chain, name);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_chain___no_btf *)(const void *)chain, name);
	return NULL;
}

static __always_inline const char *nft_chain_table_name(const struct nft_chain *chain)
{
	if (bpf_core_type_exists(struct nft_chain))
		return BPF_CORE_READ(chain, table, name);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_chain___no_btf *)(const void *)chain, table, name);
	return NULL;
}

/* nft_trace_notify() has all in its one argument up to 6.3, and arguments of their own from commit 46df417544f4 (6.4) on. */
static __always_inline const struct nft_pktinfo *nft_traced_packet(const struct nft_traceinfo *info)
{
	if (bpf_core_field_exists(info->pkt))
		return BPF_CORE_READ(info, pkt);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_traceinfo___no_btf *)(const void *)info, pkt);
	return NULL;
}

static __always_inline const struct nft_rule_dp *nft_traced_rule(const struct nft_traceinfo *info)
{
	if (bpf_core_field_exists(info->rule))
		return BPF_CORE_READ(info, rule);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_traceinfo___no_btf *)(const void *)info, rule);
	return NULL;
}

static __always_inline const struct nft_verdict *nft_traced_verdict(const struct nft_traceinfo *info)
{
	if (bpf_core_field_exists(info->verdict))
		return BPF_CORE_READ(info, verdict);
	if (config.fixed_module_types)
		return BPF_PROBE_READ((const struct nft_traceinfo___no_btf *)(const void *)info, verdict);
	return NULL;
}

#define NFT_HANDLE_MASK ((1ULL << 42) - 1)
#define NFT_RULE_DP_HANDLE_SHIFT 13 /* behind is_last and dlen */
#define NFT_RULE_HANDLE_OFFSET 16 /* struct nft_rule begins with its list */

/* Chains hold copies of their rules, struct nft_rule_dp, from commit 2c865a8a28a1 (5.17) on, and the rules before. */
static __always_inline u64 nft_rule_handle(const struct nft_rule_dp *rule)
{
	bool is_copy = bpf_core_type_exists(struct nft_rule_dp);
	u64 bits = 0;

	if (!rule)
		return 0;
	bpf_probe_read_kernel(&bits, sizeof(bits), (const char *)rule + (is_copy ? 0 : NFT_RULE_HANDLE_OFFSET));
	return (is_copy ? bits >> NFT_RULE_DP_HANDLE_SHIFT : bits) & NFT_HANDLE_MASK;
}

/*
 * When the pending retransmit timer expires, in jiffies. Until 6.18 its own field, then the timer's; from 7.0 on the
 * timer is a member of struct sock.
 */
struct sock___v7 {
	struct timer_list tcp_retransmit_timer;
} __attribute__((preserve_access_index));

static __always_inline u64 retransmit_expires(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const void *)sk;

	if (bpf_core_field_exists(icsk->icsk_timeout))
		return BPF_CORE_READ(icsk, icsk_timeout);
	if (bpf_core_field_exists(icsk->icsk_retransmit_timer))
		return BPF_CORE_READ(icsk, icsk_retransmit_timer.expires);
	return BPF_CORE_READ((const struct sock___v7 *)(const void *)sk, tcp_retransmit_timer.expires);
}

/* The address of the table's own name. */
static __always_inline const char *xt_table_name(const struct xt_table *table)
{
	if (bpf_core_type_exists(struct xt_table))
		return table->name;
	if (config.fixed_module_types)
		return ((const struct xt_table___no_btf *)(const void *)table)->name;
	return NULL;
}

#endif
