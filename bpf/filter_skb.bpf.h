/* SPDX-License-Identifier: GPL-2.0-only */
/* Does this packet match? A packet matches only if it has what the filter asks for. */
#ifndef NETTRACE_FILTER_SKB_H
#define NETTRACE_FILTER_SKB_H

#include "kernel_types.h"
#include "config.h"
#include "event.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

const volatile struct trace_config config = {};

static __always_inline bool net_matches(const volatile struct filter_net *net, const unsigned char *addr)
{
	const volatile u32 *want = (const volatile u32 *)net->addr;
	const volatile u32 *mask = (const volatile u32 *)net->mask;
	const u32 *have = (const u32 *)addr;

	return (have[0] & mask[0]) == want[0] && (have[1] & mask[1]) == want[1] && (have[2] & mask[2]) == want[2] &&
	       (have[3] & mask[3]) == want[3];
}

/* ARP carries IPv4 addresses: an IPv4 filter matches it. */
static __always_inline bool family_matches(const volatile struct filter_net *net, u16 l3_proto)
{
	return net->l3_proto == l3_proto || (net->l3_proto == ETH_P_IP && l3_proto == ETH_P_ARP);
}

static __always_inline bool addr_in(const volatile struct filter_net *nets, u32 count, const unsigned char *addr,
				    u16 l3_proto)
{
	u32 i;

	for (i = 0; i < MAX_NETS; i++) {
		if (i >= count)
			break;
		if (family_matches(&nets[i], l3_proto) && net_matches(&nets[i], addr))
			return true;
	}
	return false;
}

static __always_inline bool port_in(const volatile struct filter_range *ranges, u32 count, u16 port)
{
	u32 i;

	for (i = 0; i < MAX_PORT_RANGES; i++) {
		if (i >= count)
			break;
		if (port >= ranges[i].low && port <= ranges[i].high)
			return true;
	}
	return false;
}

static __always_inline bool flags_match(const volatile struct filter_config *f, u8 flags)
{
	u32 i;

	for (i = 0; i < MAX_FLAG_SETS; i++) {
		if (i >= f->flags_count)
			break;
		if ((flags & f->flags[i]) == f->flags[i])
			return true;
	}
	return false;
}

/* What the packet itself says. The tests that turn most packets away come first. */
static __always_inline bool packet_matches(const struct event_packet *pkt)
{
	const volatile struct filter_config *f = &config.filter;

	if (f->l3_proto && pkt->l3_proto != f->l3_proto)
		return false;
	if (f->l4_proto && pkt->l4_proto != f->l4_proto)
		return false;
	if (f->port_count || f->sport_count || f->dport_count) {
		if (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP)
			return false;
		if (!pkt->sport && !pkt->dport)
			return false; /* a later fragment */
		if (f->port_count && !port_in(f->port, f->port_count, pkt->sport) &&
		    !port_in(f->port, f->port_count, pkt->dport))
			return false;
		if (f->sport_count && !port_in(f->sport, f->sport_count, pkt->sport))
			return false;
		if (f->dport_count && !port_in(f->dport, f->dport_count, pkt->dport))
			return false;
	}
	if (f->addr_count && !addr_in(f->addr, f->addr_count, pkt->saddr, pkt->l3_proto) &&
	    !addr_in(f->addr, f->addr_count, pkt->daddr, pkt->l3_proto))
		return false;
	if (f->saddr_count && !addr_in(f->saddr, f->saddr_count, pkt->saddr, pkt->l3_proto))
		return false;
	if (f->daddr_count && !addr_in(f->daddr, f->daddr_count, pkt->daddr, pkt->l3_proto))
		return false;
	if (f->flags_count && (pkt->l4_proto != IPPROTO_TCP || !flags_match(f, pkt->tcp_flags)))
		return false;
	if (f->len_high && (pkt->pkt_len < f->len_low || pkt->pkt_len > f->len_high))
		return false;
	return true;
}

/* What its surroundings say: netns, interface, process. `dev` may be null. */
static __always_inline bool surroundings_match(const struct net_device *dev, const struct sock *sk)
{
	const volatile struct filter_config *f = &config.filter;

	if (f->pid && (u32)(bpf_get_current_pid_tgid() >> 32) != f->pid)
		return false;
	if (f->has_ifname) {
		const volatile u64 *want = (const volatile u64 *)f->ifname;
		u64 have[2] = {};

		if (!dev || bpf_core_read_str(have, sizeof(have), &dev->name) < 0)
			return false;
		if (have[0] != want[0] || have[1] != want[1])
			return false;
	}
	if (f->netns) {
		u32 inum = 0;

		if (dev)
			inum = BPF_CORE_READ(dev, nd_net.net, ns.inum);
		else if (sk)
			inum = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		if (inum != f->netns)
			return false;
	}
	return true;
}

#endif
