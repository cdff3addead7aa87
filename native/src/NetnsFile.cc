#include "NetnsFile.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "Failure.h"
#include "UniqueFd.h"

std::vector<uint8_t> NetnsFile::Read() const {
    std::vector<uint8_t> contents;
    netns.Run([&] { contents = ReadInside(); });
    return contents;
}

void NetnsFile::Write(const std::string& text) const {
    netns.Run([&] { WriteInside(text); });
}

void NetnsFile::WriteInside(const std::string& text) const {
    UniqueFd target(open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (!target) throw Failure(errno, "open", file);
    ssize_t written;
    do written = write(target.Get(), text.data(), text.size());
    while (written < 0 && errno == EINTR);
    if (written < 0) throw Failure(errno, "write", file);
    // A sysctl takes a value whole, and what it left out it has not understood.
    if (static_cast<size_t>(written) != text.size()) throw Failure(EINVAL, "write", file);
}

std::vector<uint8_t> NetnsFile::ReadInside() const {
    // Without O_NONBLOCK a FIFO would hold the caller up for ever.
    UniqueFd source(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!source) throw Failure(errno, "open", file);
    std::vector<uint8_t> contents(maxBytes);
    size_t filled = 0;
    while (filled < maxBytes) {
        ssize_t got = read(source.Get(), contents.data() + filled, maxBytes - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw Failure(errno, "read", file);
        if (got == 0) break;
        filled += static_cast<size_t>(got);
    }
    contents.resize(filled);
    return contents;
}
