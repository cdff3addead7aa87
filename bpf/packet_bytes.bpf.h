/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a packet's bytes are, as on the wire. */
#ifndef NETTRACE_PACKET_BYTES_H
#define NETTRACE_PACKET_BYTES_H

#include "kernel_types.h"
#include "parse_skb.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_ADDRESSES 12
#define MAX_LINK_HEADER (ETH_HEADER + MAX_VLAN_TAGS * VLAN_TAG)

/* Where a packet's bytes are, and up to where. */
struct packet_bytes {
	const unsigned char *start;
	const unsigned char *linear_end; /* what lies behind is in pages, and not looked at */
	u32 length; /* from start to the packet's end */
	u32 tag; /* a VLAN tag that stands beside the data, as on the wire; 0: none */
};

/*
 * Before 6.2 a flag says whether there is a tag, and vlan_proto may be left from a former one; since commit
 * 354259fa73e2 both fields are zero without.
 */
static __always_inline u32 hardware_vlan_tag(const struct sk_buff *skb)
{
	u32 proto = BPF_CORE_READ(skb, vlan_proto), tci = BPF_CORE_READ(skb, vlan_tci);
	const struct sk_buff___v6_1 *former = (const void *)skb;

	if (bpf_core_field_exists(former->vlan_present) && !BPF_CORE_READ_BITFIELD_PROBED(former, vlan_present))
		return 0;
	if (!proto)
		return 0;
	return proto | (u32)bpf_htons(tci) << 16;
}

static __always_inline const unsigned char *linear_end(const struct sk_buff *skb)
{
	return BPF_CORE_READ(skb, data) + BPF_CORE_READ(skb, len) - BPF_CORE_READ(skb, data_len);
}

static __always_inline bool is_ethernet(const unsigned char *mac, const unsigned char *network)
{
	u64 header = network - mac;

	return header == ETH_HEADER || header == ETH_HEADER + VLAN_TAG || header == MAX_LINK_HEADER;
}

/*
 * The packet from its Ethernet header on where that stands before the network header, else from the latter. True for the
 * former.
 */
static __always_inline bool find_bytes(const struct sk_buff *skb, const unsigned char *network,
				       struct packet_bytes *bytes)
{
	u16 mac = BPF_CORE_READ(skb, mac_header);
	const unsigned char *link = BPF_CORE_READ(skb, head) + mac;
	bool has_link = mac != 0xffff && is_ethernet(link, network);

	bytes->start = network;
	if (has_link) {
		bytes->start = link;
		bytes->tag = hardware_vlan_tag(skb);
	}
	bytes->length = length_from(skb, bytes->start);
	return has_link;
}

#endif
