/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens at one hit of a probe, whichever way it was attached. */
#ifndef NETTRACE_VISIT_H
#define NETTRACE_VISIT_H

#include "kernel_types.h"
/* their functions come before generated_filter(), which stays the last */
#include "emit_bytes.bpf.h"
#include "sample.bpf.h"

#include "call.bpf.h"
#include "compat.bpf.h"
#include "config.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "filter_program.bpf.h"
#include "filter_skb.bpf.h"
#include "owner.bpf.h"
#include "parse_skb.bpf.h"
#include "segment.bpf.h"
#include "socket.bpf.h"
#include "statistics.bpf.h"
#include "track_skb.bpf.h"
#include "without_skb.bpf.h"

static __always_inline void remember_call(struct call *call, const struct hit *hit)
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

	if ((spec_read(call->spec) == READ_SOCKET || spec_read(call->spec) == READ_SEGMENT) && sk)
		frame.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	else if (spec_read(call->spec) == READ_PACKET)
		frame.state = packet_socket_losses((const void *)call->a);
	push_frame(&frame);
	call->want_return = true;
}

static __always_inline void emit_visit(const struct call *call, const struct hit *hit)
{
	switch (spec_read(call->spec)) {
	case READ_DROP: {
		bool has_reason = spec_arg(call->spec, SPEC_ARG_B_SHIFT) != SPEC_NO_ARG;

		emit_drop(hit, call->a, has_reason ? call->b : 0, has_reason);
		break;
	}
	case READ_FREE:
		emit_plain(hit, EVENT_FREE);
		break;
	case READ_HOOK_STATE:
		emit_netfilter(hit, (const void *)call->a, NULL, NULL);
		break;
	case READ_NFT_CHAIN:
		emit_netfilter(hit, nft_pktinfo_state((const void *)call->b),
			       nft_chain_table_name((const void *)call->a), nft_chain_name((const void *)call->a));
		break;
	case READ_NFT_RULE: {
		const struct nft_traceinfo *info = (const void *)call->a;
		bool is_info = spec_arg(call->spec, SPEC_ARG_B_SHIFT) == SPEC_NO_ARG;
		u64 rule = nft_rule_handle(is_info ? nft_traced_rule(info) : (const void *)call->a);

		/* a chain's policy is no rule */
		if (rule)
			emit_nft_rule(hit, rule, is_info ? nft_traced_verdict(info) : (const void *)call->b);
		break;
	}
	case READ_XT_TABLE:
		emit_netfilter(hit, (const void *)call->b, xt_table_name((const void *)call->a), NULL);
		break;
	case READ_SOCKET:
	case READ_SOCKET_TRANSMIT: {
		struct event_socket socket;

		read_socket(&socket, (const void *)call->a);
		emit_socket(hit, &socket);
		break;
	}
	case READ_RESET: {
		struct event_socket socket;

		read_socket(&socket, (const void *)call->a);
		socket.has_reset_reason = spec_arg(call->spec, SPEC_ARG_B_SHIFT) != SPEC_NO_ARG;
		if (socket.has_reset_reason)
			socket.reset_reason = call->b;
		emit_socket(hit, &socket);
		break;
	}
	case READ_SEGMENT:
		emit_segment(hit, (const void *)call->a);
		break;
	case READ_VALUE:
		if (spec_arg(call->spec, SPEC_ARG_B_SHIFT) == SPEC_NO_ARG)
			emit_value(hit, call->a);
		else
			emit_value(hit, (u32)call->a << 8 | (u8)call->b);
		break;
	case READ_ROUTE_ERROR:
		emit_value(hit, route_error(hit->skb));
		break;
	case READ_LISTEN:
		if (!config.only_abnormal || accept_queue_is_full((const void *)call->a))
			emit_listen(hit, (const void *)call->a);
		break;
	default:
		emit_plain(hit, EVENT_VISIT);
	}
}

/* Does the skb's part end here? */
static __always_inline bool ends_here(u64 spec)
{
	return spec_read(spec) == READ_DROP || spec_read(spec) == READ_FREE || spec_flags(spec) & SPEC_END;
}

/* The packet has come to an end: how long was it on its way? */
static __always_inline void report_latency(struct hit *hit, const struct tracked_skb *t, bool is_free)
{
	u64 skb = (u64)hit->skb;

	struct event_latency latency = {
		.from_ns = t->first_ns,
		.to_ns = hit->now,
		.from = t->first_probe,
		.to = hit->probe,
	};
	u64 ns;

	if (is_free && !config.latency_to_free) {
		latency.to_ns = t->last_ns;
		latency.to = t->last_probe;
	}
	ns = latency.to_ns - latency.from_ns;
	if (latency.to_ns <= latency.from_ns && latency.from == latency.to) /* seen at one place only */
		return;
	if (ns < config.min_latency_ns)
		return;
	if (config.want_histogram) {
		count_time(ns / 1000);
	} else if (within_rate(hit->now)) {
		if (!hit->pkt->l3_proto) {
			hit->pkt = bpf_map_lookup_elem(&first_packets, &skb);
			if (!hit->pkt)
				return;
		}
		emit_latency(hit, &latency);
	}
}

