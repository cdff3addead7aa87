// One BTF blob (the kernel's, a module's, or a BPF object's) with an index by name. Immutable once built, so
// that threads may share it.
#pragma once

#include <bpf/btf.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

class BtfFile {
    struct Token {};

  public:
    /** Use Load(). */
    BtfFile(Token, btf* parsed, std::shared_ptr<const BtfFile> base);

    /** Raw BTF or an ELF file that has some. Throws Failure. With `base` it is split BTF of a module. */
    static std::shared_ptr<const BtfFile> Load(const std::string& path, std::shared_ptr<const BtfFile> base = nullptr);

    /** The running kernel's, parsed once per process. Throws Failure (ENOENT where the kernel has none). */
    static std::shared_ptr<const BtfFile> Vmlinux();

    const btf* Get() const { return btf_.get(); }
    /** Ids of this file's own types are in [First(), End()); lower ones are the base's. */
    uint32_t First() const { return first_; }
    uint32_t End() const { return end_; }

    /** The first type of this file (not of its base) with that kind and name. */
    std::optional<uint32_t> Find(uint32_t kind, std::string_view name) const;

    /** Null where there is no such type. */
    const btf_type* Type(uint32_t id) const { return btf__type_by_id(btf_.get(), id); }
    /** Never null. */
    const char* Name(uint32_t offset) const;
    /** The type behind typedef, const, volatile, restrict and type tags; null where the chain is broken. */
    const btf_type* Strip(uint32_t id, uint32_t* strippedId = nullptr) const;
    /** False for BTF of older tools, which do not say whether an enum is signed. */
    bool KnowsSigns() const { return knowsSigns_; }
    /** name -> value, sign as declared, as 64-bit pattern. */
    std::optional<int64_t> EnumValue(std::string_view enumName, std::string_view member) const;

  private:
    struct Free {
        void operator()(btf* b) const { btf__free(b); }
    };

    std::shared_ptr<const BtfFile> base_;
    std::unique_ptr<btf, Free> btf_;
    uint32_t first_ = 1;
    uint32_t end_ = 1;
    bool knowsSigns_ = false;
    // Per kind, for the kinds that are looked up by name.
    std::unordered_map<uint32_t, std::unordered_map<std::string_view, uint32_t>> index_;
};

/** Calls `visit(const char* name, int64_t value)` for each value of an ENUM or ENUM64. */
template <typename Visit>
void ForEachEnumValue(const BtfFile& file, const btf_type* type, Visit visit) {
    if (btf_is_enum64(type)) {
        const struct btf_enum64* values = btf_enum64(type);
        for (int i = 0; i < btf_vlen(type); i++)
            visit(file.Name(values[i].name_off), static_cast<int64_t>(btf_enum64_value(&values[i])));
    } else {
        const struct btf_enum* values = btf_enum(type);
        bool isSigned = btf_kflag(type) || !file.KnowsSigns();
        for (int i = 0; i < btf_vlen(type); i++) {
            int64_t value = isSigned ? int64_t{values[i].val} : int64_t{static_cast<uint32_t>(values[i].val)};
            visit(file.Name(values[i].name_off), value);
        }
    }
}
