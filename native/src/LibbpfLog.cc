#include "LibbpfLog.h"

#include <bpf/libbpf.h>

#include <cstdio>
#include <mutex>

namespace {

constexpr size_t kTailBytes = 4096;
constexpr size_t kWordsBytes = 8192;
const char kBegin[] = "-- BEGIN PROG LOAD LOG --\n";
const char kEnd[] = "-- END PROG LOAD LOG --";

thread_local LibbpfLog* current = nullptr;

// Runs on whatever thread calls into libbpf.
__attribute__((format(printf, 2, 0))) int Print(libbpf_print_level level, const char* format, va_list args) {
    if (level == LIBBPF_DEBUG || !current) return 0;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(nullptr, 0, format, args);
    if (length > 0) {
        std::string text(static_cast<size_t>(length) + 1, '\0');
        vsnprintf(text.data(), text.size(), format, again);
        text.pop_back();
        current->Append(std::move(text));
    }
    va_end(again);
    return 0;
}

}  // namespace

std::string LogTail(const std::string& log) {
    size_t end = log.find_last_not_of(std::string("\0\n ", 3));
    if (end == std::string::npos) return "";
    end++;
    if (end <= kTailBytes) return log.substr(0, end);
    size_t start = end - kTailBytes;
    size_t line = log.find('\n', start);
    if (line != std::string::npos && line + 1 < end) start = line + 1;
    return log.substr(start, end - start);
}

LibbpfLog::LibbpfLog() : outer_(current) {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(Print); });
    current = this;
}

LibbpfLog::~LibbpfLog() { current = outer_; }

void LibbpfLog::Append(std::string text) {
    size_t begin = text.find(kBegin);
    if (begin != std::string::npos) {
        begin += sizeof(kBegin) - 1;
        size_t end = text.rfind(kEnd);
        verifierLog_ = LogTail(text.substr(begin, end == std::string::npos ? end : end - begin));
        return;
    }
    // The first words name the cause; what follows are its consequences.
    if (text_.size() + text.size() <= kWordsBytes) text_ += text;
}

std::string LibbpfLog::Words() const {
    std::string words;
    size_t at = 0;
    while (at < text_.size()) {
        size_t end = text_.find('\n', at);
        if (end == std::string::npos) end = text_.size();
        std::string line = text_.substr(at, end - at);
        at = end + 1;
        if (line.rfind("libbpf: ", 0) == 0) line.erase(0, 8);
        if (line.empty()) continue;
        if (!words.empty()) words += "; ";
        words += line;
    }
    return words;
}

std::string LibbpfLog::VerifierLog() const { return verifierLog_; }

std::string LibbpfLog::RefusedProgram() const {
    size_t at = text_.find("': BPF program load failed");
    if (at == std::string::npos) return "";
    size_t start = text_.rfind("prog '", at);
    return start == std::string::npos ? "" : text_.substr(start + 6, at - start - 6);
}
