/* SPDX-License-Identifier: GPL-2.0-only */
/* Reserve, fill, submit; what the ring buffer has no room for is counted. */
#ifndef NETTRACE_EMIT_EVENT_H
#define NETTRACE_EMIT_EVENT_H

#include "kernel_types.h"
#include "compat.bpf.h"
#include "config.h"
#include "event.h"
#include "filter_skb.bpf.h"
#include "owner.bpf.h"
#include "parse_skb.bpf.h"
#include "track_skb.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

/* What is known of one hit before a record is made of it. */
struct hit {
	u64 now;
	u64 trace_id;
	u64 related;
	const struct sk_buff *skb;
	const struct net_device *dev;
	const struct sock *sk;
	const struct sock_owner *owner; /* of sk */
	const struct event_packet *pkt; /* with SECTION_PACKET */
	const struct packet_place *place; /* of a packet with headers, or NULL */
	u32 probe;
	u8 flags;
	bool ends; /* the user said that the packet's trace ends here */
};

/* No namespace has a lower inode: from 6.18 on those of boot have fixed ones (include/uapi/linux/nsfs.h, MNT_NS_INIT_INO). */
#define LOWEST_NETNS_INODE 0xeffffff8

/*
 * skb->dev shares its place with the node of the retransmit queue's tree and with UDP's scratch, so what
 * stands there is a device only if it looks like one.
 */
static __always_inline const struct net_device *skb_device(const struct sk_buff *skb)
{
	const struct net_device *dev = BPF_CORE_READ(skb, dev);

	if ((long long)dev >= 0) /* not an address of the kernel */
		return NULL;
	if (BPF_CORE_READ(dev, nd_net.net, ns.inum) < LOWEST_NETNS_INODE)
		return NULL;
	return dev;
}

static __always_inline void fill_meta(struct event_meta *meta, const struct hit *hit)
{
	const struct net_device *dev = hit->dev;
	const struct sk_buff *skb = hit->skb;
	const struct sock *sk = hit->sk;

	__builtin_memset(meta, 0, sizeof(*meta));
	if (dev) {
		bpf_core_read_str(meta->ifname, sizeof(meta->ifname), &dev->name);
		meta->ifindex = BPF_CORE_READ(dev, ifindex);
		meta->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	} else if (sk) {
		meta->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	}
	bpf_get_current_comm(meta->comm, sizeof(meta->comm));
	meta->pid = bpf_get_current_pid_tgid() >> 32;
	if (skb)
		meta->mark = BPF_CORE_READ(skb, mark);
	if (hit->owner) {
		__builtin_memcpy(meta->owner_comm, hit->owner->comm, sizeof(meta->owner_comm));
		meta->owner_pid = hit->owner->pid;
	}
}

static __always_inline void fill_options(struct event_options *options, const struct packet_place *place)
{
	u32 length = place ? place->tcp_options_length : 0;

	__builtin_memset(options, 0, sizeof(*options));
	if (!length || !place->tcp_options || length > sizeof(options->bytes))
		return;
	/* a constant size: the verifier of 5.10 loses the bound. What lies behind the options is not looked at. */
	if (!bpf_probe_read_kernel(options->bytes, sizeof(options->bytes), place->tcp_options))
		options->length = length;
}

/*
 * Reserves a record with these sections and fills the ones that every record may have. The size is a constant to
 * the verifier: `sections` is one at each call, and the configuration is read-only data. Returns null where there
 * was no room; else `own` is the first section of the caller's own.
 */
static __always_inline struct event_head *begin_event(const struct hit *hit, u8 kind, u32 sections, u32 own_size,
						      void **own)
{
	u32 size = sizeof(struct event_head) + own_size;
	struct event_head *head;
	void *at;

	if (config.want_meta && sections & SECTION_PACKET)
		sections |= SECTION_META | SECTION_OPTIONS;
	if (sections & SECTION_PACKET)
		size += sizeof(struct event_packet);
	if (sections & SECTION_META)
		size += sizeof(struct event_meta);
	if (sections & SECTION_OPTIONS)
		size += sizeof(struct event_options);
	count_loss(LOSS_NONE_PRODUCED);
	head = bpf_ringbuf_reserve(&events, size, 0);
	if (!head) {
		count_loss(LOSS_RING_FULL);
		return NULL;
	}
	head->time_ns = hit->now;
	head->trace_id = hit->trace_id;
	head->skb = (u64)hit->skb;
	head->related = hit->related;
	head->probe = hit->probe;
	head->kind = kind == EVENT_VISIT && hit->ends ? EVENT_FREE : kind;
	head->flags = hit->flags;
	head->cpu = bpf_get_smp_processor_id();
	head->skb_len = hit->place ? hit->place->skb_len : 0;
	at = head + 1;
	if (sections & SECTION_PACKET) {
		*(struct event_packet *)at = *hit->pkt;
		at += sizeof(struct event_packet);
	}
	if (sections & SECTION_META) {
		fill_meta(at, hit);
		at += sizeof(struct event_meta);
	}
	if (sections & SECTION_OPTIONS) {
		fill_options(at, hit->place);
		at += sizeof(struct event_options);
	}
	head->sections = sections;
	*own = at;
	return head;
}

