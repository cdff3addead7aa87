/* SPDX-License-Identifier: GPL-2.0-only */
/* A hit of a probe before anything is made of it: its arguments, and what its attachment is about. */
#ifndef NETTRACE_CALL_H
#define NETTRACE_CALL_H

#include "kernel_types.h"
#include "config.h"

/* A hit, with its arguments already fetched. */
struct call {
	void *ctx;
	u64 spec;
	u64 skb;
	u64 sk; /* the packet's socket, where the function has it among its arguments */
	u64 a;
	u64 b;
	u64 mark; /* see struct frame */
	bool want_return; /* this call is remembered until it returns */
};

static __always_inline u32 spec_probe(u64 spec)
{
	return spec >> SPEC_PROBE_SHIFT & 0xffff;
}

static __always_inline u32 spec_read(u64 spec)
{
	return spec >> SPEC_READ_SHIFT & 0xff;
}

static __always_inline u32 spec_flags(u64 spec)
{
	return spec >> SPEC_FLAGS_SHIFT & 0xff;
}

static __always_inline u32 spec_arg(u64 spec, u32 shift)
{
	return spec >> shift & 0xf;
}

static __always_inline bool follows_packets(void)
{
	return config.mode == MODE_LIFE || config.mode == MODE_LATENCY;
}

#endif
