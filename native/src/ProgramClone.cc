#include "ProgramClone.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <set>
#include <string>

#include "Failure.h"
#include "LibbpfLog.h"
#include "SignalsHeld.h"

namespace {

constexpr size_t kFirstLogBytes = 64 << 10;
constexpr size_t kMaxLogBytes = 16 << 20;

bool IsWideLoad(const bpf_insn& insn) { return insn.code == (BPF_LD | BPF_IMM | BPF_DW); }

// Of the load of a plain number at `insns[i]`, which has two halves.
uint64_t WideValue(const std::vector<bpf_insn>& insns, size_t i) {
    return static_cast<uint32_t>(insns[i].imm) | uint64_t{static_cast<uint32_t>(insns[i + 1].imm)} << 32;
}

std::vector<bpf_insn> PatchedInstructions(const bpf_program* program, const std::vector<Immediate>& immediates) {
    const bpf_insn* first = bpf_program__insns(program);
    std::vector<bpf_insn> insns(first, first + bpf_program__insn_cnt(program));
    for (size_t i = 0; i + 1 < insns.size(); i++) {
        if (!IsWideLoad(insns[i])) continue;
        if (insns[i].src_reg == 0) {
            uint64_t value = WideValue(insns, i);
            for (const Immediate& immediate : immediates) {
                if (value != immediate.magic) continue;
                insns[i].imm = static_cast<int32_t>(immediate.value);
                insns[i + 1].imm = static_cast<int32_t>(immediate.value >> 32);
                break;
            }
        }
        i++;  // the second half is no instruction
    }
    return insns;
}

// Where the functions of a program start, the entry first.
std::vector<uint32_t> SubprogramStarts(const std::vector<bpf_insn>& insns) {
    std::set<uint32_t> starts = {0};
    for (size_t i = 0; i < insns.size(); i++) {
        bool call = insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == BPF_PSEUDO_CALL;
        bool reference = IsWideLoad(insns[i]) && insns[i].src_reg == BPF_PSEUDO_FUNC;
        if (call || reference) starts.insert(static_cast<uint32_t>(i + 1 + insns[i].imm));
        if (IsWideLoad(insns[i])) i++;
    }
    return {starts.begin(), starts.end()};
}

// What the kernel knows of the template that a copy has to repeat.
struct TemplateInfo {
    bool gplCompatible = false;
    UniqueFd btfFd;
    std::vector<bpf_func_info> functions;
};

TemplateInfo ReadTemplateInfo(const bpf_program* program, const std::vector<bpf_insn>& insns) {
    TemplateInfo result;
    int fd = bpf_program__fd(program);
    bpf_prog_info info = {};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0)
        throw Failure(errno, "read the kernel's info of program", bpf_program__name(program));
    result.gplCompatible = info.gpl_compatible;

    // Callbacks (bpf_loop and the like) need function info. The kernel hands out the types; the offsets that it
    // shows are those after verification, so take them from the instructions. Where the verifier removed
    // a function the two do not match, and the copy goes without.
    std::vector<uint32_t> starts = SubprogramStarts(insns);
    if (starts.size() < 2 || info.nr_func_info != starts.size() || info.func_info_rec_size != sizeof(bpf_func_info))
        return result;
    std::vector<bpf_func_info> functions(starts.size());
    uint32_t btfId = info.btf_id;
    info = {};
    info.nr_func_info = static_cast<uint32_t>(functions.size());
    info.func_info_rec_size = sizeof(bpf_func_info);
    info.func_info = reinterpret_cast<uint64_t>(functions.data());
    length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return result;
    result.btfFd = UniqueFd(bpf_btf_get_fd_by_id(btfId));
    if (!result.btfFd) return result;
    for (size_t i = 0; i < starts.size(); i++) functions[i].insn_off = starts[i];
    result.functions = std::move(functions);
    return result;
}

}  // namespace

size_t PutKfuncCalls(std::vector<bpf_insn>& insns, uint64_t magic, uint32_t btfId) {
    constexpr bpf_insn kNothing = {.code = BPF_JMP | BPF_JA, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
    size_t count = 0;
    for (size_t i = 0; i + 1 < insns.size(); i++) {
        if (!IsWideLoad(insns[i])) continue;
        if (insns[i].src_reg == 0 && insns[i].dst_reg == BPF_REG_0 && WideValue(insns, i) == magic) {
            insns[i] = {.code = BPF_JMP | BPF_CALL,
                        .dst_reg = 0,
                        .src_reg = BPF_PSEUDO_KFUNC_CALL,
                        .off = 0,
                        .imm = static_cast<int32_t>(btfId)};
            insns[i + 1] = kNothing;
            count++;
        }
        i++;
    }
    return count;
}

UniqueFd LoadClone(const bpf_program* program, const ProgramShape& shape, const std::vector<Immediate>& immediates) {
    LibbpfLog log;
    const char* name = bpf_program__name(program);
    std::vector<bpf_insn> insns = PatchedInstructions(program, immediates);
    TemplateInfo info = ReadTemplateInfo(program, insns);

    SignalsHeld held;
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = static_cast<bpf_attach_type>(shape.attachType);
    options.prog_flags = bpf_program__flags(program);
    options.attach_btf_id = shape.btfId;
    options.attach_btf_obj_fd = static_cast<uint32_t>(shape.btfObjectFd);
    if (!info.functions.empty()) {
        options.prog_btf_fd = static_cast<uint32_t>(info.btfFd.Get());
        options.func_info = info.functions.data();
        options.func_info_cnt = static_cast<uint32_t>(info.functions.size());
        options.func_info_rec_size = sizeof(bpf_func_info);
    }
    const char* license = info.gplCompatible ? "GPL" : "Proprietary";
    auto load = [&] { return bpf_prog_load(shape.type, name, license, insns.data(), insns.size(), &options); };

    UniqueFd fd(load());
    if (fd) return fd;
    int error = errno;

    // Once more for the log, in a buffer that grows until the log fits.
    std::string verifierLog;
    for (size_t bytes = kFirstLogBytes; bytes <= kMaxLogBytes; bytes *= 4) {
        verifierLog.assign(bytes, '\0');
        options.log_buf = verifierLog.data();
        options.log_size = static_cast<uint32_t>(bytes);
        options.log_level = 1;
        fd = UniqueFd(load());
        if (fd) return fd;
        if (errno != ENOSPC) break;
    }
    verifierLog.resize(verifierLog.find('\0') == std::string::npos ? verifierLog.size() : verifierLog.find('\0'));
    throw Failure(error, "load a copy of program", name, log.Words(), LogTail(verifierLog));
}
