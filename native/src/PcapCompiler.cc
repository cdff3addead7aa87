#include "PcapCompiler.h"

#include <dlfcn.h>

#include <cerrno>
#include <memory>
#include <mutex>

#include "Failure.h"

namespace {

// The first is Debian's and Ubuntu's name, the second everybody else's.
constexpr const char* kLibraries[] = {"libpcap.so.0.8", "libpcap.so.1"};
constexpr uint32_t kNetmaskUnknown = 0xffffffff;

struct pcap;

// struct bpf_program of pcap/bpf.h; its instructions have the kernel's layout.
struct Program {
    unsigned int length;
    sock_filter* instructions;
};

struct Library {
    pcap* (*openDead)(int linkType, int snapLength);
    int (*compile)(pcap*, Program*, const char* expression, int optimize, uint32_t netmask);
    char* (*getError)(pcap*);
    void (*freeCode)(Program*);
    void (*close)(pcap*);
};

template <typename Function>
void Resolve(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (!function) throw Failure(ENOENT, "find in libpcap", name);
}

Library Load() {
    std::string words;
    for (const char* name : kLibraries) {
        void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (!handle) {
            const char* error = dlerror();
            if (words.empty() && error) words = error;
            continue;
        }
        Library library;
        Resolve(handle, "pcap_open_dead", library.openDead);
        Resolve(handle, "pcap_compile", library.compile);
        Resolve(handle, "pcap_geterr", library.getError);
        Resolve(handle, "pcap_freecode", library.freeCode);
        Resolve(handle, "pcap_close", library.close);
        return library;
    }
    throw Failure(ENOENT, "load", "libpcap", words);
}

}  // namespace

PcapResult CompilePcap(const std::string& expression, int linkType, int snapLength) {
    static std::mutex lock;
    std::lock_guard<std::mutex> guard(lock);
    static const Library library = Load();  // after a failure the next call tries again

    std::unique_ptr<pcap, void (*)(pcap*)> handle(library.openDead(linkType, snapLength), library.close);
    if (!handle) throw Failure(ENOMEM, "open", "libpcap");
    Program program = {};
    PcapResult result;
    if (library.compile(handle.get(), &program, expression.c_str(), 1, kNetmaskUnknown) != 0) {
        result.error = library.getError(handle.get());
        if (result.error.empty()) result.error = "libpcap does not take it";
        return result;
    }
    std::unique_ptr<Program, void (*)(Program*)> code(&program, library.freeCode);
    result.program.assign(program.instructions, program.instructions + program.length);
    return result;
}
