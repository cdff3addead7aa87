// Distributions build libbpf.a for executables: it reaches `stderr`, the only foreign variable that it uses, by
// a relative address, which a shared object may not. The linker (--wrap=stderr) points it here instead.
#include <cstdio>

extern "C" {
extern FILE* __real_stderr;
__attribute__((visibility("hidden"))) FILE* __wrap_stderr = nullptr;

__attribute__((constructor)) static void InitWrappedStderr() { __wrap_stderr = __real_stderr; }
}
