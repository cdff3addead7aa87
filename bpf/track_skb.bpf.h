/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Identity. An skb's address is only a temporary key: from the first matching sight, or from the moment it is
 * derived from a tracked one, until it is freed, it stands for a trace.
 */
#ifndef NETTRACE_TRACK_SKB_H
#define NETTRACE_TRACK_SKB_H

#include "kernel_types.h"
#include "config.h"
#include "event.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SYN_AND_RST 0x06

struct tracked_skb {
	u64 trace_id;
	u32 seq; /* the fingerprint: contents that no NAT and no tunnel changes */
	u32 ports;
	u16 ip_id;
	u8 l4_proto;
	u8 tcp_flags; /* SYN and RST alone: segmentation changes others */
	u32 ack; /* not TCP: the device, its address's low half */
	/* where and when the packet was seen first and, with MODE_LATENCY, last */
	u64 first_ns;
	u64 last_ns;
	u32 first_probe;
	u32 last_probe;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct tracked_skb);
} tracked SEC(".maps");

/*
 * MODE_LATENCY: what the packet looked like when it was seen first, by skb. Where it ends its headers may be gone. User
 * space makes it as large as `tracked` in that mode only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct event_packet);
} first_packets SEC(".maps");

#define BPF_F_MMAPABLE (1U << 10)

/*
 * An entry for each CPU. User space reads it all the time, and so from memory: while a bpf(2) reads a map, the kernel skips
 * the kprobe programs of an interrupt on that CPU, and nobody would count what they miss.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LOSS_CPUS);
	__type(key, u32);
	__type(value, struct cpu_losses);
} losses SEC(".maps");

struct late_options late_options SEC(".data.late") = {};

/* Before and after the run: see late_options. */
static __always_inline bool is_silent(void)
{
	return *(volatile u32 *)&late_options.silent;
}

/* While the first equals the others' sum no skb is tracked, and a probe that is no entry is done after one comparison. */
u64 tracked_in = 0;
u64 tracked_out = 0;

static __always_inline void add_count(u32 cause, u32 n)
{
	u32 cpu = bpf_get_smp_processor_id() & (LOSS_CPUS - 1);
	struct cpu_losses *own = bpf_map_lookup_elem(&losses, &cpu);

	/* atomic: fentry programs may be preempted on their CPU, and two CPUs share an entry where there are more */
	if (own && cause < LOSS_CAUSES)
		__sync_fetch_and_add(&own->count[cause], n);
}

static __always_inline void count_loss(u32 cause)
{
	add_count(cause, 1);
}

/* The seconds' share of events, for --rate-limit. Races between CPUs cost a few events more or less. */
struct rate {
	u64 second;
	u64 count;
};

struct rate rate = {};

static __always_inline bool within_rate(u64 now)
{
	u64 second = now / 1000000000;

	if (!config.rate_limit)
		return true;
	if (*(volatile u64 *)&rate.second != second) {
		rate.second = second;
		rate.count = 0;
	}
	if (*(volatile u64 *)&rate.count >= config.rate_limit) {
		count_loss(LOSS_RATE_LIMIT);
		return false;
	}
	__sync_fetch_and_add(&rate.count, 1); /* its value may be asked for from 5.12 on only */
	return true;
}

static __always_inline bool nothing_tracked(void)
{
	return *(volatile u64 *)&tracked_in ==
	       *(volatile u64 *)&tracked_out + *(volatile unsigned long long *)&late_options.swept;
}

static __always_inline struct tracked_skb *find_tracked(u64 skb)
{
	return bpf_map_lookup_elem(&tracked, &skb);
}

/* Unique while the machine is up: the time, and the CPU against two first sights in one nanosecond. */
static __always_inline u64 new_trace_id(u64 now)
{
	return (now << 10) | (bpf_get_smp_processor_id() & 1023);
}

