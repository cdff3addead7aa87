/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes every packet that comes in by an interface, behind the packet sockets and before the IP stack: what stands
 * there for a host that a packet socket plays has had it, and must not be dropped, or answered, by a kernel that
 * knows nothing of that host.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int take_packet(struct __sk_buff *skb)
{
	return TC_ACT_STOLEN; /* freed as consumed, not as dropped */
}

char LICENSE[] SEC("license") = "GPL";