static __always_inline void begin_trace(const struct call *call, struct hit *hit)
{
	u64 skb = (u64)hit->skb;

	hit->trace_id = new_trace_id(hit->now);
	hit->flags |= EVENT_FIRST_SIGHT;
	if (!ends_here(call->spec)) {
		struct tracked_skb value = {
			.trace_id = hit->trace_id,
			.first_ns = hit->now,
			.last_ns = hit->now,
			.first_probe = hit->probe,
			.last_probe = hit->probe,
		};

		set_fingerprint(&value, hit->pkt);
		if (hit->pkt->l4_proto != IPPROTO_TCP)
			value.ack = (u64)hit->dev;
		if (!track(skb, &value))
			hit->trace_id = 0;
		else if (config.mode == MODE_LATENCY && !config.want_histogram)
			bpf_map_update_elem(&first_packets, &skb, hit->pkt, BPF_ANY);
	}
}

/* What the headers say. */
struct sight {
	struct event_packet pkt __attribute__((aligned(8)));
	struct packet_place place;
	u64 skb; /* its address, for fentry too a number: a function that is verified by itself takes no pointers */
};

/*
 * Copies the sight onto itself. To the verifier its bytes are then unknown, whichever way through the headers has written
 * them: all those ways meet here, and what follows is walked through once and not once for each.
 */
static __always_inline void settle(struct sight *sight)
{
	bpf_probe_read_kernel(sight, sizeof(*sight), sight);
}

/* As settle(), for the device: to the verifier it is a number that may be anything. More is too much for the stack. */
static __always_inline void merge_ways(struct hit *hit)
{
	u64 dev = (u64)hit->dev;

	bpf_probe_read_kernel(&dev, sizeof(dev), &dev);
	hit->dev = (const void *)dev;
}

