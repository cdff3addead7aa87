// Private copies of loaded programs, specialised by replaced immediates or loaded as another type.
#pragma once

#include <bpf/libbpf.h>

#include <vector>

#include "UniqueFd.h"

struct Immediate {
    uint64_t magic;
    uint64_t value;
};

/** As what the copy is to be loaded. */
struct ProgramShape {
    bpf_prog_type type;
    uint32_t attachType = 0;
    /** Of the kernel function or tracepoint typedef, for BPF_PROG_TYPE_TRACING. */
    uint32_t btfId = 0;
    /** Of the module that has it, or 0. */
    int btfObjectFd = 0;
};

/**
 * Each load of `magic` into r0 becomes a call of the kernel's function with that id in its BTF. The number of calls.
 * libbpf's own way (__ksym) looks through the modules' BTF where the kernel has no such function, and fails without
 * CAP_SYS_ADMIN.
 */
size_t PutKfuncCalls(std::vector<bpf_insn>& insns, uint64_t magic, uint32_t btfId);

/**
 * Loads a copy of a loaded program. `bpf_program__insns()` after load gives the instructions as the kernel got
 * them: CO-RE relocated, with map descriptors and subprograms inside. Throws Failure with the verifier's log.
 */
UniqueFd LoadClone(const bpf_program* program, const ProgramShape& shape, const std::vector<Immediate>& immediates);
