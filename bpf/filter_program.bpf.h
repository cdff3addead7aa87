/* SPDX-License-Identifier: GPL-2.0-only */
/* Filter expressions: copies what they can look at, and runs what was generated from them. */
#ifndef NETTRACE_FILTER_PROGRAM_BPF_H
#define NETTRACE_FILTER_PROGRAM_BPF_H

#include "kernel_types.h"
#include "config.h"
#include "filter_program.h"
#include "packet_bytes.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define ETH_P_TEB 0x6558
#define IPPROTO_IPIP 4
#define IPPROTO_IPV6 41
#define IPPROTO_GRE 47
#define GRE_CSUM 0x8000
#define GRE_ROUTING 0x4000
#define GRE_KEY 0x2000
#define GRE_SEQ 0x1000
#define GRE_VERSION 0x0007
#define VXLAN_PORT 4789
#define VXLAN_PORT_LINUX 8472 /* the kernel's default for devices that were given none */
#define GENEVE_PORT 6081
#define VXLAN_HAS_VNI 0x08

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct filter_scratch);
} filter_scratch SEC(".maps");

static u64 generated_filter(struct filter_scratch *scratch, u64 skb, u64 program);

/* Reads the rest of the packet behind `offset` bytes of the scratch that are already there. */
static __always_inline bool copy_bytes(struct filter_scratch *scratch, u32 offset, const unsigned char *from,
				       u64 available, u64 window)
{
	if (available > window)
		available = window;
	asm volatile("" : "+r"(available)); /* or the compiler finds the bound somewhere else than the verifier */
	if (available > FILTER_WINDOW - ETH_ADDRESSES - VLAN_TAG)
		available = FILTER_WINDOW - ETH_ADDRESSES - VLAN_TAG;
	scratch->captured = offset + available;
	return bpf_probe_read_kernel(scratch->packet + offset, available, from) == 0;
}

static __always_inline bool run_on(struct filter_scratch *scratch, u64 skb, const struct packet_bytes *bytes,
				   u64 window, u64 program)
{
	u64 available = bytes->linear_end - bytes->start;

	if ((s64)available <= 0)
		return false;
	scratch->length = bytes->length;
	if (!bytes->tag)
		return copy_bytes(scratch, 0, bytes->start, available, window) &&
		       generated_filter(scratch, skb, program);
	if (available < ETH_HEADER)
		return false;
	scratch->length += VLAN_TAG;
	if (bpf_probe_read_kernel(scratch->packet, ETH_ADDRESSES, bytes->start))
		return false;
	*(u32 *)(scratch->packet + ETH_ADDRESSES) = bytes->tag;
	return copy_bytes(scratch, ETH_ADDRESSES + VLAN_TAG, bytes->start + ETH_ADDRESSES, available - ETH_ADDRESSES,
			  window) &&
	       generated_filter(scratch, skb, program);
}

static __always_inline bool expression_matches(struct filter_scratch *scratch, const struct sk_buff *skb,
					       const unsigned char *network, struct packet_bytes *bytes)
{
	u64 program = find_bytes(skb, network, bytes) ? FILTER_ETHERNET : FILTER_RAW;

	return run_on(scratch, (u64)skb, bytes, config.expression_window, program);
}

/* What is inside: where it starts, and which program looks at it. False where this is no tunnel. */
static __always_inline bool enter_udp_tunnel(const unsigned char *l4, const unsigned char **inner, u64 *program)
{
	struct {
		struct udphdr udp;
		u8 tunnel[8];
	} outer;
	u16 port, proto;

	if (bpf_probe_read_kernel(&outer, sizeof(outer), l4))
		return false;
	port = bpf_ntohs(outer.udp.dest);
	*inner = l4 + sizeof(outer);
	*program = FILTER_INNER_ETHERNET;
	if (port == VXLAN_PORT || port == VXLAN_PORT_LINUX)
		return outer.tunnel[0] & VXLAN_HAS_VNI;
	if (port != GENEVE_PORT || outer.tunnel[0] >> 6)
		return false;
	*inner += (outer.tunnel[0] & 0x3f) * 4;
	proto = outer.tunnel[2] << 8 | outer.tunnel[3];
	if (proto == ETH_P_TEB)
		return true;
	*program = FILTER_INNER_RAW;
	return proto == ETH_P_IP || proto == ETH_P_IPV6;
}

static __always_inline bool enter_gre(const unsigned char *l4, const unsigned char **inner, u64 *program)
{
	__be16 gre[2];
	u16 flags, proto;

	if (bpf_probe_read_kernel(gre, sizeof(gre), l4))
		return false;
	flags = bpf_ntohs(gre[0]);
	proto = bpf_ntohs(gre[1]);
	if (flags & (GRE_ROUTING | GRE_VERSION))
		return false;
	*inner = l4 + sizeof(gre) + (flags & GRE_CSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQ ? 4 : 0);
	*program = proto == ETH_P_TEB ? FILTER_INNER_ETHERNET : FILTER_INNER_RAW;
	return proto == ETH_P_TEB || proto == ETH_P_IP || proto == ETH_P_IPV6;
}

