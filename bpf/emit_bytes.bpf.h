/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet's first bytes, for filters that are asked of what was recorded. */
#ifndef NETTRACE_EMIT_BYTES_H
#define NETTRACE_EMIT_BYTES_H

#include "kernel_types.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "packet_bytes.bpf.h"
#include <bpf/bpf_helpers.h>

/* `available` bytes of the packet behind `offset` bytes that are there already. */
static __always_inline void fill_bytes(struct event_bytes *bytes, u32 offset, const unsigned char *from, u64 available)
{
	const u64 room = sizeof(bytes->bytes) - offset;

	bytes->is_cut = available > room;
	asm volatile("" : "+r"(available)); /* as in copy_bytes() */
	if (available > room)
		available = room;
	if (!bpf_probe_read_kernel(bytes->bytes + offset, available, from))
		bytes->captured = offset + available;
}

/* What emit_bytes() has to know of a hit, as one number. */
static __always_inline u64 bytes_request(const struct hit *hit, u32 spec_flags)
{
	return (u64)hit->probe << 32 | (u32)hit->pkt->l3_proto << 16 | hit->flags << 8 | (spec_flags & 0xff);
}

/*
 * The packet's first bytes where it has headers and may be seen first, as a detail of the event that is about to be sent.
 * Gives the flags that this event then has. Global, and with numbers only as arguments, as filter_programs_match() is; what
 * it depends on is asked in here, because each test in front would double what the verifier of 6.1 walks behind it.
 */
__attribute__((noinline)) u64 emit_bytes(u64 skb_address, u64 network, u64 now, u64 trace_id, u64 request)
{
	const struct sk_buff *skb = (const void *)skb_address;
	struct hit hit = { .now = now, .trace_id = trace_id, .skb = skb, .probe = request >> 32 };
	struct packet_bytes from = {};
	struct event_bytes *bytes;
	struct event_head *head;
	u64 available;
	bool has_link;

	if (!network || !(request & SPEC_ENTRY) || request >> 8 & EVENT_FROM_SOCKET || !(u16)(request >> 16))
		return 0;
	has_link = find_bytes(skb, (const void *)network, &from);
	available = linear_end(skb) - from.start;
	if ((s64)available <= 0 || (from.tag && available < ETH_HEADER))
		return 0;
	head = begin_event(&hit, EVENT_DETAIL, SECTION_BYTES, sizeof(*bytes), (void **)&bytes);
	if (!head)
		return 0;
	__builtin_memset(bytes, 0, sizeof(*bytes));
	bytes->is_ethernet = has_link;
	bytes->length = from.length;
	if (!from.tag) {
		fill_bytes(bytes, 0, from.start, available);
	} else if (!bpf_probe_read_kernel(bytes->bytes, ETH_ADDRESSES, from.start)) {
		bytes->length += VLAN_TAG;
		*(u32 *)(bytes->bytes + ETH_ADDRESSES) = from.tag;
		fill_bytes(bytes, ETH_ADDRESSES + VLAN_TAG, from.start + ETH_ADDRESSES, available - ETH_ADDRESSES);
	}
	bpf_ringbuf_submit(head, 0);
	return EVENT_HAS_DETAIL;
}

#endif
