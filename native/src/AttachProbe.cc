#include "AttachProbe.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "BtfFile.h"
#include "Failure.h"
#include "UniqueFd.h"

namespace {

// A function that is there for this: net/bpf/test_run.c, from 5.5 on.
constexpr char kTestFunction[] = "bpf_fentry_test1";

UniqueFd LoadEmpty(bpf_prog_type type, const bpf_prog_load_opts& options) {
    const bpf_insn insns[] = {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    return UniqueFd(bpf_prog_load(type, "attach_probe", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &options));
}

}  // namespace

bool CanAttachTracing() {
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = BPF_TRACE_FENTRY;
    try {
        auto id = BtfFile::Vmlinux()->Find(BTF_KIND_FUNC, kTestFunction);
        if (!id) return false;
        options.attach_btf_id = *id;
    } catch (const Failure&) {
        return false;
    }
    return static_cast<bool>(LoadEmpty(BPF_PROG_TYPE_TRACING, options));
}

bool CanAttachKprobeMulti() {
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = BPF_TRACE_KPROBE_MULTI;
    UniqueFd program = LoadEmpty(BPF_PROG_TYPE_KPROBE, options);
    if (!program) return false;
    // One function, whose address is to be read where nothing is: a kernel that can tries to (EFAULT).
    bpf_attr attr = {};
    attr.link_create.prog_fd = static_cast<uint32_t>(program.Get());
    attr.link_create.attach_type = BPF_TRACE_KPROBE_MULTI;
    attr.link_create.kprobe_multi.cnt = 1;
    attr.link_create.kprobe_multi.addrs = 1;
    return syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)) < 0 && errno == EFAULT;
}
