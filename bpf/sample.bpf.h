/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which packets are followed, where not all are. The packet's own contents decide, so each function on its way decides
 * alike, and remembers nothing.
 */
#ifndef NETTRACE_SAMPLE_H
#define NETTRACE_SAMPLE_H

#include "kernel_types.h"
#include "config.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "parse_skb.bpf.h"
#include "track_skb.bpf.h"
#include <bpf/bpf_helpers.h>

#define BPF_RB_AVAIL_DATA 0

#define MAX_HALVINGS 12
/* Some steps down, before what is left of the ring buffer is full; and slowly up, because the way up is a trial. */
#define HALVE_AFTER_NS 4000000
#define DOUBLE_AFTER_NS 500000000

/*
 * While the ring buffer fills, the share of packets that are followed is halved again and again, and what is followed
 * has room to its end. CPUs that change it at once cost a step more or less.
 */
struct sampling {
	u64 halvings;
	u64 changed_ns;
};

struct sampling sampling = {};

static __always_inline bool samples(void)
{
	return config.sample_ring || config.sample_without;
}

static __always_inline u32 halvings(void)
{
	return config.sample_ring ? *(volatile u64 *)&sampling.halvings & 15 : 0;
}

/* NAT changes ports; a segment in its queue has no IP id yet, and until it is sent its ack may grow. */
static __always_inline u32 sample_hash(const struct event_packet *pkt, u64 skb, bool is_new)
{
	u32 hash = pkt->seq;

	if (pkt->l4_proto != IPPROTO_TCP)
		hash = pkt->ip_id ? pkt->ip_id : (u32)(skb >> 8);
	else if (!pkt->payload && !(pkt->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)) && !is_new)
		hash ^= pkt->ack * 0x9e3779b1; /* the acknowledgements of who only receives have one seq */
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static __always_inline bool is_sampled(const struct event_packet *pkt, u64 skb, bool is_new)
{
	return !samples() || sample_hash(pkt, skb, is_new) <= ~config.sample_without >> halvings();
}

/* A packet is followed from here on, for so many that are like it. */
static __always_inline void count_sampled(u64 now)
{
	u64 used, since = now - *(volatile u64 *)&sampling.changed_ns;
	u32 n = halvings();

	if (!samples())
		return;
	add_count(LOSS_SAMPLED, 1);
	add_count(LOSS_SAMPLED_OF, 1 << n);
	if (!config.sample_ring)
		return;
	used = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	if (used > config.sample_ring / 2 && n < MAX_HALVINGS && since > HALVE_AFTER_NS) {
		sampling.halvings = n + 1;
		sampling.changed_ns = now;
	} else if (used < config.sample_ring / 8 && n && since > DOUBLE_AFTER_NS) {
		sampling.halvings = n - 1;
		sampling.changed_ns = now;
	}
}

#endif