static __always_inline void set_fingerprint(struct tracked_skb *t, const struct event_packet *pkt)
{
	t->seq = pkt->seq;
	t->ack = pkt->ack;
	t->ports = (u32)pkt->sport << 16 | pkt->dport;
	t->ip_id = pkt->ip_id;
	t->l4_proto = pkt->l4_proto;
	t->tcp_flags = pkt->tcp_flags & SYN_AND_RST;
}

/* What tells a packet from others, as the numbers that a function takes which is verified by itself. */
static __always_inline u64 tcp_numbers(const struct event_packet *pkt)
{
	return (u64)pkt->seq << 32 | pkt->ack;
}

static __always_inline u64 other_numbers(const struct event_packet *pkt)
{
	return (u64)pkt->sport << 48 | (u64)pkt->dport << 32 | (u32)pkt->ip_id << 16 | (u32)pkt->l4_proto << 8 |
	       pkt->tcp_flags;
}

/* With the probe's id: a packet that comes in is seen there. */
#define COMES_IN (1ULL << 32)

/*
 * Are these the contents of another packet than the one that was tracked at this address? Asked only where not
 * all frees are probed. NAT keeps the TCP numbers and the IP id; a tunnel changes the protocol. Global, and with numbers
 * only as arguments, as filter_programs_match() is: inlined, its ways were too many for the verifiers of 5.10 and 6.1.
 */
__attribute__((noinline)) u64 is_other_packet(u64 skb_address, u64 place, u64 tcp, u64 other, u64 l3_proto)
{
	const struct sk_buff *skb = (const void *)skb_address;
	const struct tracked_skb *t = find_tracked(skb_address);
	u32 seq = tcp >> 32, ack = tcp, ports = other >> 32;
	u16 ip_id = other >> 16;
	u8 l4_proto = other >> 8;

	if (!t || !t->l4_proto)
		return 0;
	/* where it has begun: for datagrams of one flow, which may be alike in all that is compared here */
	if (l4_proto != IPPROTO_TCP && (u32)place == t->first_probe && t->ack &&
	    t->ack == (u32)(u64)BPF_CORE_READ(skb, dev))
		return 1;
	if (!l3_proto)
		return 1; /* no packet of IP or ARP at all: of a local socket, for example */
	/*
	 * A tunnel marks the header that it wraps. What it unwraps is TCP in UDP at most, and comes in by a device: a packet
	 * of another protocol that goes out and never came in is another one.
	 */
	if (t->l4_proto != l4_proto)
		return !BPF_CORE_READ(skb, inner_network_header) &&
		       (t->l4_proto == IPPROTO_TCP || (!(place & COMES_IN) && !BPF_CORE_READ(skb, skb_iif)));
	if (l4_proto == IPPROTO_TCP) /* of who only receives all have one seq */
		return t->seq != seq || t->ack != ack || t->tcp_flags != (other & SYN_AND_RST) ||
		       (t->ip_id != ip_id && ((t->ip_id && ip_id) || t->ports != ports));
	return t->ports != ports && (t->ip_id != ip_id || !ip_id);
}

/* False where the table is full; that is counted. */
static __always_inline bool track(u64 skb, const struct tracked_skb *value)
{
	long err = bpf_map_update_elem(&tracked, &skb, value, BPF_NOEXIST);

	if (!err) {
		__sync_fetch_and_add(&tracked_in, 1);
		return true;
	}
	if (err == -17 && !bpf_map_update_elem(&tracked, &skb, value, BPF_ANY)) /* -EEXIST: a free was missed */
		return true;
	count_loss(LOSS_TRACK_FULL);
	return false;
}

static __always_inline void untrack(u64 skb)
{
	if (config.mode == MODE_LATENCY)
		bpf_map_delete_elem(&first_packets, &skb);
	if (!bpf_map_delete_elem(&tracked, &skb))
		__sync_fetch_and_add(&tracked_out, 1);
}

/*
 * The tracked packet that each CPU is receiving, for tracepoints that fire while it is handled but do not carry it. Any
 * other sight of a tracked packet ends that (trace_id 0).
 */
