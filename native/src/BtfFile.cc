#include "BtfFile.h"

#include <cerrno>
#include <mutex>

#include "Failure.h"
#include "LibbpfLog.h"

namespace {

constexpr char kVmlinux[] = "/sys/kernel/btf/vmlinux";
constexpr int kMaxDepth = 32;

bool IsIndexed(uint32_t kind) {
    switch (kind) {
        case BTF_KIND_STRUCT:
        case BTF_KIND_UNION:
        case BTF_KIND_ENUM:
        case BTF_KIND_ENUM64:
        case BTF_KIND_TYPEDEF:
        case BTF_KIND_FUNC:
            return true;
    }
    return false;
}

}  // namespace

BtfFile::BtfFile(Token, btf* parsed, std::shared_ptr<const BtfFile> base) : base_(std::move(base)), btf_(parsed) {
    end_ = btf__type_cnt(parsed);
    if (base_) {
        first_ = base_->End();
        knowsSigns_ = base_->KnowsSigns();
    }
    for (uint32_t id = first_; id < end_; id++) {
        const btf_type* type = Type(id);
        // clang before 15 and pahole before 1.24 never set the flag of signed enums.
        if (type && btf_is_any_enum(type) && btf_kflag(type)) knowsSigns_ = true;
        if (!type || !type->name_off || !IsIndexed(btf_kind(type))) continue;
        index_[btf_kind(type)].emplace(Name(type->name_off), id);
    }
}

std::shared_ptr<const BtfFile> BtfFile::Load(const std::string& path, std::shared_ptr<const BtfFile> base) {
    LibbpfLog log;
    btf* parsed =
        base ? btf__parse_split(path.c_str(), const_cast<btf*>(base->Get())) : btf__parse(path.c_str(), nullptr);
    if (!parsed) throw Failure(errno, "read BTF", path, log.Words());
    return std::make_shared<const BtfFile>(Token{}, parsed, std::move(base));
}

std::shared_ptr<const BtfFile> BtfFile::Vmlinux() {
    struct Cache {
        std::mutex lock;
        std::shared_ptr<const BtfFile> file;
    };
    // Never destroyed: a thread may still use it while the process exits.
    static Cache& cache = *std::make_unique<Cache>().release();
    std::lock_guard<std::mutex> guard(cache.lock);
    if (!cache.file) cache.file = Load(kVmlinux);
    return cache.file;
}

std::optional<uint32_t> BtfFile::Find(uint32_t kind, std::string_view name) const {
    auto ofKind = index_.find(kind);
    if (ofKind == index_.end()) return std::nullopt;
    auto found = ofKind->second.find(name);
    if (found == ofKind->second.end()) return std::nullopt;
    return found->second;
}

const char* BtfFile::Name(uint32_t offset) const {
    const char* name = btf__name_by_offset(btf_.get(), offset);
    return name ? name : "";
}

const btf_type* BtfFile::Strip(uint32_t id, uint32_t* strippedId) const {
    const btf_type* type = Type(id);
    for (int depth = 0; type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type)); depth++) {
        if (depth == kMaxDepth) return nullptr;
        id = type->type;
        type = Type(id);
    }
    if (strippedId) *strippedId = id;
    return type;
}

std::optional<int64_t> BtfFile::EnumValue(std::string_view enumName, std::string_view member) const {
    std::optional<int64_t> found;
    for (int kind : {int{BTF_KIND_ENUM}, int{BTF_KIND_ENUM64}}) {
        auto id = Find(kind, enumName);
        if (!id) continue;
        ForEachEnumValue(*this, Type(*id), [&](const char* name, int64_t value) {
            if (member == name) found = value;
        });
    }
    return found;
}
