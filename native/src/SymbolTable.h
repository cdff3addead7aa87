// The kernel's symbols as /proc/kallsyms lists them: sorted for searches by address and by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

class SymbolTable {
  public:
    struct Match {
        std::string_view name;
        /** Empty for the kernel itself. */
        std::string_view module;
        uint64_t address;
        uint64_t offset;
    };

    /** Throws Failure where the file cannot be read. */
    static SymbolTable Load(const std::string& path);

    /** True where the kernel shows zero addresses only. */
    bool Hidden() const { return hidden_; }
    size_t Size() const { return symbols_.size(); }
    std::optional<Match> Resolve(uint64_t address) const;
    std::vector<Match> Lookup(std::string_view name) const;
    std::vector<std::string_view> WithPrefix(std::string_view prefix) const;

  private:
    struct Symbol {
        uint64_t address;
        uint32_t name;
        uint16_t nameLength;
        uint16_t module;
        bool text;
    };

    void ParseLine(const char* line, const char* end);
    uint16_t ModuleIndex(std::string_view name);
    std::string_view NameOf(const Symbol& symbol) const { return {arena_.data() + symbol.name, symbol.nameLength}; }
    Match ToMatch(const Symbol& symbol, uint64_t address) const;
    void Sort();

    bool hidden_ = true;
    std::string arena_;
    std::vector<std::string> modules_ = {""};
    // By address; within one address in the file's order, which is the kernel's own order of preference.
    std::vector<Symbol> symbols_;
    // Indexes of text symbols, by name.
    std::vector<uint32_t> byName_;
};
