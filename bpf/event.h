/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records that leave the kernel and the counters of what was lost. The only declaration of their layout:
 * src/generated/layout.ts is made from the BTF that the compiler writes for this file.
 *
 * A record is a struct event_head and then, in the order of the section bits, the sections that `sections`
 * names, without gaps. All sizes are multiples of 8. Numbers are in the machine's byte order unless a
 * comment says otherwise; ports and the like have been turned to host order in the kernel.
 */
#ifndef NETTRACE_EVENT_H
#define NETTRACE_EVENT_H

/* What a record tells. */
enum event_kind {
	EVENT_VISIT = 0, /* the skb passed a function or tracepoint */
	EVENT_RETURN = 1, /* a function that the skb passed has returned; `related` is the time of its visit */
	EVENT_DERIVED = 2, /* a new skb (clone, copy, segment) joined the trace; `related` is its parent's address */
	EVENT_FREE = 3, /* the skb's part ends: freed normally */
	EVENT_DROP = 4, /* the skb's part ends: freed as dropped */
	EVENT_DETAIL = 5, /* stack, hooks or bytes of the event that follows from this CPU with the same time */
};

enum event_flag {
	EVENT_FIRST_SIGHT = 1, /* the trace begins here */
	EVENT_FROM_SOCKET = 2, /* the packet section was read from the socket: the skb has no headers yet */
	EVENT_REUSED = 4, /* this address was in another trace, whose free no probe reported */
	EVENT_HAS_DETAIL = 8, /* an EVENT_DETAIL went before */
};

enum event_section {
	SECTION_PACKET = 1,
	SECTION_META = 2,
	SECTION_OPTIONS = 4,
	SECTION_DROP = 8,
	SECTION_NETFILTER = 16,
	SECTION_SOCKET = 32,
	SECTION_RETURN = 64,
	SECTION_SOCK = 128,
	SECTION_STACK = 256,
	SECTION_HOOKS = 512,
	SECTION_LATENCY = 1024,
	SECTION_TCP = 2048,
	SECTION_BYTES = 4096,
};

struct event_head {
	unsigned long long time_ns; /* CLOCK_MONOTONIC */
	unsigned long long trace_id;
	unsigned long long skb; /* address */
	unsigned long long related; /* see enum event_kind */
	unsigned int sections;
	unsigned short probe; /* the id that the loader gave this attachment */
	unsigned char kind;
	unsigned char flags;
	unsigned int cpu;
	unsigned int skb_len; /* skb->len at this place; 0 where it was not read */
};

struct event_packet {
	unsigned char saddr[16]; /* network order; IPv4 in the first 4 bytes */
	unsigned char daddr[16];
	unsigned short l3_proto; /* ethertype in host order: 0x0800, 0x86dd, 0x0806; 0 where it is not known */
	unsigned char l4_proto; /* IPPROTO_*; 0 where there is none */
	unsigned char tcp_flags; /* byte 13 of the TCP header */
	unsigned short sport; /* TCP, UDP; ICMP: id */
	unsigned short dport; /* TCP, UDP; ICMP: sequence number */
	unsigned int seq; /* TCP */
	unsigned int ack; /* TCP */
	unsigned short window; /* TCP, unscaled */
	unsigned short ip_id; /* IPv4 */
	unsigned char icmp_type;
	unsigned char icmp_code;
	unsigned short arp_op;
	unsigned int payload; /* bytes behind the transport header */
	unsigned int
		pkt_len; /* from the network header on, link layer's padding not counted; 0 where it is not known */
};

struct event_meta {
	char ifname[16];
	char comm[16];
	unsigned int ifindex;
	unsigned int netns; /* inode */
	unsigned int pid; /* thread group id of the running task */
	unsigned int mark;
	char owner_comm[16]; /* the process that owns the socket */
	unsigned int owner_pid; /* 0 where no owner is known */
	unsigned int reserved;
};

struct event_options {
	unsigned char bytes[40]; /* TCP options as in the header */
	unsigned int length; /* of which so many are there */
	unsigned int reserved;
};

struct event_drop {
	unsigned long long location; /* address of the caller that freed */
	unsigned int reason; /* enum skb_drop_reason of this kernel; subsystem in the upper 16 bits */
	unsigned int has_reason; /* 0 where this kernel gives none */
};

struct event_netfilter {
	unsigned char family; /* NFPROTO_* */
	unsigned char hook;
	unsigned char has_state; /* family and hook are there */
	unsigned char has_names;
	int verdict; /* with a rule: NF_*, or enum nft_verdicts */
	unsigned long long rule; /* handle of the nftables rule, 0 where none is told */
	char table[64];
	char chain[64];
};

