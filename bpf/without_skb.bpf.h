/* SPDX-License-Identifier: GPL-2.0-only */
/* Hits of probes that carry no packet: sockets, neighbours, devices, owners, and what happens to the packet at hand. */
#ifndef NETTRACE_WITHOUT_SKB_H
#define NETTRACE_WITHOUT_SKB_H

#include "kernel_types.h"
#include "call.bpf.h"
#include "config.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "filter_skb.bpf.h"
#include "owner.bpf.h"
#include "parse_skb.bpf.h"
#include "socket.bpf.h"
#include "statistics.bpf.h"
#include "track_skb.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

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

/* Read into the record itself, as emit_segment() does. `rtt`: with a sample that the socket does not have yet; or NULL. */
static __always_inline void emit_sock(const struct hit *hit, u32 new_state, const struct round_trips *rtt)
{
	struct event_sock *sock;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_SOCK, sizeof(*sock),
					      (void **)&sock);

	if (!head)
		return;
	read_sock(sock, hit->sk);
	sock->new_state = new_state;
	if (rtt) {
		sock->srtt_us = rtt->srtt_us;
		sock->rtt_min_us = rtt->rtt_min_us;
	}
	bpf_ringbuf_submit(head, 0);
}

/* include/linux/netdevice.h: NETDEV_HASHENTRIES; and so many devices of a bucket are looked at. */
#define DEVICE_BUCKETS 256
#define MAX_IN_BUCKET 8

/* The device that a socket is bound to, out of its namespace's table. */
static __always_inline const struct net_device *bound_device(const struct sock *sk, const struct net *net)
{
	int index = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if), i;
	const struct hlist_head *bucket;
	const struct hlist_node *node;

	if (!index)
		return NULL;
	bucket = BPF_CORE_READ(net, dev_index_head) + (index & (DEVICE_BUCKETS - 1));
	node = BPF_CORE_READ(bucket, first);
#pragma unroll
	for (i = 0; i < MAX_IN_BUCKET; i++) {
		const char *dev = (const char *)node - bpf_core_field_offset(struct net_device, index_hlist);

		if (!node)
			break;
		if (BPF_CORE_READ((const struct net_device *)dev, ifindex) == index)
			return (const struct net_device *)dev;
		node = BPF_CORE_READ(node, next);
	}
	return NULL;
}

/* The device of the route that a socket remembers, or that it is bound to; NULL where there is none of its namespace. */
static __always_inline const struct net_device *socket_device(const struct sock *sk)
{
	const struct net_device *dev = BPF_CORE_READ(sk, sk_dst_cache, dev);
	const struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	/* a route whose device is gone has one of the first namespace in its place (dst_dev_put) */
	if (dev && BPF_CORE_READ(dev, nd_net.net) == net)
		return dev;
	return bound_device(sk, net);
}

/* A socket at work, with no packet at hand. */
static __always_inline void handle_sock(const struct call *call)
{
	const struct sock *sk = (const void *)call->a;
	struct event_packet pkt = {};
	bool has_b = spec_arg(call->spec, SPEC_ARG_B_SHIFT) != SPEC_NO_ARG;
	bool is_rtt = spec_read(call->spec) == READ_RTT;
	struct round_trips rtt = {};
	struct hit hit = {};

	if (!sk)
		return;
	hit.now = bpf_ktime_get_ns();
	hit.probe = spec_probe(call->spec);
	hit.pkt = &pkt;
	hit.sk = sk;
	if (config.want_owner)
		hit.owner = find_owner(sk);
	parse_sock_tuple(sk, &pkt);
	pkt.l4_proto = BPF_CORE_READ(sk, sk_protocol);
	if (!pkt.l3_proto || !packet_matches(&pkt))
		return;
	if (config.filter.has_ifname || config.want_meta)
		hit.dev = socket_device(sk);
	if (!surroundings_match(hit.dev, sk, hit.owner))
		return;
	/* expressions see the headers of a segment that has neither numbers nor flags yet */
	if (config.filter_wanted &&
	    (pkt.l4_proto != IPPROTO_TCP || !filter_programs_match(0, write_socket_headers(&pkt), 0, pkt.l4_proto)))
		return;
	if (config.mode == MODE_STATS) {
		count_hit(hit.probe);
		return;
	}
	if (is_rtt) {
		if (has_b && (s64)call->b < 0) /* no sample */
			return;
		rtt = read_round_trips(sk);
		if (has_b)
			add_rtt_sample(&rtt, call->b);
		if (!rtt.srtt_us || rtt.srtt_us < config.min_srtt_us || rtt.rtt_min_us < config.min_rtt_us)
			return;
		if (config.want_histogram) {
			count_time(rtt.srtt_us);
			return;
		}
	}
	if (!within_rate(hit.now))
		return;
	if (spec_flags(call->spec) & SPEC_STACK)
		emit_stack(call->ctx, &hit);
	emit_sock(&hit, !is_rtt && has_b ? call->b : 0, is_rtt ? &rtt : NULL);
}

/* A neighbour that does not answer. */
static __always_inline void handle_neigh(const struct call *call)
{
	const struct neighbour *neigh = (const void *)call->a;
	struct event_packet pkt = {};
	struct hit hit = {};

	if (!neigh || !(BPF_CORE_READ(neigh, nud_state) & NUD_FAILED))
		return;
	hit.now = bpf_ktime_get_ns();
	hit.probe = spec_probe(call->spec);
	hit.pkt = &pkt;
	hit.dev = BPF_CORE_READ(neigh, dev);
	if (BPF_CORE_READ(neigh, tbl, family) == AF_INET6) {
		pkt.l3_proto = ETH_P_IPV6;
		bpf_probe_read_kernel(pkt.daddr, 16, neigh->primary_key);
	} else {
		pkt.l3_proto = ETH_P_IP;
		bpf_probe_read_kernel(pkt.daddr, 4, neigh->primary_key);
	}
	if (packet_matches(&pkt) && surroundings_match(hit.dev, NULL, NULL) && within_rate(hit.now))
		emit_plain(&hit, EVENT_VISIT);
}

static __always_inline void handle_device(const struct call *call)
{
	struct event_packet pkt = {};
	struct hit hit = {};

	hit.now = bpf_ktime_get_ns();
	hit.probe = spec_probe(call->spec);
	hit.pkt = &pkt;
	hit.dev = (const void *)call->a;
	if (packet_matches(&pkt) && surroundings_match(hit.dev, NULL, NULL) && within_rate(hit.now))
		emit_value(&hit, call->b);
}

static __always_inline void handle_owner(const struct call *call)
{
	if (spec_read(call->spec) == READ_DISOWN)
		forget_owner(call->a);
	else if (spec_read(call->spec) == READ_OWN)
		remember_owner(call->a);
	else if (spec_read(call->spec) == READ_OWN_STATE && (call->b == TCP_SYN_SENT || call->b == TCP_LISTEN))
		remember_owner(call->a);
}

#endif
