// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry points. Each is generic: what it is attached to and where the skb is among the arguments comes with
 * the attachment, as an immediate that the loader puts in the place of SPEC_MAGIC in a copy of the program, or as its
 * cookie. See config.h for its fields.
 */
#include "kernel_types.h"
#include "context.bpf.h"
#include "visit.bpf.h"
#include <bpf/bpf_helpers.h>

static __always_inline u64 own_spec(void)
{
	u64 spec;

	asm volatile("%0 = %1 ll" : "=r"(spec) : "i"(SPEC_MAGIC));
	return spec;
}

static __always_inline void visit_array(void *ctx, u64 spec)
{
	struct call call = {
		.spec = spec,
		.skb = array_arg(ctx, spec_arg(spec, SPEC_SKB_SHIFT)),
		.a = array_arg(ctx, spec_arg(spec, SPEC_ARG_A_SHIFT)),
		.b = array_arg(ctx, spec_arg(spec, SPEC_ARG_B_SHIFT)),
	};

	call.mark = call.skb;
	if (spec_read(spec) == READ_STATE || spec_read(spec) == READ_ROUTE)
		handle_ambient(&call);
	else
		handle_visit(&call);
}

static __always_inline void visit_regs(void *ctx, u64 spec)
{
	struct call call = {
		.spec = spec,
		.skb = regs_arg(ctx, spec_arg(spec, SPEC_SKB_SHIFT)),
		.a = regs_arg(ctx, spec_arg(spec, SPEC_ARG_A_SHIFT)),
		.b = regs_arg(ctx, spec_arg(spec, SPEC_ARG_B_SHIFT)),
		.mark = regs_stack_pointer(ctx),
	};

	handle_visit(&call);
}

/* Raw tracepoints, and template for fentry. */
SEC("raw_tp")
int on_tracing(void *ctx)
{
	visit_array(ctx, own_spec());
	return 0;
}

/* Template for fexit. */
SEC("raw_tp")
int on_tracing_return(void *ctx)
{
	u64 spec = own_spec();

	handle_return(spec, array_arg(ctx, spec_arg(spec, SPEC_SKB_SHIFT)), 0,
		      array_arg(ctx, spec_arg(spec, SPEC_NARGS_SHIFT)));
	return 0;
}

/*
 * Kprobes without cookies (before 5.15): the address says which probe it is. A copy with an immediate would do as well
 * but costs a run of the verifier for each probe.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u64);
} specs SEC(".maps");

SEC("kprobe")
int on_kprobe(void *ctx)
{
	u64 address = regs_probe_address(ctx);
	u64 *spec = bpf_map_lookup_elem(&specs, &address);

	if (spec)
		visit_regs(ctx, *spec);
	return 0;
}

/* Returns have no address of their own: a copy for each. */

SEC("kprobe")
int on_kretprobe(void *ctx)
{
	handle_return(own_spec(), regs_stack_pointer(ctx), STACK_SLACK, regs_return(ctx));
	return 0;
}

/* Kprobes with cookies, one by one or many at once (kprobe.multi). */
SEC("kprobe")
int on_cookie(void *ctx)
{
	visit_regs(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("kprobe")
int on_cookie_return(void *ctx)
{
	handle_return(bpf_get_attach_cookie(ctx), regs_stack_pointer(ctx), STACK_SLACK, regs_return(ctx));
	return 0;
}

SEC("kprobe")
int on_multi(void *ctx)
{
	visit_regs(ctx, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("kprobe")
int on_multi_return(void *ctx)
{
	handle_return(bpf_get_attach_cookie(ctx), regs_stack_pointer(ctx), STACK_SLACK, regs_return(ctx));
	return 0;
}

/* Keeps these types in the object's BTF, from which the generators read their layout. */
struct exported_types {
	enum event_kind kind;
	enum event_flag flag;
	enum event_section section;
	enum loss_cause loss;
	enum spec_field field;
	enum spec_flag spec_flag;
	enum probe_read read;
	struct event_head head;
	struct event_packet packet;
	struct event_meta meta;
	struct event_options options;
	struct event_drop drop;
	struct event_netfilter netfilter;
	struct event_socket socket;
	struct event_return ret;
	struct trace_config config;
	struct tracked_skb tracked;
	struct late_options late;
};
const struct exported_types *exported_types = NULL;

char _license[] SEC("license") = "GPL";