/*
 * Details go before the event that they belong to: with a size of their own they would double all that is emitted, and
 * whoever reads has them at hand when the event comes.
 */
static __always_inline void emit_stack(void *ctx, struct hit *hit)
{
	struct event_stack *stack;
	struct event_head *head = begin_event(hit, EVENT_DETAIL, SECTION_STACK, sizeof(*stack), (void **)&stack);
	long bytes;

	if (!head)
		return;
	stack->reserved = 0;
	bytes = bpf_get_stack(ctx, stack->address, sizeof(stack->address), 0);
	stack->count = bytes > 0 ? bytes / sizeof(stack->address[0]) : 0;
	bpf_ringbuf_submit(head, 0);
	hit->flags |= EVENT_HAS_DETAIL;
}

static __always_inline void emit_hooks(struct hit *hit, const struct nf_hook_entries *entries)
{
	struct event_hooks *hooks;
	struct event_head *head = begin_event(hit, EVENT_DETAIL, SECTION_HOOKS, sizeof(*hooks), (void **)&hooks);
	int i;

	if (!head)
		return;
	__builtin_memset(hooks, 0, sizeof(*hooks));
	hooks->count = BPF_CORE_READ(entries, num_hook_entries);
	/* unrolled: the verifier of 5.10 takes a call just before a loop's head for a loop without end */
#pragma unroll
	for (i = 0; i < MAX_HOOKS; i++) {
		if (i < hooks->count)
			hooks->address[i] = (u64)BPF_CORE_READ(entries, hooks[i].hook);
	}
	bpf_ringbuf_submit(head, 0);
	hit->flags |= EVENT_HAS_DETAIL;
}

static __always_inline void emit_plain(const struct hit *hit, u8 kind)
{
	void *own;
	struct event_head *head = begin_event(hit, kind, SECTION_PACKET, 0, &own);

	if (head)
		bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_derived(const struct hit *hit)
{
	void *own;
	struct event_head *head = begin_event(hit, EVENT_DERIVED, 0, 0, &own);

	if (head)
		bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_drop(const struct hit *hit, u64 location, u32 reason, bool has_reason)
{
	struct event_drop *drop;
	struct event_head *head = begin_event(hit, EVENT_DROP, SECTION_PACKET | SECTION_DROP, sizeof(*drop),
					      (void **)&drop);

	if (!head)
		return;
	drop->location = location;
	drop->reason = reason;
	drop->has_reason = has_reason;
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_netfilter(const struct hit *hit, const struct nf_hook_state *state, const char *table,
					   const char *chain)
{
	struct event_netfilter *nf;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_NETFILTER, sizeof(*nf),
					      (void **)&nf);

	if (!head)
		return;
	nf->family = state ? BPF_CORE_READ(state, pf) : 0;
	nf->hook = state ? BPF_CORE_READ(state, hook) : 0;
	nf->has_state = state != NULL;
	nf->has_names = table != NULL;
	nf->verdict = 0;
	nf->rule = 0;
	__builtin_memset(nf->table, 0, sizeof(nf->table));
	__builtin_memset(nf->chain, 0, sizeof(nf->chain));
	if (table)
		bpf_probe_read_kernel_str(nf->table, sizeof(nf->table), table);
	if (chain)
		bpf_probe_read_kernel_str(nf->chain, sizeof(nf->chain), chain);
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_nft_rule(const struct hit *hit, u64 rule, const struct nft_verdict *verdict)
{
	struct event_netfilter *nf;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_NETFILTER, sizeof(*nf),
					      (void **)&nf);

	if (!head)
		return;
	__builtin_memset(nf, 0, sizeof(*nf));
	nf->rule = rule;
	/* its first field, on all kernels: not relocated, because modules may have no BTF */
	bpf_probe_read_kernel(&nf->verdict, sizeof(nf->verdict), verdict);
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_socket(const struct hit *hit, const struct event_socket *socket)
{
	struct event_socket *own;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_SOCKET, sizeof(*own),
					      (void **)&own);

	if (!head)
		return;
	*own = *socket;
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_latency(const struct hit *hit, const struct event_latency *latency)
{
	struct event_latency *own;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_LATENCY, sizeof(*own),
					      (void **)&own);

	if (!head)
		return;
	*own = *latency;
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_value(const struct hit *hit, s64 value)
{
	struct event_return *ret;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_RETURN, sizeof(*ret),
					      (void **)&ret);

	if (!head)
		return;
	ret->value = value;
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_return(const struct hit *hit, s64 value)
{
	struct event_return *ret;
	struct event_head *head = begin_event(hit, EVENT_RETURN, SECTION_RETURN, sizeof(*ret), (void **)&ret);

	if (!head)
		return;
	ret->value = value;
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_socket_return(const struct hit *hit, s64 value, const struct event_socket *socket)
{
	struct event_socket *own;
	struct event_head *head = begin_event(hit, EVENT_RETURN, SECTION_SOCKET | SECTION_RETURN,
					      sizeof(*own) + sizeof(struct event_return), (void **)&own);
	struct event_return *ret;

	if (!head)
		return;
	*own = *socket;
	ret = (void *)(own + 1);
	ret->value = value;
	bpf_ringbuf_submit(head, 0);
}

#endif
