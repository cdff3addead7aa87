/* SPDX-License-Identifier: GPL-2.0-only */
/* What TCP holds a segment against, listeners' queues, a route's error and a packet socket's losses. */
#ifndef NETTRACE_SEGMENT_H
#define NETTRACE_SEGMENT_H

#include "kernel_types.h"
#include "emit_event.bpf.h"
#include "event.h"
#include "socket.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __always_inline u32 seconds_since(int stamp)
{
	return (u32)(bpf_ktime_get_ns() / 1000000000) - (u32)stamp;
}

/* tcp_check_req(): the window begins at the next number, and ts_recent is taken to be as old as the retransmissions say. */
static __always_inline void hold_against_request(struct event_tcp *tcp, const struct sock *sk)
{
	const struct request_sock *req = (const void *)sk;

	tcp->ts_recent = BPF_CORE_READ(req, ts_recent);
	tcp->ts_recent_age = 1U << (BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout) & 15);
	tcp->rcv_nxt = BPF_CORE_READ((const struct tcp_request_sock *)(const void *)sk, rcv_nxt);
	tcp->window_start = tcp->rcv_nxt;
	tcp->window_end = tcp->rcv_nxt + BPF_CORE_READ(sk, __sk_common.skc_rcv_wnd);
}

static __always_inline void hold_against_timewait(struct event_tcp *tcp, const struct sock *sk)
{
	const struct tcp_timewait_sock *tw = (const void *)sk;

	tcp->ts_recent = BPF_CORE_READ(tw, tw_ts_recent);
	tcp->ts_recent_age = seconds_since(BPF_CORE_READ(tw, tw_ts_recent_stamp));
	tcp->rcv_nxt = BPF_CORE_READ(sk, __sk_common.skc_tw_rcv_nxt);
	tcp->window_start = tcp->rcv_nxt;
	tcp->window_end = tcp->rcv_nxt + BPF_CORE_READ(tw, tw_rcv_wnd);
}

/* tcp_sequence(): what the window has moved on by since it was told to the peer is in it, too. */
static __always_inline void hold_against_socket(struct event_tcp *tcp, const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	tcp->ts_recent = BPF_CORE_READ(tp, rx_opt.ts_recent);
	tcp->ts_recent_age = seconds_since(BPF_CORE_READ(tp, rx_opt.ts_recent_stamp));
	tcp->rcv_nxt = BPF_CORE_READ(tp, rcv_nxt);
	tcp->window_start = BPF_CORE_READ(tp, rcv_wup);
	tcp->window_end = tcp->window_start + BPF_CORE_READ(tp, rcv_wnd);
	if ((int)(tcp->window_end - tcp->rcv_nxt) < 0) /* tcp_receive_window() is never negative */
		tcp->window_end = tcp->rcv_nxt;
	tcp->copied_seq = BPF_CORE_READ(tp, copied_seq);
}

/*
 * Read into the record itself: the stack has no room for it here (5.10 counts the filter's functions too). With the
 * segment's options, whose timestamp counts.
 */
static __always_inline void emit_segment(const struct hit *hit, const struct sock *sk)
{
	struct event_socket *socket;
	struct event_tcp *tcp;
	struct event_head *head = begin_event(hit, EVENT_VISIT,
					      SECTION_PACKET | SECTION_OPTIONS | SECTION_SOCKET | SECTION_TCP,
					      sizeof(*socket) + sizeof(*tcp), (void **)&socket);

	if (!head)
		return;
	tcp = (void *)(socket + 1);
	__builtin_memset(socket, 0, sizeof(*socket));
	__builtin_memset(tcp, 0, sizeof(*tcp));
	socket->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (socket->state == TCP_NEW_SYN_RECV)
		hold_against_request(tcp, sk);
	else if (socket->state == TCP_TIME_WAIT)
		hold_against_timewait(tcp, sk);
	else
		hold_against_socket(tcp, sk);
	bpf_ringbuf_submit(head, 0);
}

/* A listener's queues, before and after. */
static __always_inline void emit_listen(const struct hit *hit, const struct sock *sk)
{
	struct event_sock *sock;
	struct event_head *head = begin_event(hit, EVENT_VISIT, SECTION_PACKET | SECTION_SOCK, sizeof(*sock),
					      (void **)&sock);

	if (!head)
		return;
	read_sock(sock, sk);
	bpf_ringbuf_submit(head, 0);
}

static __always_inline void emit_listen_return(const struct hit *hit, s64 value, const struct sock *sk)
{
	struct event_return *ret;
	struct event_sock *sock;
	struct event_head *head = begin_event(hit, EVENT_RETURN, SECTION_RETURN | SECTION_SOCK,
					      sizeof(*ret) + sizeof(*sock), (void **)&ret);

	if (!head)
		return;
	sock = (void *)(ret + 1);
	ret->value = value;
	read_sock(sock, sk);
	bpf_ringbuf_submit(head, 0);
}

/* The lowest bit says that the reference is not counted (SKB_DST_NOREF). */
static __always_inline s64 route_error(const struct sk_buff *skb)
{
	const struct dst_entry *dst = (const void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);

	return dst ? BPF_CORE_READ(dst, error) : 0;
}

/* inet_csk_reqsk_queue_drop() takes a request out of the table of connections, and its node is then not in a list. */
static __always_inline bool request_is_left(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_nulls_node.pprev) != NULL;
}

/* Packets that the packet socket behind this handler has lost for want of room, ever. */
static __always_inline u32 packet_socket_losses(const struct packet_type *pt)
{
	const struct packet_sock *po = BPF_CORE_READ(pt, af_packet_priv);

	if (!po || !bpf_core_field_exists(po->tp_drops))
		return 0;
	return BPF_CORE_READ(po, tp_drops.counter);
}

#endif
