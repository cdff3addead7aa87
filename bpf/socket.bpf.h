/* SPDX-License-Identifier: GPL-2.0-only */
/* What a socket is doing: struct sock to struct event_sock. */
#ifndef NETTRACE_SOCKET_H
#define NETTRACE_SOCKET_H

#include "kernel_types.h"
#include "compat.bpf.h"
#include "event.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __always_inline bool is_full_sock(u32 state)
{
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

static __always_inline void read_timer(const struct sock *sk, struct event_sock *out)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	u64 expires = 0;

	out->timer = BPF_CORE_READ(icsk, icsk_pending);
	if (out->timer == TIMER_DACK) /* of the receiving side, with a timer of its own */
		out->timer = TIMER_NONE;
	if (out->timer) {
		expires = retransmit_expires(sk);
	} else if (BPF_CORE_READ(sk, sk_timer.entry.pprev)) {
		out->timer = TIMER_KEEPALIVE;
		expires = BPF_CORE_READ(sk, sk_timer.expires);
	}
	if (out->timer)
		out->timer_left = (int)(expires - bpf_jiffies64());
}

static __always_inline void read_sock(struct event_sock *out, const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const void *)sk;
	const struct tcp_sock *tp = (const void *)sk;

	__builtin_memset(out, 0, sizeof(*out));
	if (!sk)
		return;
	out->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (!is_full_sock(out->state)) /* too small to hold the rest */
		return;
	out->wmem = BPF_CORE_READ(sk, sk_wmem_queued);
	out->rmem = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
	out->accept_queue = BPF_CORE_READ(sk, sk_ack_backlog);
	out->accept_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	out->is_tcp = 1;
	out->ca_state = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	out->packets_out = BPF_CORE_READ(tp, packets_out);
	out->retrans_out = BPF_CORE_READ(tp, retrans_out);
	out->unacked = BPF_CORE_READ(tp, snd_una);
	out->srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	out->rtt_min_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	if (out->state != TCP_LISTEN) {
		read_timer(sk, out);
		return;
	}
	out->syn_queue = BPF_CORE_READ(icsk, icsk_accept_queue.qlen.counter);
	out->syn_limit = BPF_CORE_READ(sk, __sk_common.skc_net.net, ipv4.sysctl_max_syn_backlog);
	out->syncookies = BPF_CORE_READ(sk, __sk_common.skc_net.net, ipv4.sysctl_tcp_syncookies);
}

static __always_inline bool accept_queue_is_full(const struct sock *sk)
{
	return sk && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN &&
	       BPF_CORE_READ(sk, sk_ack_backlog) > BPF_CORE_READ(sk, sk_max_ack_backlog);
}

struct round_trips {
	u32 srtt_us; /* 0 where none is known */
	u32 rtt_min_us;
};

static __always_inline struct round_trips read_round_trips(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;
	struct round_trips rtt = {};

	if (!is_full_sock(BPF_CORE_READ(sk, __sk_common.skc_state)) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return rtt;
	rtt.srtt_us = BPF_CORE_READ(tp, srtt_us) >> 3;
	rtt.rtt_min_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	return rtt;
}

/* As tcp_rtt_estimator computes it: the kernel has not yet when this is asked. */
static __always_inline void add_rtt_sample(struct round_trips *rtt, u32 sample_us)
{
	if (rtt->srtt_us)
		rtt->srtt_us += ((int)sample_us - (int)rtt->srtt_us) >> 3;
	else
		rtt->srtt_us = sample_us;
	if (!rtt->rtt_min_us || rtt->rtt_min_us == (u32)-1 || sample_us < rtt->rtt_min_us)
		rtt->rtt_min_us = sample_us;
}

static __always_inline void read_socket(struct event_socket *socket, const struct sock *sk)
{
	__builtin_memset(socket, 0, sizeof(*socket));
	if (sk)
		socket->state = BPF_CORE_READ(sk, __sk_common.skc_state);
}

#endif
