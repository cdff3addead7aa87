// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry points. Each is generic: what it is attached to and where the skb is among the arguments comes with
 * the attachment, as an immediate that the loader puts in the place of SPEC_MAGIC in a copy of the program, or as its
 * cookie. See config.h for its fields.
 */
#include "kernel_types.h"
#include "context.bpf.h"
#include "return.bpf.h"
#include "visit.bpf.h"
#include <bpf/bpf_helpers.h>

static __always_inline u64 own_spec(void)
{
	u64 spec;

	asm volatile("%0 = %1 ll" : "=r"(spec) : "i"(SPEC_MAGIC));
	return spec;
}

/* `any_shape`: the program is attached to functions of any number of arguments. */
static __always_inline u64 tracing_arg(void *ctx, u32 n, bool any_shape)
{
	return any_shape ? probe_array_arg(ctx, n) : array_arg(ctx, n);
}

static __always_inline void visit_array(void *ctx, u64 spec, bool any_shape)
{
	if (has_no_business(spec))
		return;

	struct call call = {
		.ctx = ctx,
		.spec = spec,
		.skb = tracing_arg(ctx, spec_arg(spec, SPEC_SKB_SHIFT), any_shape),
		.sk = tracing_arg(ctx, spec_arg(spec, SPEC_SK_SHIFT), any_shape),
		.a = tracing_arg(ctx, spec_arg(spec, SPEC_ARG_A_SHIFT), any_shape),
		.b = tracing_arg(ctx, spec_arg(spec, SPEC_ARG_B_SHIFT), any_shape),
	};

	call.mark = call.skb;
	handle_call(&call);
}

/* Is the return wanted? */
static __always_inline bool visit_regs(void *ctx, u64 spec)
{
	if (has_no_business(spec))
		return false;

	struct call call = {
		.ctx = ctx,
		.spec = spec,
		.skb = regs_arg(ctx, spec_arg(spec, SPEC_SKB_SHIFT)),
		.sk = regs_arg(ctx, spec_arg(spec, SPEC_SK_SHIFT)),
		.a = regs_arg(ctx, spec_arg(spec, SPEC_ARG_A_SHIFT)),
		.b = regs_arg(ctx, spec_arg(spec, SPEC_ARG_B_SHIFT)),
		.mark = regs_stack_pointer(ctx),
	};

	handle_call(&call);
	return call.want_return;
}

/* Template for fentry, and for raw tracepoints without cookies (before 6.10). */
SEC("raw_tp")
int on_tracing(void *ctx)
{
	visit_array(ctx, own_spec(), false);
	return 0;
}

/* Raw tracepoints with cookies. */
SEC("raw_tp")
int on_tracepoint(void *ctx)
{
	visit_array(ctx, bpf_get_attach_cookie(ctx), true);
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

struct spec_table spec_table SEC(".data.specs") = {};

static __always_inline u64 multi_spec(void *ctx)
{
	u32 factor = *(volatile u32 *)&spec_table.factor;

	if (factor) {
		u64 address = bpf_get_func_ip(ctx);
		u32 at = (u32)address * factor >> (32 - SPEC_TABLE_BITS);
		volatile struct spec_entry *entry = &spec_table.entry[at & ((1 << SPEC_TABLE_BITS) - 1)];

		if (entry->address == address)
			return entry->spec;
	}
	return bpf_get_attach_cookie(ctx);
}

SEC("kprobe")
int on_multi(void *ctx)
{
	u64 spec, no_entry = config.multi_follows ? (u64)SPEC_ENTRY << SPEC_FLAGS_SHIFT : 0;

	if (config.multi_follows && nothing_tracked())
		return 0;
	spec = multi_spec(ctx);
	visit_regs(ctx, spec & ~no_entry);
	return 0;
}

SEC("kprobe")
int on_multi_return(void *ctx)
{
	handle_return(multi_spec(ctx), regs_stack_pointer(ctx), STACK_SLACK, regs_return(ctx));
	return 0;
}

/* The number gives way to a call of the kernel's bpf_session_is_return(). */
static __always_inline bool session_is_return(void)
{
	u64 is_return;

	asm volatile("r0 = %1 ll\n%0 = r0" : "=r"(is_return) : "i"(SESSION_MAGIC) : "r0", "r1", "r2", "r3", "r4", "r5");
	return is_return & 1;
}

/*
 * Entry and return of a function in one attachment (6.10): where the entry says so, the kernel leaves the return alone, which
 * costs more than the program.
 */
SEC("kprobe")
int on_session(void *ctx)
{
	bool is_return = session_is_return();
	u64 spec = multi_spec(ctx);

	if (!is_return)
		return visit_regs(ctx, spec) ? 0 : 1;
	handle_return(spec, regs_stack_pointer(ctx), STACK_SLACK, regs_return(ctx));
	return 0;
}

/* Run by user space, which tells from two runs how many jiffies a second has. */
SEC("raw_tp")
int read_jiffies(void *ctx)
{
	return bpf_jiffies64();
}

/* Keeps these types in the object's BTF, from which the generators read their layout. */
struct exported_types {
	enum event_kind kind;
	enum event_flag flag;
	enum event_section section;
	enum loss_cause loss;
	struct cpu_losses cpu_losses;
	enum spec_field field;
	enum spec_flag spec_flag;
	enum probe_read read;
	enum filter_program filter_program;
	enum filter_wanted filter_wanted;
	struct filter_scratch scratch;
	struct event_head head;
	struct event_packet packet;
	struct event_meta meta;
	struct event_options options;
	struct event_drop drop;
	struct event_netfilter netfilter;
	struct event_socket socket;
	struct event_return ret;
	struct event_sock sock;
	struct event_stack stack;
	struct event_hooks hooks;
	struct event_latency latency;
	struct event_tcp tcp;
	struct event_bytes bytes;
	enum sock_timer timer;
	enum trace_mode mode;
	struct sock_owner owner;
	struct trace_config config;
	struct tracked_skb tracked;
	struct late_options late;
	struct spec_table specs;
};
const struct exported_types *exported_types = NULL;

char _license[] SEC("license") = "GPL";
