/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens at one hit of a probe, whichever way it was attached. */
#ifndef NETTRACE_VISIT_H
#define NETTRACE_VISIT_H

#include "kernel_types.h"
#include "compat.bpf.h"
#include "config.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "filter_skb.bpf.h"
#include "parse_skb.bpf.h"
#include "track_skb.bpf.h"

#define MAX_SEGMENTS 64

/* A hit, with its arguments already fetched. */
struct call {
	u64 spec;
	u64 skb;
	u64 a;
	u64 b;
	u64 mark; /* see struct frame */
};

static __always_inline u32 spec_probe(u64 spec)
{
	return spec >> SPEC_PROBE_SHIFT & 0xffff;
}

static __always_inline u32 spec_read(u64 spec)
{
	return spec >> SPEC_READ_SHIFT & 0xff;
}

static __always_inline u32 spec_flags(u64 spec)
{
	return spec >> SPEC_FLAGS_SHIFT & 0xff;
}

static __always_inline u32 spec_arg(u64 spec, u32 shift)
{
	return spec >> shift & 0xf;
}

static __always_inline void read_socket(struct event_socket *socket, const struct sock *sk)
{
	__builtin_memset(socket, 0, sizeof(*socket));
	if (sk)
		socket->state = BPF_CORE_READ(sk, __sk_common.skc_state);
}

static __always_inline void remember_call(const struct call *call, const struct hit *hit)
{
	struct frame frame = {
		.trace_id = hit->trace_id,
		.skb = (u64)hit->skb,
		.time_ns = hit->now,
		.object = call->a,
		.mark = call->mark,
		.probe = hit->probe,
	};
	const struct sock *sk = (const void *)call->a;

	if (spec_read(call->spec) == READ_SOCKET && sk)
		frame.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	push_frame(&frame);
}

static __always_inline void emit_visit(const struct call *call, const struct hit *hit)
{
	const struct request_sock *req;
	struct event_socket socket;

	switch (spec_read(call->spec)) {
	case READ_DROP: {
		bool has_reason = spec_arg(call->spec, SPEC_ARG_B_SHIFT) != SPEC_NO_ARG;

		emit_drop(hit, call->a, has_reason ? call->b : 0, has_reason);
		untrack((u64)hit->skb);
		break;
	}
	case READ_FREE:
		emit_plain(hit, EVENT_FREE);
		untrack((u64)hit->skb);
		break;
	case READ_HOOK_STATE:
		emit_netfilter(hit, (const void *)call->a, NULL, NULL);
		break;
	case READ_NFT_CHAIN:
		emit_netfilter(hit, nft_pktinfo_state((const void *)call->b),
			       nft_chain_table_name((const void *)call->a), nft_chain_name((const void *)call->a));
		break;
	case READ_XT_TABLE:
		emit_netfilter(hit, (const void *)call->b, xt_table_name((const void *)call->a), NULL);
		break;
	case READ_SOCKET:
	case READ_SOCKET_TRANSMIT:
		read_socket(&socket, (const void *)call->a);
		emit_socket(hit, &socket);
		break;
	case READ_RESET:
		read_socket(&socket, (const void *)call->a);
		socket.has_reset_reason = spec_arg(call->spec, SPEC_ARG_B_SHIFT) != SPEC_NO_ARG;
		if (socket.has_reset_reason)
			socket.reset_reason = call->b;
		emit_socket(hit, &socket);
		break;
	case READ_REQUEST:
		read_socket(&socket, (const void *)call->a);
		req = (const void *)call->a;
		socket.ts_recent = BPF_CORE_READ(req, ts_recent);
		socket.has_ts_recent = 1;
		emit_socket(hit, &socket);
		break;
	case READ_VALUE:
		emit_value(hit, call->a);
		break;
	default:
		emit_plain(hit, EVENT_VISIT);
	}
}

static __always_inline void begin_trace(const struct call *call, struct hit *hit)
{
	u32 read = spec_read(call->spec);

	hit->trace_id = new_trace_id(hit->now);
	hit->flags |= EVENT_FIRST_SIGHT;
	if (read != READ_DROP && read != READ_FREE) {
		struct tracked_skb value = { .trace_id = hit->trace_id };

		set_fingerprint(&value, hit->pkt);
		if (!track((u64)hit->skb, &value))
			hit->trace_id = 0;
	}
}

/* What the headers say. */
struct sight {
	struct event_packet pkt __attribute__((aligned(8)));
	struct packet_place place;
};

/*
 * Copies the sight onto itself. To the verifier its bytes are then unknown, whichever way through the headers has written
 * them: all those ways meet here, and what follows is walked through once and not once for each.
 */
static __always_inline void settle(struct sight *sight)
{
	bpf_probe_read_kernel(sight, sizeof(*sight), sight);
}

