/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a program's context by an argument number that is known only when the program is loaded. The verifier wants
 * constant offsets, and the compiler must not turn the choice into arithmetic: hence a load of its own for each.
 */
#ifndef NETTRACE_CONTEXT_H
#define NETTRACE_CONTEXT_H

#include "kernel_types.h"
#include "config.h"
#include <bpf/bpf_helpers.h>

#define LOAD_CONTEXT(ctx, offset)                                                                                      \
	({                                                                                                             \
		u64 loaded;                                                                                            \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(loaded) : "r"(ctx), "i"(offset));                         \
		loaded;                                                                                                \
	})

/* Arguments of tracepoints and of fentry and fexit: an array of u64. */
static __always_inline u64 array_arg(void *ctx, u32 n)
{
	switch (n) {
	case 0:
		return LOAD_CONTEXT(ctx, 0);
	case 1:
		return LOAD_CONTEXT(ctx, 8);
	case 2:
		return LOAD_CONTEXT(ctx, 16);
	case 3:
		return LOAD_CONTEXT(ctx, 24);
	case 4:
		return LOAD_CONTEXT(ctx, 32);
	case 5:
		return LOAD_CONTEXT(ctx, 40);
	case 6:
		return LOAD_CONTEXT(ctx, 48);
	case 7:
		return LOAD_CONTEXT(ctx, 56);
	case 8:
		return LOAD_CONTEXT(ctx, 64);
	case 9:
		return LOAD_CONTEXT(ctx, 72);
	case 10:
		return LOAD_CONTEXT(ctx, 80);
	case 11:
		return LOAD_CONTEXT(ctx, 88);
	}
	return 0;
}

/*
 * The same for a program that serves tracepoints of all shapes: one that loads an argument by itself, on whichever way,
 * is not attached to a tracepoint that has fewer (max_ctx_offset). All have the first, which most often is the skb.
 */
static __always_inline u64 probe_array_arg(void *ctx, u32 n)
{
	u64 value = 0;

	if (n == 0)
		return LOAD_CONTEXT(ctx, 0);
	if (n != SPEC_NO_ARG)
		bpf_probe_read_kernel(&value, sizeof(value), (u64 *)ctx + n);
	return value;
}

/* struct pt_regs as kprobes hand it over: offsets of the argument registers, the stack pointer, the return value. */
#if defined(__TARGET_ARCH_x86)
enum {
	REG_1 = 112,
	REG_2 = 104,
	REG_3 = 96,
	REG_4 = 88,
	REG_5 = 72,
	REG_6 = 64,
	REG_SP = 152,
	REG_RETURN = 80,
	REG_IP = 128
};
/* kprobes leave the instruction pointer behind the breakpoint */
#define BREAKPOINT_SIZE 1
#elif defined(__TARGET_ARCH_arm64)
enum {
	REG_1 = 0,
	REG_2 = 8,
	REG_3 = 16,
	REG_4 = 24,
	REG_5 = 32,
	REG_6 = 40,
	REG_SP = 248,
	REG_RETURN = 0,
	REG_IP = 256
};
#define BREAKPOINT_SIZE 0
#else
#error "unknown target architecture"
#endif

static __always_inline u64 regs_arg(void *ctx, u32 n)
{
	switch (n) {
	case 0:
		return LOAD_CONTEXT(ctx, REG_1);
	case 1:
		return LOAD_CONTEXT(ctx, REG_2);
	case 2:
		return LOAD_CONTEXT(ctx, REG_3);
	case 3:
		return LOAD_CONTEXT(ctx, REG_4);
	case 4:
		return LOAD_CONTEXT(ctx, REG_5);
	case 5:
		return LOAD_CONTEXT(ctx, REG_6);
	}
	return 0;
}

static __always_inline u64 regs_stack_pointer(void *ctx)
{
	return LOAD_CONTEXT(ctx, REG_SP);
}

static __always_inline u64 regs_probe_address(void *ctx)
{
	return LOAD_CONTEXT(ctx, REG_IP) - BREAKPOINT_SIZE;
}

static __always_inline u64 regs_return(void *ctx)
{
	return LOAD_CONTEXT(ctx, REG_RETURN);
}

#endif
