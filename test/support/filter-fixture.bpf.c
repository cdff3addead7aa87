// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs generated_filter() on packets that user space has put into a map: bpf(2)'s test run gives the packet's number.
 * For filters on fields the bytes are a struct sk_buff of this file, which has members of all kinds.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "filter_program.h"

#define MAX_PACKETS 1024

struct inner {
	int number;
	char name[16];
};

enum color { RED, GREEN = 7 };

struct sk_buff {
	__u32 mark;
	__s32 temperature;
	signed char small;
	__u8 low : 3;
	__u8 high : 5;
	__be16 protocol;
	int slope : 4;
	unsigned int wide : 10;
	enum color color;
	__u64 cookie;
	union {
		struct {
			__u16 left;
			__u16 right;
		};
		__u32 both;
	};
	_Bool yes;
	__be32 address;
	int list[4];
	struct inner inner;
	/* set here, because user space has no addresses */
	struct inner *pointer;
	const char *text;
	struct inner *nothing;
};

struct packet {
	__u32 captured;
	__u32 length;
	union {
		unsigned char bytes[FILTER_WINDOW];
		struct sk_buff skb;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PACKETS);
	__type(key, __u32);
	__type(value, struct packet);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter_scratch);
} scratch SEC(".maps");

static __u64 generated_filter(struct filter_scratch *scratch, __u64 skb, __u64 program);

/* Arguments: the packet's number, the program's. */
SEC("raw_tp")
int run_filter(__u64 *ctx)
{
	__u32 zero = 0, index = ctx[0];
	__u64 program = ctx[1];
	struct packet *packet = bpf_map_lookup_elem(&packets, &index);
	struct filter_scratch *to = bpf_map_lookup_elem(&scratch, &zero);

	if (!packet || !to)
		return -1;
	to->captured = packet->captured;
	to->length = packet->length;
	if (program == FILTER_META) {
		packet->skb.pointer = &packet->skb.inner;
		packet->skb.text = packet->skb.inner.name;
	} else {
		bpf_probe_read_kernel(to->packet, FILTER_WINDOW, packet->bytes);
	}
	return generated_filter(to, (__u64)&packet->skb, program);
}

/* A function of its own, so that there is a section to grow. */
static __attribute__((naked, noinline)) __u64 generated_filter(struct filter_scratch *scratch, __u64 skb, __u64 program)
{
	asm volatile("r0 = 0\n\texit");
}

char _license[] SEC("license") = "GPL";
