/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens when a function returns that a tracked packet is in. */
#ifndef NETTRACE_RETURN_H
#define NETTRACE_RETURN_H

#include "kernel_types.h"
#include "call.bpf.h"
#include "config.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "owner.bpf.h"
#include "segment.bpf.h"
#include "socket.bpf.h"
#include "track_skb.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define MAX_SEGMENTS 64

/* New skbs join the trace of the one that they were made from. Their contents are read when they pass a probe. */
static __always_inline void join_trace(struct hit *hit, u64 derived)
{
	u64 original = (u64)hit->skb;
	struct tracked_skb value = { .trace_id = hit->trace_id }, *parent = find_tracked(original);
	struct event_packet *first = NULL;
	const struct sk_buff *skb;
	int i;

	if (parent) { /* its time began with its parent's */
		value.first_ns = parent->first_ns;
		value.last_ns = parent->last_ns;
		value.first_probe = parent->first_probe;
		value.last_probe = parent->last_probe;
	}
	if (config.mode == MODE_LATENCY)
		first = bpf_map_lookup_elem(&first_packets, &original);

	for (i = 0; i < MAX_SEGMENTS; i++) {
		if (!derived || derived >= (u64)-4095) /* ERR_PTR */
			break;
		skb = (const void *)derived;
		hit->skb = skb;
		if (track(derived, &value) && config.mode == MODE_LIFE)
			emit_derived(hit);
		if (first)
			bpf_map_update_elem(&first_packets, &derived, first, BPF_ANY);
		derived = (u64)BPF_CORE_READ(skb, next);
	}
}

static __always_inline void handle_return(u64 spec, u64 mark, u64 slack, u64 value)
{
	struct hit hit = {};
	struct frame frame;

	if (spec_read(spec) == READ_OWN_RETURN) {
		if (config.want_owner)
			remember_owner(value);
		return;
	}
	if (is_silent())
		return;
	if (!follows_packets() || no_calls() || !pop_frame(spec_probe(spec), mark, slack, &frame))
		return;
	hit.now = bpf_ktime_get_ns();
	hit.trace_id = frame.trace_id;
	hit.skb = (const void *)frame.skb;
	hit.related = frame.time_ns;
	hit.probe = frame.probe;
	if (spec_read(spec) == READ_DERIVE) {
		hit.related = frame.skb;
		join_trace(&hit, value);
	} else if (spec_read(spec) == READ_SOCKET || spec_read(spec) == READ_SEGMENT) {
		struct event_socket socket;

		/* one in TIME_WAIT may be gone */
		read_socket(&socket, frame.state == TCP_TIME_WAIT ? NULL : (const void *)frame.object);
		socket.new_state = socket.state;
		socket.state = frame.state;
		/* the caller holds a request that has not become a socket */
		if (frame.state == TCP_NEW_SYN_RECV && !value) {
			socket.has_request_left = 1;
			socket.request_left = request_is_left((const void *)frame.object);
		}
		emit_socket_return(&hit, value, &socket);
	} else if (spec_read(spec) == READ_LISTEN) {
		emit_listen_return(&hit, value, (const void *)frame.object);
	} else if (spec_read(spec) == READ_PACKET) {
		emit_return(&hit, (s64)(packet_socket_losses((const void *)frame.object) - frame.state));
	} else {
		emit_return(&hit, value);
	}
}

#endif
