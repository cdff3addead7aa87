/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted in the kernel and read from there once a second. */
#ifndef NETTRACE_STATISTICS_H
#define NETTRACE_STATISTICS_H

#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

/* By probe; user space makes it as large as there are probes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} hits SEC(".maps");

#define TIME_BUCKETS 40

/* Microseconds by powers of two: bucket 0 has 0, bucket n has from 2^(n-1) up to 2^n - 1. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TIME_BUCKETS);
	__type(key, u32);
	__type(value, u64);
} times SEC(".maps");

static __always_inline void count_hit(u32 probe)
{
	u64 *count = bpf_map_lookup_elem(&hits, &probe);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline u32 bit_length(u64 value)
{
	u32 length = 0, step;

#pragma unroll
	for (step = 32; step; step >>= 1) {
		u64 above = (value >> step) != 0;

		length += above * step;
		value >>= above * step;
	}
	return length + (value != 0);
}

static __always_inline void count_time(u64 us)
{
	u32 bucket = bit_length(us);
	u64 *count;

	if (bucket >= TIME_BUCKETS)
		bucket = TIME_BUCKETS - 1;
	count = bpf_map_lookup_elem(&times, &bucket);
	if (count)
		__sync_fetch_and_add(count, 1);
}

#endif
