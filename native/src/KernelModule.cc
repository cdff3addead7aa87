#include "KernelModule.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <map>
#include <mutex>

#include "Failure.h"

namespace {

// Parsed BTF by the id of the kernel's BTF object. Ids are not used again, so that a module that was loaded anew
// is found as another one.
class ModuleCache {
  public:
    std::shared_ptr<const BtfFile> Get(uint32_t id, const std::string& name) {
        std::lock_guard<std::mutex> guard(lock_);
        auto& entry = files_[id];
        if (!entry) entry = BtfFile::Load("/sys/kernel/btf/" + name, BtfFile::Vmlinux());
        return entry;
    }

    static ModuleCache& Instance() {
        // Never destroyed: a thread may still use it while the process exits.
        static ModuleCache& cache = *std::make_unique<ModuleCache>().release();
        return cache;
    }

  private:
    std::mutex lock_;
    std::map<uint32_t, std::shared_ptr<const BtfFile>> files_;
};

// Calls `visit(id, name, fd)` for the BTF object of each loaded module until it returns true.
template <typename Visit>
void ForEachModule(Visit visit) {
    uint32_t id = 0;
    while (bpf_btf_get_next_id(id, &id) == 0) {
        UniqueFd fd(bpf_btf_get_fd_by_id(id));
        if (!fd) continue;
        char name[64] = "";
        bpf_btf_info info = {};
        info.name = reinterpret_cast<uint64_t>(name);
        info.name_len = sizeof(name);
        uint32_t length = sizeof(info);
        if (bpf_obj_get_info_by_fd(fd.Get(), &info, &length) != 0) continue;
        if (!info.kernel_btf || std::string("vmlinux") == name) continue;
        if (visit(id, std::string(name), fd)) return;
    }
}

}  // namespace

KernelModule FindKernelModule(const std::string& name) {
    KernelModule found;
    ForEachModule([&](uint32_t id, const std::string& candidate, UniqueFd& fd) {
        if (candidate != name) return false;
        found = {name, std::move(fd), ModuleCache::Instance().Get(id, name)};
        return true;
    });
    if (!found.btf) throw Failure(ENOENT, "find the BTF of module", name);
    return found;
}

KernelModule FindKernelModule(const std::string& target, const std::function<bool(const BtfFile&)>& matches) {
    KernelModule found;
    ForEachModule([&](uint32_t id, const std::string& name, UniqueFd& fd) {
        std::shared_ptr<const BtfFile> file;
        try {
            file = ModuleCache::Instance().Get(id, name);
        } catch (const Failure&) {
            return false;  // unloaded meanwhile, or its BTF does not fit: it cannot have the target
        }
        if (!matches(*file)) return false;
        found = {name, std::move(fd), std::move(file)};
        return true;
    });
    if (!found.btf) throw Failure(ENOENT, "find in the kernel's BTF", target);
    return found;
}