struct current_packet {
	u64 trace_id;
	u64 skb;
	u64 task;
	u8 saddr[4]; /* IPv4, network order */
	u8 daddr[4];
	u16 sport;
	u16 dport;
	u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct current_packet);
} current SEC(".maps");

static __always_inline void set_current(u64 trace_id, u64 skb, const struct event_packet *pkt)
{
	u32 zero = 0;
	struct current_packet *c = bpf_map_lookup_elem(&current, &zero);

	if (!c)
		return;
	c->trace_id = trace_id;
	c->skb = skb;
	c->task = bpf_get_current_pid_tgid();
	__builtin_memcpy(c->saddr, pkt->saddr, sizeof(c->saddr));
	__builtin_memcpy(c->daddr, pkt->daddr, sizeof(c->daddr));
	c->sport = pkt->sport;
	c->dport = pkt->dport;
}

/*
 * Calls that a tracked skb is in and whose return value is wanted. Calls nest: a softirq runs on top of the
 * task that it interrupts, and returns first. So each task has a stack; the idle tasks, which share the thread
 * id 0, have one per CPU.
 */
#define MAX_FRAMES 16

struct frame {
	u64 trace_id;
	u64 skb;
	u64 time_ns;
	u64 object; /* what the visit read from: for a look at it afterwards */
	u64 mark; /* tells this call from others of the same function: stack pointer, or the argument itself */
	u32 probe;
	u32 state;
};

struct frames {
	u64 depth;
	struct frame frame[MAX_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct frames);
} calls SEC(".maps");

const struct frames no_frames = {};

/* While these are equal no return is awaited. */
u64 calls_in = 0;
u64 calls_out = 0;

static __always_inline bool no_calls(void)
{
	return *(volatile u64 *)&calls_in == *(volatile u64 *)&calls_out;
}

static __always_inline u64 frames_key(void)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	return tid ? tid : (1ULL << 32) + bpf_get_smp_processor_id();
}

static __always_inline void push_frame(const struct frame *frame)
{
	u64 key = frames_key();
	struct frames *s = bpf_map_lookup_elem(&calls, &key);
	u64 depth;

	if (!s) {
		bpf_map_update_elem(&calls, &key, &no_frames, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&calls, &key);
		if (!s) {
			count_loss(LOSS_FRAMES_FULL);
			return;
		}
	}
	depth = s->depth;
	if (depth >= MAX_FRAMES) { /* returns that never came: kretprobe instances run out under load */
		count_loss(LOSS_FRAMES_FULL);
		__sync_fetch_and_add(&calls_out, MAX_FRAMES);
		depth = 0;
	}
	s->frame[depth & (MAX_FRAMES - 1)] = *frame;
	s->depth = depth + 1;
	__sync_fetch_and_add(&calls_in, 1);
}

/*
 * The call that returns here, if its skb was tracked: the youngest of this probe whose mark is within `slack`
 * bytes. What was pushed after it has missed its return and is dropped. At a return the stack pointer differs from
 * the one at entry by what the kernel's trampoline has pushed (8 bytes up to a struct pt_regs); a call that
 * runs on top of another one is much further away.
 */
#define STACK_SLACK 256

static __always_inline bool pop_frame(u32 probe, u64 mark, u64 slack, struct frame *out)
{
	u64 key = frames_key();
	struct frames *s = bpf_map_lookup_elem(&calls, &key);
	int i;

	if (!s)
		return false;
	for (i = MAX_FRAMES - 1; i >= 0; i--) {
		struct frame *f = &s->frame[i & (MAX_FRAMES - 1)];

		if (i >= s->depth || f->probe != probe || f->mark - mark + slack > 2 * slack)
			continue;
		*out = *f;
		__sync_fetch_and_add(&calls_out, s->depth - i);
		s->depth = i;
		return true;
	}
	return false;
}

#endif
