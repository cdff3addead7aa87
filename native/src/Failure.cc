#include "Failure.h"

#include <bpf/libbpf.h>

#include <cstring>

namespace {

// The kernel's internal code for "this operation has no such thing", which bpf(2) lets out; libc has no name for it.
constexpr int kNotSupported = 524;

std::string ErrnoText(int error) {
    if (error == kNotSupported) return "Operation not supported by the kernel";
    char text[128];
    libbpf_strerror(error, text, sizeof(text));
    return text;
}

}  // namespace

std::string ErrnoName(int error) {
    switch (error) {
        case kNotSupported:
            return "ENOTSUPP";
        case LIBBPF_ERRNO__LIBELF:
            return "LIBBPF_ERRNO__LIBELF";
        case LIBBPF_ERRNO__FORMAT:
            return "LIBBPF_ERRNO__FORMAT";
        case LIBBPF_ERRNO__KVERSION:
            return "LIBBPF_ERRNO__KVERSION";
        case LIBBPF_ERRNO__ENDIAN:
            return "LIBBPF_ERRNO__ENDIAN";
        case LIBBPF_ERRNO__INTERNAL:
            return "LIBBPF_ERRNO__INTERNAL";
        case LIBBPF_ERRNO__RELOC:
            return "LIBBPF_ERRNO__RELOC";
        case LIBBPF_ERRNO__LOAD:
            return "LIBBPF_ERRNO__LOAD";
        case LIBBPF_ERRNO__VERIFY:
            return "LIBBPF_ERRNO__VERIFY";
        case LIBBPF_ERRNO__PROG2BIG:
            return "LIBBPF_ERRNO__PROG2BIG";
        case LIBBPF_ERRNO__KVER:
            return "LIBBPF_ERRNO__KVER";
        case LIBBPF_ERRNO__PROGTYPE:
            return "LIBBPF_ERRNO__PROGTYPE";
    }
    const char* name = strerrorname_np(error);
    return name ? name : "E" + std::to_string(error);
}

Failure::Failure(int errorNumber, std::string doing, std::string on, std::string words, std::string log)
    : error(errorNumber), operation(std::move(doing)), target(std::move(on)), verifierLog(std::move(log)) {
    message = operation + " " + target + ": " + ErrnoText(error) + " (" + ErrnoName(error) + ")";
    if (!words.empty()) message += ": " + words;
}
