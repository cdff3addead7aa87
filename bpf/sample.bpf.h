/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which packets are followed, where not all are. The packet's own contents decide, so each function on its way decides
 * alike, and remembers nothing. A tunnel's header is another packet's: it is decided on anew, and so are the segments that
 * a packet is cut into.
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

/* One packet that stands for more says little of how many there were. */
#define MAX_HALVINGS 8

static __always_inline bool samples(void)
{
	return config.sample_adaptive || config.sample_without;
}

/*
 * How often the share of packets that are followed is halved: once from the level on, and once more with each eighth of it,
 * so that what is followed has room to its end. Where as much comes as is read, the ring buffer stays as full as it is.
 */
static __always_inline u32 halvings(void)
{
	u64 level = *(volatile u32 *)&late_options.sample_level, used, n;

	if (!config.sample_adaptive || !level)
		return 0;
	used = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	if (used < level)
		return 0;
	n = 1 + (used - level) * 8 / level;
	return n < MAX_HALVINGS ? n : MAX_HALVINGS;
}

/*
 * For how many packets this one stands; 0: it is not followed. NAT changes ports; a segment in its queue has no IP id yet,
 * and until it is sent its ack may grow. What TCP's numbers are for a segment, the IP id and the first bytes of data are
 * for other packets, and the skb's address where both are 0. Verified by itself, as is_other_packet() is. `has_data`: or will
 * have some.
 */
__attribute__((noinline)) u64 sample_weight(u64 skb, u64 l4, u64 tcp, u64 other, u64 has_data)
{
	u32 hash = tcp >> 32, ack = tcp, n = halvings();
	u8 l4_proto = other >> 8;

	if (l4_proto != IPPROTO_TCP || !tcp) {
		u32 data[2] = {};

		if (l4_proto != IPPROTO_TCP && l4)
			bpf_probe_read_kernel(data, sizeof(data), (const void *)(l4 + 8));
		hash = (u16)(other >> 16) ^ data[0] * 0x9e3779b1 ^ data[1] * 0x7feb352d;
		if (!hash)
			hash = skb >> 8;
	} else if (!has_data && !(other & (TCP_FLAG_SYN | TCP_FLAG_FIN))) {
		hash ^= ack * 0x9e3779b1; /* the acknowledgements of who only receives have one seq */
	}
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	hash ^= hash >> 16;
	return hash <= ~config.sample_without >> n ? 1 << n : 0;
}

static __always_inline void count_sampled(u32 weight)
{
	if (!samples())
		return;
	add_count(LOSS_SAMPLED, 1);
	add_count(LOSS_SAMPLED_OF, weight);
}

#endif
