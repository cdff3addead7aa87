/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel structs and fields that are read, and no others. Offsets are relocated at load time against the
 * running kernel's BTF.
 */
#ifndef NETTRACE_KERNEL_TYPES_H
#define NETTRACE_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
#define true 1
#define false 0
#define NULL ((void *)0)

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum { BPF_ANY = 0, BPF_NOEXIST = 1 };

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8
#define ETH_P_IPV6 0x86dd
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_TIME_WAIT 6
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12
#define NUD_FAILED 0x20
#define AF_INET 2
#define AF_INET6 10

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

/* A byte of what was an int before 5.15 (commit 4ecc1baf362c): the lowest one, on the machines that we are built for. */
struct netns_ipv4 {
	u8 sysctl_tcp_syncookies;
	int sysctl_max_syn_backlog;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct net {
	struct ns_common ns;
	struct hlist_head *dev_index_head;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	struct hlist_node index_hlist;
	int ifindex;
	possible_net_t nd_net;
};

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

struct hlist_nulls_node {
	struct hlist_nulls_node **pprev;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	struct sock *skc_listener; /* of a request */
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct hlist_nulls_node skc_nulls_node;
	u32 skc_rcv_wnd; /* of a request */
	u32 skc_tw_rcv_nxt;
};

struct inode {
	unsigned long i_ino;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

typedef struct {
	int counter;
} atomic_t;

struct timer_list {
	struct {
		void **pprev;
	} entry;
	unsigned long expires;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_wmem_queued;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	u16 sk_protocol;
	struct socket *sk_socket;
	struct dst_entry *sk_dst_cache;
	struct timer_list sk_timer;
};

struct inet_sock {
	__be16 inet_sport;
};

struct request_sock_queue {
	atomic_t qlen;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
	unsigned long icsk_timeout;
	struct timer_list icsk_retransmit_timer;
	u8 icsk_ca_state : 5;
	u8 icsk_pending;
};

struct request_sock {
	struct sock_common __req_common;
	u8 num_timeout : 7;
	u32 ts_recent;
};

struct tcp_request_sock {
	u32 rcv_nxt;
};

struct tcp_timewait_sock {
	u32 tw_rcv_wnd;
	u32 tw_ts_recent;
	int tw_ts_recent_stamp;
};

struct tcp_options_received {
	int ts_recent_stamp; /* seconds of the monotonic clock */
	u32 ts_recent;
};

struct minmax_sample {
	u32 t;
	u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct tcp_options_received rx_opt;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 rcv_wup; /* rcv_nxt when the window was last told to the peer */
	u32 rcv_wnd;
	u32 snd_una;
	u32 write_seq;
	u32 packets_out;
	u32 retrans_out;
	u32 srtt_us; /* eight times the smoothed round-trip time */
	struct minmax rtt_min;
};

struct neigh_table {
	int family;
};

struct neighbour {
	struct neigh_table *tbl;
	u8 nud_state;
	struct net_device *dev;
	u8 primary_key[0];
};

struct task_struct {
	struct task_struct *group_leader;
	char comm[16];
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	unsigned int data_len;
	int skb_iif;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__be16 protocol;
	__u16 inner_network_header;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	__u32 mark;
	unsigned char *head;
	unsigned char *data;
	char cb[48];
};

struct sk_buff___v6_1 {
	__u8 vlan_present : 1;
};

struct dst_entry {
	struct net_device *dev;
	short error;
};

struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
	__u8 tcp_flags;
};

struct packet_type {
	void *af_packet_priv;
};

struct packet_sock {
	atomic_t tp_drops;
};

struct nf_hook_state {
	u8 hook;
	u8 pf;
};

struct nf_hook_entry {
	void *hook;
	void *priv;
};

struct nf_hook_entries {
	u16 num_hook_entries;
	struct nf_hook_entry hooks[0];
};

struct flowi4 {
	__be32 saddr;
	__be32 daddr;
};

struct nft_table {
	char *name;
};

struct nft_chain {
	struct nft_table *table;
	char *name;
};

struct nft_pktinfo {
	struct sk_buff *skb;
	const struct nf_hook_state *state;
};

struct nft_rule_dp {
	unsigned char data[0];
};

struct nft_verdict;

struct nft_traceinfo {
	const struct nft_pktinfo *pkt;
	const struct nft_rule_dp *rule;
	const struct nft_verdict *verdict;
};

struct xt_table {
	const char name[32];
};

#pragma clang attribute pop

/* Headers on the wire: their layout is fixed. */
struct iphdr {
	u8 version_ihl;
	u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	u8 ttl;
	u8 protocol;
	__sum16 check;
	__be32 saddr;
	__be32 daddr;
};

struct ipv6hdr {
	u8 version_priority;
	u8 flow_lbl[3];
	__be16 payload_len;
	u8 nexthdr;
	u8 hop_limit;
	u8 saddr[16];
	u8 daddr[16];
};

struct tcphdr {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	u8 doff_res;
	u8 flags;
	__be16 window;
	__sum16 check;
	__be16 urg_ptr;
};

struct udphdr {
	__be16 source;
	__be16 dest;
	__be16 len;
	__sum16 check;
};

struct icmphdr {
	u8 type;
	u8 code;
	__sum16 checksum;
	__be16 id;
	__be16 sequence;
};

struct arphdr_ipv4 {
	__be16 hrd;
	__be16 pro;
	u8 hln;
	u8 pln;
	__be16 op;
	u8 sha[6];
	u8 sip[4];
	u8 tha[6];
	u8 tip[4];
};

#endif
