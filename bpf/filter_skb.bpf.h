/* SPDX-License-Identifier: GPL-2.0-only */
/* Does this packet match? A packet matches only if it has what the filter asks for. */
#ifndef NETTRACE_FILTER_SKB_H
#define NETTRACE_FILTER_SKB_H

#include "kernel_types.h"
#include "config.h"
#include "event.h"
#include "owner.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/*
 * The tests below compute instead of branching: each branch doubles what the verifier walks through, and a filter of two
 * nets was too much for the one of 5.10. forget() keeps the compiler from finding the branches again.
 */
static __always_inline u64 forget(u64 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

/* 1 if the value is zero, else 0. */
static __always_inline u64 is_zero(u64 value)
{
	return forget(~(value | -value)) >> 63;
}

/* ARP carries IPv4 addresses: an IPv4 filter matches it. `family` is an ethertype, ARP's taken as IPv4's. */
static __always_inline u64 addr_in(const volatile struct filter_net *nets, u32 count, const unsigned char *addr,
				   u64 family)
{
	const u64 *have = (const u64 *)addr;
	u64 found = 0;
	u32 i;

	for (i = 0; i < MAX_NETS; i++) {
		const volatile u64 *want = (const volatile u64 *)nets[i].addr;
		const volatile u64 *mask = (const volatile u64 *)nets[i].mask;

		if (i >= count)
			break;
		found |= is_zero(((have[0] & mask[0]) ^ want[0]) | ((have[1] & mask[1]) ^ want[1]) |
				 (family ^ nets[i].l3_proto));
	}
	return found;
}

static __always_inline u64 port_in(const volatile struct filter_range *ranges, u32 count, u64 port)
{
	u64 found = 0;
	u32 i;

	for (i = 0; i < MAX_PORT_RANGES; i++) {
		u64 low = ranges[i].low, high = ranges[i].high;

		if (i >= count)
			break;
		/* neither difference is negative */
		found |= forget(~((port - low) | (high - port))) >> 63;
	}
	return found;
}

static __always_inline u64 flags_match(const volatile struct filter_config *f, u64 flags)
{
	u64 found = 0;
	u32 i;

	for (i = 0; i < MAX_FLAG_SETS; i++) {
		u64 set = f->flags[i];

		if (i >= f->flags_count)
			break;
		found |= is_zero((flags & set) ^ set);
	}
	return found;
}

static __always_inline bool wants_ports(void)
{
	const volatile struct filter_config *f = &config.filter;

	return f->port_count || f->sport_count || f->dport_count;
}

static __always_inline bool ports_match(u64 sport, u64 dport)
{
	const volatile struct filter_config *f = &config.filter;

	if (f->port_count && !(port_in(f->port, f->port_count, sport) | port_in(f->port, f->port_count, dport)))
		return false;
	if (f->sport_count && !port_in(f->sport, f->sport_count, sport))
		return false;
	return !f->dport_count || port_in(f->dport, f->dport_count, dport);
}

/*
 * Most packets where ports are asked for: IPv4 without options, and other ports. Three reads tell, where parsing takes
 * three times as many. What this does not turn away may match; `sk` is as parse_handed_down() takes it.
 */
static __always_inline bool has_other_ports(const struct sk_buff *skb, const struct sock *sk)
{
	const u32 first = bpf_core_field_offset(struct sk_buff, protocol);
	const u32 to_transport = bpf_core_field_offset(struct sk_buff, transport_header) - first;
	const u32 to_network = bpf_core_field_offset(struct sk_buff, network_header) - first;
	const unsigned char *head;
	u16 network, transport;
	u64 places = 0;
	struct {
		struct iphdr ip;
		__be16 sport;
		__be16 dport;
	} begin;

	if (!wants_ports() || to_transport > 6 || to_network > 6)
		return false;
	bpf_probe_read_kernel(&places, sizeof(places), (const char *)skb + first);
	head = BPF_CORE_READ(skb, head);
	network = places >> 8 * to_network;
	transport = places >> 8 * to_transport;
	if ((u16)places == bpf_htons(ETH_P_IP) && network && network != 0xffff) {
		if (bpf_probe_read_kernel(&begin, sizeof(begin), head + network))
			return false;
		if (begin.ip.version_ihl != 0x45 || begin.ip.frag_off & bpf_htons(0x1fff))
			return false;
		if (begin.ip.protocol != IPPROTO_TCP && begin.ip.protocol != IPPROTO_UDP)
			return true;
	} else {
		/* handed down without a header of IP */
		if (!sk || places & 0xffff || network || !transport || transport == 0xffff)
			return false;
		if (bpf_probe_read_kernel(&begin.sport, 2 * sizeof(begin.sport), head + transport))
			return false;
	}
	return !ports_match(bpf_ntohs(begin.sport), bpf_ntohs(begin.dport));
}

/* What the packet itself says. The tests that turn most packets away come first. */
static __always_inline bool packet_matches(const struct event_packet *pkt)
{
	const volatile struct filter_config *f = &config.filter;
	u64 family = pkt->l3_proto;

	if (f->l3_proto && pkt->l3_proto != f->l3_proto)
		return false;
	if (f->l4_proto && pkt->l4_proto != f->l4_proto)
		return false;
	if (wants_ports()) {
		if (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP)
			return false;
		if (!pkt->sport && !pkt->dport)
			return false; /* a later fragment */
		if (!ports_match(pkt->sport, pkt->dport))
			return false;
	}
	if (family == ETH_P_ARP)
		family = ETH_P_IP;
	if (f->addr_count && !(addr_in(f->addr, f->addr_count, pkt->saddr, family) |
			       addr_in(f->addr, f->addr_count, pkt->daddr, family)))
		return false;
	if (f->saddr_count && !addr_in(f->saddr, f->saddr_count, pkt->saddr, family))
		return false;
	if (f->daddr_count && !addr_in(f->daddr, f->daddr_count, pkt->daddr, family))
		return false;
	if (f->flags_count && (pkt->l4_proto != IPPROTO_TCP || !flags_match(f, pkt->tcp_flags)))
		return false;
	if (f->len_high && (pkt->pkt_len < f->len_low || pkt->pkt_len > f->len_high))
		return false;
	return true;
}

/* The process that owns the socket. */
static __always_inline bool owner_matches(const struct sock_owner *owner)
{
	const volatile struct filter_config *f = &config.filter;

	if (!f->pid && !f->has_comm)
		return true;
	if (!owner || (f->pid && owner->pid != f->pid))
		return false;
	if (f->has_comm) {
		const volatile u64 *want = (const volatile u64 *)f->comm;
		const u64 *have = (const u64 *)owner->comm;

		return have[0] == want[0] && have[1] == want[1];
	}
	return true;
}

/* With netns_listed: inodes of the namespaces that are asked for. User space makes it large enough then. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} netns_set SEC(".maps");

/* What its surroundings say: netns, interface, owner. Each may be null. */
static __always_inline bool surroundings_match(const struct net_device *dev, const struct sock *sk,
					       const struct sock_owner *owner)
{
	const volatile struct filter_config *f = &config.filter;

	if (!owner_matches(owner))
		return false;
	if (f->has_ifname) {
		const volatile u64 *want = (const volatile u64 *)f->ifname;
		u64 have[2] = {};

		if (!dev || bpf_core_read_str(have, sizeof(have), &dev->name) < 0)
			return false;
		if (have[0] != want[0] || have[1] != want[1])
			return false;
	}
	if (f->netns || f->netns_listed) {
		u32 inum = 0;

		if (dev)
			inum = BPF_CORE_READ(dev, nd_net.net, ns.inum);
		else if (sk)
			inum = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
		if (f->netns && inum != f->netns)
			return false;
		if (f->netns_listed && !bpf_map_lookup_elem(&netns_set, &inum))
			return false;
	}
	return true;
}

#endif