static __always_inline void handle_visit(struct call *call)
{
	u32 flags = spec_flags(call->spec), read = spec_read(call->spec);
	bool idle = nothing_tracked();
	struct tracked_skb *tracked_skb = NULL;
	struct sight sight = {};
	struct hit hit = {};
	const struct sk_buff *skb;

	if (idle && !(flags & SPEC_ENTRY))
		return;
	if (flags & SPEC_DEREF) {
		u64 at = call->skb;

		call->skb = 0;
		bpf_probe_read_kernel(&call->skb, sizeof(call->skb), (const void *)at);
	}
	if (!call->skb)
		return;
	if (!idle)
		tracked_skb = find_tracked(call->skb);
	if (!tracked_skb && !(flags & SPEC_ENTRY))
		return;

	skb = (const void *)call->skb;
	hit.skb = skb;
	hit.probe = spec_probe(call->spec);
	hit.pkt = &sight.pkt;
	if (read == READ_SOCKET_TRANSMIT) {
		hit.sk = (const void *)call->a;
		hit.flags = EVENT_FROM_SOCKET;
		parse_transmit(hit.sk, skb, &sight.pkt);
	} else if (!(flags & SPEC_NO_PARSE)) {
		parse_skb(skb, &sight.pkt, &sight.place);
	}
	settle(&sight);
	hit.place = sight.place;
	hit.now = bpf_ktime_get_ns();
	if (tracked_skb && *(volatile u32 *)&late_options.check_reuse && read != READ_SOCKET_TRANSMIT &&
	    !(flags & SPEC_NO_PARSE) && is_other_packet(tracked_skb, &sight.pkt, skb)) {
		untrack(call->skb);
		tracked_skb = NULL;
		hit.flags |= EVENT_REUSED;
	}
	if ((!tracked_skb || config.want_meta) && read != READ_SOCKET_TRANSMIT && !(flags & SPEC_NO_PARSE)) {
		hit.sk = BPF_CORE_READ(skb, sk);
		if (read != READ_FREE)
			hit.dev = skb_device(skb);
	}
	if (tracked_skb) {
		hit.trace_id = tracked_skb->trace_id;
	} else {
		if (!sight.pkt.l3_proto || !packet_matches(&sight.pkt) || !surroundings_match(hit.dev, hit.sk))
			return;
		begin_trace(call, &hit);
		if (!hit.trace_id)
			return;
	}
	emit_visit(call, &hit);
	if (flags & SPEC_WANT_RETURN)
		remember_call(call, &hit);
	if (*(volatile u32 *)&late_options.keep_current)
		set_current(flags & SPEC_RECEIVING ? hit.trace_id : 0, call->skb, &sight.pkt);
}

/* States that only a call of the application leads to, never a packet. */
static __always_inline bool is_local_transition(u32 state)
{
	return state == TCP_SYN_SENT || state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK || state == TCP_LISTEN;
}

/* A socket changes its state, or a route was looked up: because of the packet that this CPU has at hand? */
static __always_inline void handle_ambient(const struct call *call)
{
	struct event_packet pkt = {};
	struct event_socket socket = {};
	struct current_packet *c;
	struct hit hit = {};
	u32 zero = 0;

	if (nothing_tracked())
		return;
	c = bpf_map_lookup_elem(&current, &zero);
	if (!c || !c->trace_id || c->task != bpf_get_current_pid_tgid())
		return;
	hit.now = bpf_ktime_get_ns();
	hit.trace_id = c->trace_id;
	hit.skb = (const void *)c->skb;
	hit.probe = spec_probe(call->spec);
	hit.pkt = &pkt;
	if (spec_read(call->spec) == READ_STATE) {
		const struct sock *sk = (const void *)call->a;

		parse_sock_tuple(sk, &pkt);
		if (is_local_transition(call->b) || c->sport != pkt.dport || c->dport != pkt.sport)
			return;
		/* what the record says of the packet is what was read before */
		__builtin_memset(&pkt, 0, sizeof(pkt));
		read_socket(&socket, sk);
		socket.new_state = call->b;
		emit_socket(&hit, &socket);
	} else {
		const struct flowi4 *flow = (const void *)call->a;
		__be32 saddr = BPF_CORE_READ(flow, saddr), daddr = BPF_CORE_READ(flow, daddr);

		if (saddr != *(u32 *)c->saddr || daddr != *(u32 *)c->daddr)
			return;
		emit_value(&hit, (int)call->b);
	}
}

/* New skbs join the trace of the one that they were made from. Their contents are read when they pass a probe. */
static __always_inline void join_trace(struct hit *hit, u64 derived)
{
	struct tracked_skb value = { .trace_id = hit->trace_id };
	const struct sk_buff *skb;
	int i;

	for (i = 0; i < MAX_SEGMENTS; i++) {
		if (!derived || derived >= (u64)-4095) /* ERR_PTR */
			break;
		skb = (const void *)derived;
		hit->skb = skb;
		if (track(derived, &value))
			emit_derived(hit);
		derived = (u64)BPF_CORE_READ(skb, next);
	}
}

static __always_inline void handle_return(u64 spec, u64 mark, u64 slack, u64 value)
{
	struct hit hit = {};
	struct frame frame;

	if (no_calls() || !pop_frame(spec_probe(spec), mark, slack, &frame))
		return;
	hit.now = bpf_ktime_get_ns();
	hit.trace_id = frame.trace_id;
	hit.skb = (const void *)frame.skb;
	hit.related = frame.time_ns;
	hit.probe = frame.probe;
	if (spec_read(spec) == READ_DERIVE) {
		hit.related = frame.skb;
		join_trace(&hit, value);
	} else if (spec_read(spec) == READ_SOCKET) {
		struct event_socket socket;

		read_socket(&socket, (const void *)frame.object);
		socket.new_state = socket.state;
		socket.state = frame.state;
		emit_socket_return(&hit, value, &socket);
	} else {
		emit_return(&hit, value);
	}
}

#endif