static __always_inline void handle_visit(struct call *call)
{
	u32 flags = spec_flags(call->spec), read = spec_read(call->spec);
	bool entry = flags & SPEC_ENTRY || !follows_packets();
	bool idle = !follows_packets() || nothing_tracked();
	bool no_parse = flags & SPEC_NO_PARSE && !config.only_abnormal;
	bool is_new = false; /* a segment that has no data yet */
	struct tracked_skb *tracked_skb = NULL;
	struct sight sight = {};
	struct hit hit = {};
	const struct sk_buff *skb;

	if (idle && !entry)
		return;
	/* what is not normal is told by the value: then the skb is still there */
	if (config.only_abnormal && read == READ_VALUE && !(u32)call->a)
		return;
	if (config.mode == MODE_STATS && !config.has_filter) {
		count_hit(spec_probe(call->spec));
		return;
	}
	if (flags & SPEC_DEREF) {
		u64 at = call->skb;

		if (read == READ_NFT_RULE && spec_arg(call->spec, SPEC_ARG_B_SHIFT) == SPEC_NO_ARG)
			at = (u64)nft_traced_packet((const void *)at);
		call->skb = 0;
		bpf_probe_read_kernel(&call->skb, sizeof(call->skb), (const void *)at);
	}
	if (!call->skb)
		return;
	if (!idle)
		tracked_skb = find_tracked(call->skb);
	if (!tracked_skb && !entry)
		return;

	skb = (const void *)call->skb;
	hit.skb = skb;
	hit.probe = spec_probe(call->spec);
	hit.ends = flags & SPEC_END;
	hit.pkt = &sight.pkt;
	if (read == READ_SOCKET_TRANSMIT) {
		hit.sk = (const void *)call->a;
		hit.flags = EVENT_FROM_SOCKET;
		is_new = parse_transmit(hit.sk, skb, &sight.pkt, &sight.place);
	} else if (!no_parse) {
		if (follows_packets() && !tracked_skb && has_other_ports(skb, (const void *)call->sk))
			return;
		parse_skb(skb, &sight.pkt, &sight.place);
		/* the first sight, as --trace-matcher may ask for it: later ones have what was seen before */
		if (!tracked_skb && !sight.pkt.l3_proto && call->sk) {
			parse_handed_down((const void *)call->sk, skb, &sight.pkt, &sight.place);
			hit.flags = EVENT_FROM_SOCKET;
		}
	}
	sight.skb = call->skb;
	settle(&sight);
	/* a reset is not answered: the function is called, and returns */
	if (config.only_abnormal && read == READ_RESET && sight.pkt.tcp_flags & TCP_FLAG_RST)
		return;
	hit.place = &sight.place;
	hit.now = bpf_ktime_get_ns();
	if (tracked_skb && *(volatile u32 *)&late_options.check_reuse && read != READ_SOCKET_TRANSMIT && !no_parse &&
	    is_other_packet(call->skb, hit.probe | (flags & SPEC_COMES_IN ? COMES_IN : 0), tcp_numbers(&sight.pkt),
			    other_numbers(&sight.pkt), sight.pkt.l3_proto)) {
		untrack(call->skb);
		tracked_skb = NULL;
		hit.flags |= EVENT_REUSED;
	}
	/*
	 * Most packets are not asked for: what costs more is looked at only for those that may be. Not where each hit is an event:
	 * the verifiers of 5.10 and 6.1 walk the ways from here too often then.
	 */
	if (follows_packets() && !tracked_skb) {
		if (!sight.pkt.l3_proto || !packet_matches(&sight.pkt))
			return;
		if (samples())
			sight.place.weight = sample_weight(sight.skb, (u64)sight.place.l4, tcp_numbers(&sight.pkt),
							   other_numbers(&sight.pkt), sight.pkt.payload | is_new);
		if (samples() && !sight.place.weight) {
			if (*(volatile u32 *)&late_options.keep_current)
				set_current(0, call->skb, &sight.pkt);
			return;
		}
		settle(&sight);
	}
	if ((!tracked_skb || config.want_meta) && read != READ_SOCKET_TRANSMIT && !no_parse) {
		hit.sk = call->sk ? (const void *)call->sk : BPF_CORE_READ(skb, sk);
		if (read != READ_FREE)
			hit.dev = skb_device(skb);
	}
	merge_ways(&hit);
	if (config.want_owner)
		hit.owner = find_owner(hit.sk);
	if (tracked_skb) {
		hit.trace_id = tracked_skb->trace_id;
	} else {
		if (!follows_packets() && (!sight.pkt.l3_proto || !packet_matches(&sight.pkt)))
			return;
		if (!surroundings_match(hit.dev, hit.sk, hit.owner))
			return;
		if (config.filter_wanted && hit.flags & EVENT_FROM_SOCKET)
			sight.place.network = (const void *)write_socket_headers(&sight.pkt);
		if (config.filter_wanted && !filter_programs_match(sight.skb, (u64)sight.place.network,
								   (u64)sight.place.l4, sight.pkt.l4_proto))
			return;
		if (config.mode == MODE_STATS) {
			count_hit(hit.probe);
			return;
		}
		if (config.mode != MODE_LATENCY && !within_rate(hit.now))
			return;
		if (follows_packets())
			begin_trace(call, &hit);
		if (follows_packets() && !hit.trace_id)
			return;
		if (follows_packets())
			count_sampled(sight.place.weight);
	}
	if (config.mode == MODE_LATENCY) {
		if (tracked_skb && ends_here(call->spec)) {
			if (flags & SPEC_END)
				report_latency(&hit, tracked_skb, read == READ_DROP || read == READ_FREE);
			untrack(call->skb);
		} else if (tracked_skb) {
			tracked_skb->last_ns = hit.now;
			tracked_skb->last_probe = hit.probe;
		}
		if (read == READ_DERIVE && flags & SPEC_WANT_RETURN && hit.trace_id)
			remember_call(call, &hit);
		return;
	}
	if (flags & SPEC_STACK)
		emit_stack(call->ctx, &hit);
	if (config.want_hooks && read == READ_HOOK_STATE && call->b)
		emit_hooks(&hit, (const void *)call->b);
	if (config.want_bytes)
		hit.flags |= emit_bytes(sight.skb, (u64)sight.place.network, hit.now, hit.trace_id,
					bytes_request(&hit, flags));
	emit_visit(call, &hit);
	if (follows_packets() && ends_here(call->spec))
		untrack(call->skb);
	if (flags & SPEC_WANT_RETURN && follows_packets())
		remember_call(call, &hit);
	if (*(volatile u32 *)&late_options.keep_current)
		set_current(flags & SPEC_RECEIVING ? hit.trace_id : 0, call->skb, &sight.pkt);
}

/* Most hits, most of the time: no packet is followed, and none can be seen here for the first time. */
static __always_inline bool has_no_business(u64 spec)
{
	u32 read = spec_read(spec);

	if (read < READ_OWN && is_silent())
		return true;
	return follows_packets() && !(spec_flags(spec) & SPEC_ENTRY) && read < READ_OWN && read != READ_STATE &&
	       read != READ_ROUTE && nothing_tracked();
}

static __always_inline void handle_call(struct call *call)
{
	u32 read = spec_read(call->spec);

	if (read >= READ_OWN) {
		if (config.want_owner)
			handle_owner(call);
		call->want_return = read == READ_OWN_RETURN;
	} else if (read == READ_SOCK || read == READ_RTT) {
		if (!follows_packets())
			handle_sock(call);
	} else if (read == READ_NEIGH) {
		if (config.mode == MODE_EVENTS)
			handle_neigh(call);
	} else if (read == READ_DEVICE) {
		if (config.mode == MODE_EVENTS)
			handle_device(call);
	} else if (read == READ_STATE || read == READ_ROUTE) {
		if (config.mode == MODE_LIFE)
			handle_ambient(call);
	} else {
		handle_visit(call);
	}
}

#endif
