/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filter and options. Read-only data, written before the programs are loaded: the verifier knows the values
 * and removes every test that was not asked for.
 */
#ifndef NETTRACE_CONFIG_H
#define NETTRACE_CONFIG_H

#define MAX_NETS 8
#define MAX_PORT_RANGES 16
#define MAX_FLAG_SETS 8

struct filter_net {
	unsigned char addr[16]; /* network order; IPv4 in the first 4 bytes */
	unsigned char mask[16];
	unsigned int l3_proto; /* ethertype */
	unsigned int reserved;
};

struct filter_range {
	unsigned short low;
	unsigned short high;
};

struct filter_config {
	unsigned int saddr_count;
	unsigned int daddr_count;
	unsigned int addr_count;
	unsigned int sport_count;
	unsigned int dport_count;
	unsigned int port_count;
	unsigned int flags_count;
	unsigned int l3_proto; /* 0: any */
	unsigned int l4_proto; /* 0: any */
	unsigned int len_low;
	unsigned int len_high; /* 0: any */
	unsigned int netns; /* 0: any */
	unsigned int netns_listed; /* only namespaces of the map netns_set, which user space changes meanwhile */
	unsigned int pid; /* of the socket's owner; 0: any */
	unsigned int has_comm; /* the owner's name is asked for */
	char comm[16];
	unsigned int has_ifname;
	char ifname[16];
	struct filter_net saddr[MAX_NETS];
	struct filter_net daddr[MAX_NETS];
	struct filter_net addr[MAX_NETS]; /* either side */
	struct filter_range sport[MAX_PORT_RANGES];
	struct filter_range dport[MAX_PORT_RANGES];
	struct filter_range port[MAX_PORT_RANGES]; /* either side */
	unsigned char flags[MAX_FLAG_SETS]; /* a packet matches if it has all the flags of one set */
};

/* What is done at a hit. */
enum trace_mode {
	MODE_LIFE = 0, /* packets are followed from their first sight on */
	MODE_EVENTS = 1, /* each hit by itself */
	MODE_LATENCY = 2, /* packets are followed silently; the time between two places is reported */
	MODE_STATS = 3, /* hits are counted */
};

struct trace_config {
	struct filter_config filter;
	unsigned int mode; /* enum trace_mode */
	unsigned int has_filter;
	unsigned int only_abnormal; /* where a probe is hit in normal life too, report only what is not normal */
	unsigned int want_owner; /* owners of sockets in every record, or in the filter */
	unsigned int want_hooks; /* functions that are registered at a netfilter hook */
	unsigned int want_histogram; /* count latencies or round-trip times in place of reporting them */
	unsigned int latency_to_free; /* to the free itself, not to the last function before it */
	unsigned int rate_limit; /* events, or new traces, a second; 0: any */
	unsigned int sample_without; /* how many of the 2^32 hashes leave a packet out */
	unsigned int sample_adaptive; /* the level of the ring buffer decides too: see late_options.sample_level */
	unsigned int min_srtt_us;
	unsigned int min_rtt_us;
	unsigned long long min_latency_ns;
	unsigned int want_meta; /* interface, netns, process, mark and TCP options in every record */
	unsigned int want_bytes; /* the packet's first bytes where it may be seen first */
	unsigned int filter_wanted; /* enum filter_wanted: filters that were compiled */
	unsigned int expression_window; /* bytes of a packet that they can look at */
	unsigned int tunnel_window;
	unsigned int multi_follows; /* on_multi only follows packets: the rest has sessions */
	unsigned int fixed_module_types; /* before 5.11: types of modules have the places that compat.bpf.h gives */
};

#ifdef __bpf__
const volatile struct trace_config config = {};
#endif

/* What is known only when the programs are attached, and what user space does meanwhile. Written by user space alone. */
struct late_options {
	unsigned long long swept; /* skbs that user space took from the table because their trace was too old */
	unsigned int check_reuse; /* not every free is probed: tell reused addresses by their contents */
	unsigned int keep_current; /* remember the packet at hand, for READ_STATE and READ_ROUTE */
	unsigned int silent; /* not all is attached yet, or the run has ended: only remember owners of sockets */
	unsigned int sample_level; /* bytes in the ring buffer from which on fewer packets are followed; 0: never */
};

/*
 * Specs of kprobe.multi by the address of the function: quicker than its cookie, which the kernel searches for among
 * all. `factor` is chosen so that no two functions meet; 0: ask for the cookie.
 */
#define SPEC_TABLE_BITS 13
struct spec_entry {
	unsigned long long address;
	unsigned long long spec;
};
struct spec_table {
	unsigned int factor;
	unsigned int reserved;
	struct spec_entry entry[1 << SPEC_TABLE_BITS]; /* at (address * factor mod 2^32) >> (32 - SPEC_TABLE_BITS) */
};

