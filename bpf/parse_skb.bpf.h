/* SPDX-License-Identifier: GPL-2.0-only */
/* From an skb, or from a socket that is about to send one, to struct event_packet. */
#ifndef NETTRACE_PARSE_SKB_H
#define NETTRACE_PARSE_SKB_H

#include "kernel_types.h"
#include "event.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_IPV6_EXTENSIONS 4
#define ETH_HEADER 14
#define VLAN_TAG 4
#define MAX_VLAN_TAGS 2
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10

enum { NEXTHDR_HOP = 0, NEXTHDR_ROUTING = 43, NEXTHDR_FRAGMENT = 44, NEXTHDR_DEST = 60 };

/* Where the headers and TCP's options are, for what is read later. */
struct packet_place {
	const unsigned char *network; /* VLAN tags that are still in the data come first */
	const unsigned char *l4; /* NULL in later fragments */
	const unsigned char *tcp_options;
	/* here, and none larger than it has to be, because the stack is full: */
	u32 skb_len;
	u16 tcp_options_length;
	u16 weight; /* see sample_weight() */
};

static __always_inline void parse_tcp(const unsigned char *l4, u32 l4_length, struct event_packet *pkt,
				      struct packet_place *place)
{
	struct tcphdr tcp;
	u32 header;

	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), l4))
		return;
	header = (tcp.doff_res >> 4) * 4;
	if (header < sizeof(tcp))
		return;
	pkt->sport = bpf_ntohs(tcp.source);
	pkt->dport = bpf_ntohs(tcp.dest);
	pkt->seq = bpf_ntohl(tcp.seq);
	pkt->ack = bpf_ntohl(tcp.ack_seq);
	pkt->tcp_flags = tcp.flags;
	pkt->window = bpf_ntohs(tcp.window);
	pkt->payload = l4_length > header ? l4_length - header : 0;
	pkt->l4_proto = IPPROTO_TCP;
	place->tcp_options = l4 + sizeof(tcp);
	place->tcp_options_length = header - sizeof(tcp);
}

static __always_inline void parse_l4(const unsigned char *l4, u32 l4_length, u8 proto, struct event_packet *pkt,
				     struct packet_place *place)
{
	place->l4 = l4;
	if (proto == IPPROTO_TCP) {
		parse_tcp(l4, l4_length, pkt, place);
		return;
	}
	pkt->l4_proto = proto;
	if (proto == IPPROTO_UDP) {
		struct udphdr udp;

		if (bpf_probe_read_kernel(&udp, sizeof(udp), l4))
			return;
		pkt->sport = bpf_ntohs(udp.source);
		pkt->dport = bpf_ntohs(udp.dest);
		pkt->payload = l4_length > sizeof(udp) ? l4_length - sizeof(udp) : 0;
	} else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		struct icmphdr icmp;

		if (bpf_probe_read_kernel(&icmp, sizeof(icmp), l4))
			return;
		pkt->icmp_type = icmp.type;
		pkt->icmp_code = icmp.code;
		pkt->sport = bpf_ntohs(icmp.id);
		pkt->dport = bpf_ntohs(icmp.sequence);
		pkt->payload = l4_length > sizeof(icmp) ? l4_length - sizeof(icmp) : 0;
	}
}

/* The skb's bytes from one of its headers on. */
static __always_inline u32 length_from(const struct sk_buff *skb, const unsigned char *header)
{
	return BPF_CORE_READ(skb, len) + (u32)(BPF_CORE_READ(skb, data) - header);
}

/* `has_length`: what the header says of the packet's length is written already. */
static __always_inline bool parse_ipv4(const struct sk_buff *skb, const unsigned char *l3, bool has_length,
				       struct event_packet *pkt, struct packet_place *place)
{
	struct iphdr ip;
	u32 header, total;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), l3))
		return false;
	header = (ip.version_ihl & 0xf) * 4;
	if (ip.version_ihl >> 4 != 4 || header < sizeof(ip))
		return false;
	__builtin_memcpy(pkt->saddr, &ip.saddr, 4);
	__builtin_memcpy(pkt->daddr, &ip.daddr, 4);
	pkt->l3_proto = ETH_P_IP;
	pkt->ip_id = bpf_ntohs(ip.id);
	total = bpf_ntohs(ip.tot_len);
	/* 0 for packets over 64 KiB (BIG TCP) */
	if (!has_length || total < header) {
		total = length_from(skb, l3);
		if ((int)total < (int)header)
			total = header;
	}
	pkt->pkt_len = total;
	if (ip.frag_off & bpf_htons(0x1fff))
		pkt->l4_proto = ip.protocol; /* a later fragment: no transport header */
	else
		parse_l4(l3 + header, total - header, ip.protocol, pkt, place);
	return true;
}

