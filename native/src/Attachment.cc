#include "Attachment.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fstream>

#include "Failure.h"

namespace {

constexpr char kKprobePmu[] = "/sys/bus/event_source/devices/kprobe";

// union bpf_attr's `raw_tracepoint`; libbpf 1.1 and the headers of its time do not know the cookie.
struct RawTracepointAttr {
    uint64_t name;
    uint32_t programFd;
    uint32_t padding;
    uint64_t cookie;
};

bool ReadWord(const std::string& path, std::string& word) {
    std::ifstream file(path);
    return static_cast<bool>(file >> word);
}

bool ReadNumber(const std::string& path, uint64_t& number) {
    std::ifstream file(path);
    return static_cast<bool>(file >> number);
}

// perf's `format/retprobe` says `config:0`: which bit of attr.config asks for the return.
uint64_t RetprobeBit() {
    std::string format;
    if (!ReadWord(std::string(kKprobePmu) + "/format/retprobe", format) || format.rfind("config:", 0) != 0)
        throw Failure(ENOENT, "read", std::string(kKprobePmu) + "/format/retprobe");
    return uint64_t{1} << (std::stoul(format.substr(7)) & 63);
}

UniqueFd OpenPerfEvent(perf_event_attr& attr) {
    attr.size = sizeof(attr);
    // Any process, on one CPU: a probe with a program runs it wherever it is hit (perf_event_set_bpf_prog()).
    return UniqueFd(static_cast<int>(syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
}

// Kernels before 5.15 have no links of perf events. There the kernel refuses the attach type (EINVAL) before it
// looks at the descriptor (EBADF).
bool HasPerfLinks(int programFd) {
    return bpf_link_create(programFd, -1, BPF_PERF_EVENT, nullptr) < 0 && errno == EBADF;
}

Attachment AttachToPerfEvent(int programFd, UniqueFd event, uint64_t cookie, const std::string& operation,
                             const std::string& target) {
    UniqueFd link;
    if (HasPerfLinks(programFd)) {
        LIBBPF_OPTS(bpf_link_create_opts, options);
        options.perf_event.bpf_cookie = cookie;
        link = UniqueFd(bpf_link_create(programFd, event.Get(), BPF_PERF_EVENT, &options));
        if (!link) throw Failure(errno, operation, target, "the program was refused");
    } else {
        if (cookie != 0) throw Failure(EOPNOTSUPP, operation, target, "cookies need a kernel from 5.15 on");
        if (ioctl(event.Get(), PERF_EVENT_IOC_SET_BPF, programFd) < 0)
            throw Failure(errno, operation, target, "the program was refused");
    }
    if (ioctl(event.Get(), PERF_EVENT_IOC_ENABLE, 0) < 0) throw Failure(errno, operation, target, "cannot enable");
    return Attachment(std::move(link), std::move(event));
}

}  // namespace

Attachment AttachKprobe(int programFd, const KprobeTarget& target) {
    const char* operation = target.atReturn ? "attach kretprobe" : "attach kprobe";
    std::string where = target.function;
    if (target.offset) where += "+" + std::to_string(target.offset);
    uint64_t type = 0;
    if (!ReadNumber(std::string(kKprobePmu) + "/type", type))
        throw Failure(ENOENT, operation, where, "the kernel has no kprobes (no " + std::string(kKprobePmu) + ")");
    perf_event_attr attr = {};
    attr.type = static_cast<uint32_t>(type);
    if (target.atReturn) attr.config |= RetprobeBit();
    if (!target.address) attr.config1 = reinterpret_cast<uint64_t>(target.function.c_str());
    attr.config2 = target.address + target.offset;
    UniqueFd event = OpenPerfEvent(attr);
    if (!event) throw Failure(errno, operation, where, "the kernel refused the probe");
    return AttachToPerfEvent(programFd, std::move(event), target.cookie, operation, where);
}

Attachment AttachTracepoint(int programFd, const std::string& category, const std::string& name, uint64_t cookie) {
    std::string where = category + ":" + name;
    uint64_t id = 0;
    std::string path = "/events/" + category + "/" + name + "/id";
    if (!ReadNumber("/sys/kernel/tracing" + path, id) && !ReadNumber("/sys/kernel/debug/tracing" + path, id))
        throw Failure(ENOENT, "attach tracepoint", where, "tracefs has no " + path);
    perf_event_attr attr = {};
    attr.type = PERF_TYPE_TRACEPOINT;
    attr.config = id;
    UniqueFd event = OpenPerfEvent(attr);
    if (!event) throw Failure(errno, "attach tracepoint", where, "the kernel refused the event");
    return AttachToPerfEvent(programFd, std::move(event), cookie, "attach tracepoint", where);
}

Attachment AttachKprobeMulti(int programFd, const KprobeMultiTarget& target) {
    std::vector<const char*> names;
    for (const std::string& symbol : target.symbols) names.push_back(symbol.c_str());
    size_t count = names.empty() ? target.addresses.size() : names.size();

    // bpf(2) itself: libbpf 1.1 refuses attach types that it does not know, such as sessions.
    bpf_attr attr = {};
    attr.link_create.prog_fd = static_cast<uint32_t>(programFd);
    attr.link_create.attach_type = target.attachType;
    auto& multi = attr.link_create.kprobe_multi;
    multi.flags = target.atReturn ? BPF_F_KPROBE_MULTI_RETURN : 0;
    multi.cnt = static_cast<uint32_t>(count);
    if (names.empty()) {
        multi.addrs = reinterpret_cast<uint64_t>(target.addresses.data());
    } else {
        multi.syms = reinterpret_cast<uint64_t>(names.data());
    }
    if (!target.cookies.empty()) multi.cookies = reinterpret_cast<uint64_t>(target.cookies.data());
    UniqueFd link(static_cast<int>(syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr))));
    if (!link) throw Failure(errno, "attach kprobe.multi", "to " + std::to_string(count) + " functions");
    return Attachment(std::move(link));
}

Attachment AttachRawTracepoint(int programFd, const std::string& name, uint64_t cookie) {
    RawTracepointAttr attr = {};
    attr.name = reinterpret_cast<uint64_t>(name.c_str());
    attr.programFd = static_cast<uint32_t>(programFd);
    attr.cookie = cookie;
    UniqueFd link(static_cast<int>(syscall(__NR_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr))));
    if (link) return Attachment(std::move(link));
    // An older kernel refuses an attribute whose rest, of which it knows nothing, is not zero.
    const char* words = cookie != 0 && errno == EINVAL ? "cookies need a kernel from 6.10 on" : "";
    throw Failure(errno, "attach raw tracepoint", name, words);
}

Attachment AttachTracing(int programFd, uint32_t attachType, const std::string& target, uint64_t cookie) {
    UniqueFd link;
    if (cookie) {
        LIBBPF_OPTS(bpf_link_create_opts, options);
        options.tracing.cookie = cookie;
        link = UniqueFd(bpf_link_create(programFd, 0, static_cast<bpf_attach_type>(attachType), &options));
        if (!link) throw Failure(errno, "attach", target, "cookies of fentry and fexit need a kernel from 5.19 on");
    } else {
        link = UniqueFd(bpf_raw_tracepoint_open(nullptr, programFd));
        if (!link) throw Failure(errno, "attach", target);
    }
    return Attachment(std::move(link));
}
