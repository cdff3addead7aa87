// SPDX-License-Identifier: GPL-2.0-only
/* An XDP program for repro sessions: drops UDP datagrams to one port, and lets all else pass. IPv4 without options. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DROPPED_PORT 5000
#define ETHERTYPE_AT 12
#define HEADER_AT 14
#define PROTOCOL_AT (HEADER_AT + 9)
#define DESTINATION_PORT_AT (HEADER_AT + 22)

SEC("xdp")
int drop_port(struct xdp_md *ctx)
{
	const unsigned char *data = (void *)(long)ctx->data;

	if (data + DESTINATION_PORT_AT + 2 > (unsigned char *)(long)ctx->data_end)
		return XDP_PASS;
	if (*(unsigned short *)(data + ETHERTYPE_AT) != bpf_htons(0x0800) || data[HEADER_AT] != 0x45 ||
	    data[PROTOCOL_AT] != 17)
		return XDP_PASS;
	return *(unsigned short *)(data + DESTINATION_PORT_AT) == bpf_htons(DROPPED_PORT) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