static __always_inline bool parse_ipv6(const struct sk_buff *skb, const unsigned char *l3, bool has_length,
				       struct event_packet *pkt, struct packet_place *place)
{
	const unsigned char *next = l3 + sizeof(struct ipv6hdr);
	struct ipv6hdr ip;
	u32 left;
	u8 proto;
	int i;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), l3))
		return false;
	if (ip.version_priority >> 4 != 6)
		return false;
	__builtin_memcpy(pkt->saddr, ip.saddr, 16);
	__builtin_memcpy(pkt->daddr, ip.daddr, 16);
	pkt->l3_proto = ETH_P_IPV6;
	left = bpf_ntohs(ip.payload_len);
	if (!has_length || !left) {
		left = length_from(skb, next);
		if ((int)left < 0)
			left = 0;
	}
	pkt->pkt_len = sizeof(ip) + left;
	proto = ip.nexthdr;
	for (i = 0; i < MAX_IPV6_EXTENSIONS; i++) {
		u8 extension[4];
		u32 size;

		if (proto != NEXTHDR_HOP && proto != NEXTHDR_ROUTING && proto != NEXTHDR_DEST &&
		    proto != NEXTHDR_FRAGMENT)
			break;
		if (bpf_probe_read_kernel(extension, sizeof(extension), next))
			return true;
		size = proto == NEXTHDR_FRAGMENT ? 8 : (extension[1] + 1) * 8;
		if (proto == NEXTHDR_FRAGMENT && (extension[2] || extension[3] & 0xf8)) {
			pkt->l4_proto = extension[0];
			return true;
		}
		proto = extension[0];
		next += size;
		left = left > size ? left - size : 0;
	}
	parse_l4(next, left, proto, pkt, place);
	return true;
}

static __always_inline bool parse_arp(const unsigned char *l3, struct event_packet *pkt)
{
	struct arphdr_ipv4 arp;

	if (bpf_probe_read_kernel(&arp, sizeof(arp), l3))
		return false;
	if (arp.pro != bpf_htons(ETH_P_IP) || arp.hln != 6 || arp.pln != 4)
		return false;
	__builtin_memcpy(pkt->saddr, arp.sip, 4);
	__builtin_memcpy(pkt->daddr, arp.tip, 4);
	pkt->l3_proto = ETH_P_ARP;
	pkt->arp_op = bpf_ntohs(arp.op);
	pkt->pkt_len = sizeof(arp);
	return true;
}

static __always_inline bool is_vlan(u16 proto)
{
	return proto == ETH_P_8021Q || proto == ETH_P_8021AD;
}

/*
 * Finds the network header. It is set on most of the way; between the driver and __netif_receive_skb_core only
 * the link layer's header is, or nothing but skb->data, which then stands at the network header. VLAN tags
 * that are still in the data are stepped over.
 */
