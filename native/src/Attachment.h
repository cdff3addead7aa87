// Attaching a loaded program, by its descriptor, to a place in the kernel. Each function throws Failure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "UniqueFd.h"

/** What keeps a program attached; closing the descriptors detaches it. */
class Attachment {
  public:
    Attachment() = default;
    Attachment(UniqueFd link, UniqueFd perfEvent = UniqueFd())
        : perfEvent_(std::move(perfEvent)), link_(std::move(link)) {}

    /** The attachment owns the private copy that it was made with. */
    void Own(UniqueFd clone) { clone_ = std::move(clone); }
    /** -1 where the program is not a private copy. */
    int CloneFd() const { return clone_.Get(); }
    bool Attached() const { return link_ || perfEvent_; }

    /** The descriptor whose last close takes the attachment down: a link holds its perf event. -1 after Detach(). */
    int Fd() const { return link_ ? link_.Get() : perfEvent_.Get(); }

    void Detach() {
        link_.Reset();
        perfEvent_.Reset();
        clone_.Reset();
    }

  private:
    UniqueFd clone_;
    UniqueFd perfEvent_;
    UniqueFd link_;
};

struct KprobeTarget {
    std::string function;
    uint64_t address = 0;  // 0: the kernel looks the function up
    uint64_t offset = 0;
    bool atReturn = false;
    uint64_t cookie = 0;
};

struct KprobeMultiTarget {
    std::vector<std::string> symbols;
    std::vector<uint64_t> addresses;
    std::vector<uint64_t> cookies;
    bool atReturn = false;
    /** BPF_TRACE_KPROBE_MULTI or the kernel's number of BPF_TRACE_KPROBE_SESSION. */
    uint32_t attachType = 0;
};

Attachment AttachKprobe(int programFd, const KprobeTarget& target);
Attachment AttachKprobeMulti(int programFd, const KprobeMultiTarget& target);
Attachment AttachTracepoint(int programFd, const std::string& category, const std::string& name, uint64_t cookie);
Attachment AttachRawTracepoint(int programFd, const std::string& name, uint64_t cookie);
/** For programs that carry their target (fentry, fexit, tp_btf). */
Attachment AttachTracing(int programFd, uint32_t attachType, const std::string& target, uint64_t cookie);
