// Reads or writes a file as a task of another network namespace sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "Netns.h"

struct NetnsFile {
    Netns netns;
    std::string file;
    size_t maxBytes = 0;

    /** At most maxBytes of the file's beginning. Throws Failure. */
    std::vector<uint8_t> Read() const;

    /** All of `text` in one call, as settings below /proc/sys want it; the file must be there. Throws Failure. */
    void Write(const std::string& text) const;

  private:
    /** On the thread that is in the namespace. */
    std::vector<uint8_t> ReadInside() const;
    void WriteInside(const std::string& text) const;
};