static __always_inline bool parse_skb(const struct sk_buff *skb, struct event_packet *pkt, struct packet_place *place)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	u16 network = BPF_CORE_READ(skb, network_header);
	u16 proto = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	const unsigned char *l3;
	u8 first;
	int i;

	if (!head)
		return false;
	place->skb_len = BPF_CORE_READ(skb, len);
	if (network && network != 0xffff)
		l3 = head + network;
	else
		l3 = BPF_CORE_READ(skb, data);
	place->network = l3;
	if (is_vlan(proto)) {
		u16 mac = BPF_CORE_READ(skb, mac_header);

		/* packet sockets set the network header behind the tags (packet_parse_headers) */
		if (network != 0xffff && mac != 0xffff && network >= mac + ETH_HEADER + VLAN_TAG)
			l3 -= VLAN_TAG;
	}
	for (i = 0; i < MAX_VLAN_TAGS && is_vlan(proto); i++) {
		__be16 tag[2];

		if (bpf_probe_read_kernel(tag, sizeof(tag), l3))
			return false;
		proto = bpf_ntohs(tag[1]);
		l3 += sizeof(tag);
	}
	if (proto == ETH_P_ARP)
		return parse_arp(l3, pkt);
	if (proto == ETH_P_IP)
		return parse_ipv4(skb, l3, true, pkt, place);
	if (proto == ETH_P_IPV6)
		return parse_ipv6(skb, l3, true, pkt, place);
	/* the stack writes skb->protocol after the header, together with its length (__ip_local_out, __ip6_local_out) */
	if (proto || !network || bpf_probe_read_kernel(&first, 1, l3))
		return false;
	if (first >> 4 == 4)
		return parse_ipv4(skb, l3, false, pkt, place);
	if (first >> 4 == 6)
		return parse_ipv6(skb, l3, false, pkt, place);
	return false;
}

/* The addresses of a socket, from its own side. */
static __always_inline void parse_sock_tuple(const struct sock *sk, struct event_packet *pkt)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET6) {
		BPF_CORE_READ_INTO(&pkt->saddr, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&pkt->daddr, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
		pkt->l3_proto = ETH_P_IPV6;
		/* a mapped address: the packet on the wire is IPv4 */
		if (*(u64 *)pkt->daddr == 0 && *(u32 *)(pkt->daddr + 8) == bpf_htonl(0xffff))
			family = AF_INET;
	}
	if (family == AF_INET) {
		__be32 saddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 daddr = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memset(pkt->saddr, 0, sizeof(pkt->saddr));
		__builtin_memset(pkt->daddr, 0, sizeof(pkt->daddr));
		__builtin_memcpy(pkt->saddr, &saddr, 4);
		__builtin_memcpy(pkt->daddr, &daddr, 4);
		pkt->l3_proto = ETH_P_IP;
	}
	pkt->sport = BPF_CORE_READ(sk, __sk_common.skc_num);
	/* a socket that closes has given its port back, and remembers which it was */
	if (!pkt->sport && BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_TIME_WAIT)
		pkt->sport = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	pkt->dport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

/*
 * A TCP segment before its headers are written: addresses of the socket, the rest from the control block. True where it
 * comes into the queue now, without data.
 */
static __always_inline bool parse_transmit(const struct sock *sk, const struct sk_buff *skb, struct event_packet *pkt,
					   struct packet_place *place)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	bool is_new;

	if (!sk)
		return false;
	parse_sock_tuple(sk, pkt);
	if (!pkt->l3_proto)
		return false;
	pkt->l4_proto = IPPROTO_TCP;
	pkt->seq = BPF_CORE_READ(cb, seq);
	pkt->tcp_flags = BPF_CORE_READ(cb, tcp_flags);
	/* no segment is without flags: this one comes into the queue now, and what tcp_skb_entail() will write is known */
	is_new = !pkt->tcp_flags;
	if (is_new) {
		pkt->seq = BPF_CORE_READ((const struct tcp_sock *)sk, write_seq);
		pkt->tcp_flags = TCP_FLAG_ACK;
	}
	if (pkt->tcp_flags & TCP_FLAG_ACK)
		pkt->ack = BPF_CORE_READ((const struct tcp_sock *)sk, rcv_nxt);
	place->skb_len = BPF_CORE_READ(skb, len);
	pkt->payload = place->skb_len;
	return is_new;
}

/* A segment that TCP hands to IP: its own header is written, IP's is not yet. */
static __always_inline void parse_handed_down(const struct sock *sk, const struct sk_buff *skb,
					      struct event_packet *pkt, struct packet_place *place)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	u16 transport = BPF_CORE_READ(skb, transport_header);

	if (!head || !transport || transport == 0xffff || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	parse_tcp(head + transport, place->skb_len, pkt, place);
	if (pkt->l4_proto)
		parse_sock_tuple(sk, pkt);
}

#endif