struct event_socket {
	unsigned int state; /* TCP_ESTABLISHED ..., 0 where there is no socket */
	unsigned int new_state; /* at EVENT_RETURN: the state after the function */
	unsigned int reset_reason; /* enum sk_rst_reason of this kernel */
	unsigned int has_reset_reason;
	unsigned int request_left; /* at EVENT_RETURN: the request is still among those that wait for their ACK */
	unsigned int has_request_left;
};

struct event_return {
	long long value; /* as the function's 64-bit return register has it */
};

/* What a socket is doing. */
struct event_sock {
	unsigned int state;
	unsigned int ca_state;
	unsigned int packets_out;
	unsigned int retrans_out;
	unsigned int unacked; /* snd_una */
	unsigned int wmem;
	unsigned int rmem;
	unsigned int timer; /* enum sock_timer */
	int timer_left; /* jiffies */
	unsigned int accept_queue;
	unsigned int accept_limit;
	unsigned int srtt_us;
	unsigned int rtt_min_us;
	unsigned int new_state; /* that it changes to; 0 where it does not */
	unsigned int is_tcp; /* ca_state to unacked, timer and rtt are there */
	/* of a listener: */
	unsigned int syn_queue; /* requests that wait for their ACK */
	unsigned int syn_limit; /* net.ipv4.tcp_max_syn_backlog */
	unsigned int syncookies; /* net.ipv4.tcp_syncookies */
};

/* inet_connection_sock.icsk_pending, ICSK_TIME_*; and sk_timer. */
enum sock_timer {
	TIMER_NONE = 0,
	TIMER_RETRANS = 1,
	TIMER_DACK = 2,
	TIMER_PROBE0 = 3,
	TIMER_EARLY_RETRANS = 4,
	TIMER_LOSS_PROBE = 5,
	TIMER_REO_TIMEOUT = 6,
	TIMER_KEEPALIVE = 7,
};

#define MAX_STACK 32

struct event_stack {
	unsigned int count;
	unsigned int reserved;
	unsigned long long address[MAX_STACK]; /* innermost first */
};

#define MAX_HOOKS 16

struct event_hooks {
	unsigned int count; /* may be more than there is room for */
	unsigned int reserved;
	unsigned long long address[MAX_HOOKS]; /* of functions, in the order in which they are called */
};

struct event_latency {
	unsigned long long from_ns; /* CLOCK_MONOTONIC */
	unsigned long long to_ns;
	unsigned int from; /* probe */
	unsigned int to;
};

/* What TCP holds a segment against: of a full socket, a request or a socket in TIME_WAIT. */
struct event_tcp {
	unsigned int ts_recent; /* 0 where the peer sends no timestamps */
	unsigned int ts_recent_age; /* seconds; of a request an estimate, as the kernel makes it */
	unsigned int rcv_nxt;
	unsigned int window_start; /* sequence numbers from here on ... */
	unsigned int window_end; /* ... up to but not including this one are in the window */
	unsigned int copied_seq; /* full sockets only */
};

#define MAX_BYTES 128

/* The packet's first bytes, with its VLAN tag where that stands on the wire. */
struct event_bytes {
	unsigned char bytes[MAX_BYTES];
	unsigned int captured; /* of which so many are there */
	unsigned int length; /* of the packet, from the first of these bytes on */
	unsigned int is_ethernet; /* they begin with an Ethernet header; else with that of the network layer */
	unsigned int is_cut; /* the skb's linear part goes on behind them */
};

/* Why something is missing from what user space sees. Counted per CPU, never reset. */
enum loss_cause {
	LOSS_NONE_PRODUCED = 0, /* not a loss: records that were to be sent, lost or not */
	LOSS_RING_FULL = 1, /* the ring buffer had no room for a record */
	LOSS_TRACK_FULL = 2, /* the table of tracked skbs was full: a packet was not traced */
	LOSS_FRAMES_FULL = 3, /* a return value could not be attributed to its call */
	LOSS_RATE_LIMIT = 4, /* not a loss: events that --rate-limit left out */
	LOSS_SAMPLED = 5, /* not a loss: packets that are followed where not all are ... */
	LOSS_SAMPLED_OF = 6, /* ... and how many, about, they stand for; times N with --sample 1/N */
	LOSS_CAUSES = 7,
};

#define LOSS_CPUS 256

/* By enum loss_cause, each CPU's in a line of the cache. */
struct cpu_losses {
	unsigned long long count[8];
};

#endif