/*
 * What one attachment is about, in 64 bits: the immediate that a program is specialised with, or the cookie
 * of a kprobe.multi attachment. Fields from the lowest bit on.
 */
enum spec_field {
	SPEC_PROBE_SHIFT = 0, /* 16 bits: the probe's id */
	SPEC_READ_SHIFT = 16, /* 8 bits: enum probe_read */
	SPEC_FLAGS_SHIFT = 24, /* 8 bits: enum spec_flag */
	SPEC_SKB_SHIFT = 32, /* 4 bits: which argument leads to the skb; SPEC_NO_ARG where none does */
	SPEC_ARG_A_SHIFT = 36, /* 4 bits: an argument that enum probe_read gives its meaning */
	SPEC_ARG_B_SHIFT = 40, /* 4 bits */
	SPEC_NARGS_SHIFT = 44, /* 4 bits: number of arguments, where fexit puts the return value */
	SPEC_SK_SHIFT = 48, /* 4 bits: the argument that is the packet's socket; SPEC_NO_ARG where the skb knows */
	SPEC_NO_ARG = 15,
};

enum spec_flag {
	SPEC_ENTRY = 1, /* a packet may be seen here for the first time */
	SPEC_DEREF = 2, /* the argument points to the place that holds the skb's address */
	SPEC_WANT_RETURN = 4, /* the return is attached too: remember this call */
	SPEC_NO_PARSE = 8, /* the skb may be gone: use its address only */
	SPEC_RECEIVING = 16, /* from here on this CPU handles the packet: see READ_STATE */
	SPEC_STACK = 32, /* report the call stack too */
	SPEC_END = 64, /* the packet's trace, or the time that is taken, ends here */
	SPEC_COMES_IN = 128, /* a device may just have brought the packet: the skb does not tell yet that it came in */
};

/* What is read at a probe beyond the skb. The names are those that probes.yaml uses, in lower case. */
enum probe_read {
	READ_NOTHING = 0,
	READ_HOOK_STATE = 1, /* A: struct nf_hook_state *, B: struct nf_hook_entries * */
	READ_NFT_CHAIN = 2, /* A: struct nft_chain *, B: struct nft_pktinfo * */
	READ_XT_TABLE = 3, /* A: struct xt_table *, B: struct nf_hook_state * */
	READ_DROP = 4, /* A: location, B: reason */
	READ_FREE = 5,
	READ_DERIVE = 6, /* the return value is a new skb, or a list of them */
	READ_SOCKET = 7, /* A: struct sock * */
	READ_SOCKET_TRANSMIT = 8, /* A: struct sock *; the skb has no headers yet */
	READ_RESET = 9, /* A: struct sock *, B: enum sk_rst_reason */
	READ_SEGMENT = 10, /* A: struct sock *, request_sock * or inet_timewait_sock * that judges it */
	READ_VALUE = 11, /* A: a number, shown as a return value would be; with B: A * 256 + B */
	/* tracepoints without an skb, told of the packet that this CPU has at hand if it fits: */
	READ_STATE = 12, /* A: struct sock *, B: its new state */
	READ_ROUTE = 13, /* A: struct flowi4 *, B: error */
	READ_LISTEN = 14, /* A: struct sock * that listens: its accept queue */
	READ_PACKET = 15, /* A: struct packet_type * of a packet socket; as return value: packets lost meanwhile */
	READ_ROUTE_ERROR = 16, /* the error that the packet's route stands for, as a return value */
	READ_NFT_RULE = 17, /* A: struct nft_rule_dp *, B: struct nft_verdict *; or A: struct nft_traceinfo * */
	/* no packets: */
	READ_SOCK = 18, /* A: struct sock * */
	READ_RTT = 19, /* A: struct sock *, B: round-trip time of this sample in microseconds, if any */
	READ_NEIGH = 20, /* A: struct neighbour * */
	READ_DEVICE = 21, /* A: struct net_device *, B: a number */
	READ_OWN = 22, /* A: struct sock * that the running process uses */
	READ_OWN_RETURN = 23, /* the return value is such a socket */
	READ_OWN_STATE = 24, /* A: struct sock *, B: its new state, which only its process leads to */
	READ_DISOWN = 25, /* A: struct sock * that is destroyed */
};

/* The immediate that stands in the templates where an attachment's spec goes. */
#define SPEC_MAGIC 0x6e65747472616365ULL
/* Where bpf_session_is_return() is called. */
#define SESSION_MAGIC 0x6e65747472616366ULL

#endif
