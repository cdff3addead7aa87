#include "SymbolTable.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "Failure.h"
#include "UniqueFd.h"

namespace {

// The kernel's own limit is 512 (KSYM_NAME_LEN) for a name and 56 for a module's; what is longer is no kallsyms.
constexpr size_t kMaxNameBytes = 1024;
constexpr size_t kReadBytes = 1 << 20;

// Nothing says where the last symbol of a module ends, and the modules' memory has gaps. No function of the
// kernel is nearly as long as this, so an address that is farther from a symbol does not belong to it.
constexpr uint64_t kMaxSymbolBytes = 1 << 20;

bool IsText(char type) { return type == 't' || type == 'T' || type == 'w' || type == 'W'; }

}  // namespace

SymbolTable SymbolTable::Load(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw Failure(errno, "read symbols", path);
    SymbolTable table;
    std::string buffer(kReadBytes, '\0');
    size_t kept = 0;        // bytes of an unfinished line at the buffer's start
    bool skipping = false;  // within a line that is longer than the buffer
    for (;;) {
        ssize_t got = read(fd.Get(), buffer.data() + kept, buffer.size() - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw Failure(errno, "read symbols", path);
        if (got == 0) break;
        const char* at = buffer.data();
        const char* end = at + kept + got;
        while (const char* newline = static_cast<const char*>(memchr(at, '\n', static_cast<size_t>(end - at)))) {
            if (!skipping) table.ParseLine(at, newline);
            skipping = false;
            at = newline + 1;
        }
        kept = static_cast<size_t>(end - at);
        if (kept == buffer.size()) {
            skipping = true;
            kept = 0;
        }
        memmove(buffer.data(), at, kept);
    }
    if (!skipping) table.ParseLine(buffer.data(), buffer.data() + kept);
    table.Sort();
    return table;
}

// `ffffffff81000000 T _text` or `ffffffffc0000000 t name\t[module]`. Other lines are left out.
void SymbolTable::ParseLine(const char* at, const char* end) {
    uint64_t address = 0;
    const char* start = at;
    for (; at < end; at++) {
        char c = *at;
        unsigned digit;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a') + 10;
        } else {
            break;
        }
        address = address << 4 | digit;
    }
    if (at == start || at - start > 16 || end - at < 4 || at[0] != ' ' || at[2] != ' ') return;
    char type = at[1];
    at += 3;
    const char* nameEnd = std::find_if(at, end, [](char c) { return c == '\t' || c == ' '; });
    std::string_view name(at, static_cast<size_t>(nameEnd - at));
    std::string_view module;
    const char* open = std::find(nameEnd, end, '[');
    const char* shut = std::find(open, end, ']');
    if (shut < end) module = {open + 1, static_cast<size_t>(shut - open - 1)};
    if (name.empty() || name.size() > kMaxNameBytes || module.size() > kMaxNameBytes) return;
    if (arena_.size() + name.size() > UINT32_MAX) return;

    if (address != 0) hidden_ = false;
    symbols_.push_back({address, static_cast<uint32_t>(arena_.size()), static_cast<uint16_t>(name.size()),
                        ModuleIndex(module), IsText(type)});
    arena_.append(name);
}

uint16_t SymbolTable::ModuleIndex(std::string_view name) {
    // Modules come one after the other, so the last one is nearly always it.
    if (modules_.back() == name) return static_cast<uint16_t>(modules_.size() - 1);
    auto found = std::find(modules_.begin(), modules_.end(), name);
    if (found == modules_.end() && modules_.size() < UINT16_MAX)
        found = modules_.insert(modules_.end(), std::string(name));
    return found == modules_.end() ? 0 : static_cast<uint16_t>(found - modules_.begin());
}

void SymbolTable::Sort() {
    auto before = [](const Symbol& a, const Symbol& b) { return a.address < b.address; };
    if (!std::is_sorted(symbols_.begin(), symbols_.end(), before))
        std::stable_sort(symbols_.begin(), symbols_.end(), before);
    for (uint32_t i = 0; i < symbols_.size(); i++)
        if (symbols_[i].text) byName_.push_back(i);
    std::sort(byName_.begin(), byName_.end(), [this](uint32_t a, uint32_t b) {
        int order = NameOf(symbols_[a]).compare(NameOf(symbols_[b]));
        return order ? order < 0 : a < b;
    });
}

SymbolTable::Match SymbolTable::ToMatch(const Symbol& symbol, uint64_t address) const {
    return {NameOf(symbol), modules_[symbol.module], symbol.address, address - symbol.address};
}

std::optional<SymbolTable::Match> SymbolTable::Resolve(uint64_t address) const {
    if (hidden_) return std::nullopt;
    auto next = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                 [](uint64_t value, const Symbol& symbol) { return value < symbol.address; });
    if (next == symbols_.begin()) return std::nullopt;
    uint64_t start = std::prev(next)->address;
    if (address - start >= kMaxSymbolBytes) return std::nullopt;
    auto first = std::lower_bound(symbols_.begin(), next, start,
                                  [](const Symbol& symbol, uint64_t value) { return symbol.address < value; });
    auto text = std::find_if(first, next, [](const Symbol& symbol) { return symbol.text; });
    if (text == next) return std::nullopt;
    return ToMatch(*text, address);
}

std::vector<SymbolTable::Match> SymbolTable::Lookup(std::string_view name) const {
    std::vector<Match> found;
    auto at = std::lower_bound(byName_.begin(), byName_.end(), name,
                               [this](uint32_t i, std::string_view value) { return NameOf(symbols_[i]) < value; });
    for (; at != byName_.end() && NameOf(symbols_[*at]) == name; ++at)
        found.push_back(ToMatch(symbols_[*at], symbols_[*at].address));
    return found;
}

std::vector<std::string_view> SymbolTable::WithPrefix(std::string_view prefix) const {
    std::vector<std::string_view> found;
    auto at = std::lower_bound(byName_.begin(), byName_.end(), prefix,
                               [this](uint32_t i, std::string_view value) { return NameOf(symbols_[i]) < value; });
    for (; at != byName_.end() && NameOf(symbols_[*at]).substr(0, prefix.size()) == prefix; ++at) {
        std::string_view name = NameOf(symbols_[*at]);
        if (found.empty() || found.back() != name) found.push_back(name);
    }
    return found;
}
