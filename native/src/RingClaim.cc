#include "RingClaim.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <mutex>
#include <set>

#include "Failure.h"

namespace {

constexpr char kOperation[] = "read ring buffer";

// Of the process: Node's workers share the kernel's maps.
std::mutex lock;
std::set<uint32_t> claimed;

uint32_t MapId(int mapFd, const std::string& name) {
    bpf_map_info info = {};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(mapFd, &info, &length) != 0) throw Failure(errno, kOperation, name);
    return info.id;
}

}  // namespace

RingClaim::RingClaim(int mapFd, const std::string& name) : mapId_(MapId(mapFd, name)) {
    std::lock_guard<std::mutex> guard(lock);
    if (!claimed.insert(mapId_).second) throw Failure(EBUSY, kOperation, name, "another reader of this map is running");
}

RingClaim::~RingClaim() {
    std::lock_guard<std::mutex> guard(lock);
    claimed.erase(mapId_);
}