static __always_inline bool tunnel_matches(struct filter_scratch *scratch, const struct sk_buff *skb,
					   const unsigned char *l4, u32 l4_proto, struct packet_bytes *bytes)
{
	u64 program = FILTER_INNER_RAW;

	if (!l4)
		return false;
	bytes->tag = 0;
	bytes->start = l4;
	if (l4_proto == IPPROTO_UDP) {
		if (!enter_udp_tunnel(l4, &bytes->start, &program))
			return false;
	} else if (l4_proto == IPPROTO_GRE) {
		if (!enter_gre(l4, &bytes->start, &program))
			return false;
	} else if (l4_proto != IPPROTO_IPIP && l4_proto != IPPROTO_IPV6) {
		return false;
	}
	bytes->length = length_from(skb, bytes->start);
	return run_on(scratch, (u64)skb, bytes, config.tunnel_window, program);
}

/*
 * Before the headers are written: those parts that the socket knows, the rest zero. src/filter/socket-headers.ts has to
 * know which these are. Gives what filter_programs_match() takes in place of the network header's address.
 */
static __always_inline u64 write_socket_headers(const struct event_packet *pkt)
{
	bool v6 = pkt->l3_proto == ETH_P_IPV6;
	struct filter_scratch *scratch;
	u32 zero = 0;
	u8 *tcp;

	scratch = bpf_map_lookup_elem(&filter_scratch, &zero);
	if (!scratch)
		return 0;
	__builtin_memset(scratch->packet, 0, IPV6_HEADER + TCP_HEADER);
	if (v6) {
		scratch->packet[0] = 0x60;
		scratch->packet[6] = IPPROTO_TCP;
		__builtin_memcpy(scratch->packet + 8, pkt->saddr, 16);
		__builtin_memcpy(scratch->packet + 24, pkt->daddr, 16);
		tcp = scratch->packet + IPV6_HEADER;
	} else {
		scratch->packet[0] = 0x45;
		scratch->packet[9] = IPPROTO_TCP;
		__builtin_memcpy(scratch->packet + 12, pkt->saddr, 4);
		__builtin_memcpy(scratch->packet + 16, pkt->daddr, 4);
		tcp = scratch->packet + IPV4_HEADER;
	}
	*(u16 *)tcp = bpf_htons(pkt->sport);
	*(u16 *)(tcp + 2) = bpf_htons(pkt->dport);
	*(u32 *)(tcp + 4) = bpf_htonl(pkt->seq);
	*(u32 *)(tcp + 8) = bpf_htonl(pkt->ack);
	tcp[13] = pkt->tcp_flags;
	scratch->captured = v6 ? IPV6_HEADER + TCP_HEADER : IPV4_HEADER + TCP_HEADER;
	return v6 ? FILTER_SOCKET_V6 : FILTER_SOCKET_V4;
}

/*
 * Global, and with numbers only as arguments: so it is verified once and by itself, and not again for each way that leads
 * here. Addresses of zero: there is no such header (yet); in place of `network` what write_socket_headers() gave.
 */
__attribute__((noinline)) u64 filter_programs_match(u64 skb_address, u64 network, u64 l4, u64 l4_proto)
{
	const struct sk_buff *skb = (const void *)skb_address;
	struct filter_scratch *scratch;
	struct packet_bytes bytes = {};
	u32 zero = 0;

	scratch = bpf_map_lookup_elem(&filter_scratch, &zero);
	if (!scratch)
		return 0;
	if (config.filter_wanted & (FILTER_WANT_EXPRESSION | FILTER_WANT_TUNNEL)) {
		if (!network)
			return 0;
		bytes.linear_end = linear_end(skb);
	}
	if (config.filter_wanted & FILTER_WANT_EXPRESSION) {
		if (network == FILTER_SOCKET_V4 || network == FILTER_SOCKET_V6) {
			if (!generated_filter(scratch, skb_address, network))
				return 0;
		} else if (!expression_matches(scratch, skb, (const void *)network, &bytes)) {
			return 0;
		}
	}
	if (config.filter_wanted & FILTER_WANT_TUNNEL &&
	    !tunnel_matches(scratch, skb, (const void *)l4, l4_proto, &bytes))
		return 0;
	if (config.filter_wanted & FILTER_WANT_META && !generated_filter(scratch, skb_address, FILTER_META))
		return 0;
	return 1;
}

/*
 * Nothing matches, until user space writes another body in the place of this one. It can only grow at the end of the
 * section, so this stays the last function that is not inlined.
 */
static __attribute__((naked, noinline)) u64 generated_filter(struct filter_scratch *scratch, u64 skb, u64 program)
{
	asm volatile("r0 = 0\n\texit");
}

#endif
