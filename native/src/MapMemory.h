// The values of an array map as the kernel's programs have them at this moment, in memory that is shared with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

class MapMemory {
  public:
    /** Maps `bytes` of `fd`, which stays the caller's. Throws Failure. */
    MapMemory(int fd, size_t bytes, const std::string& name);
    ~MapMemory();
    MapMemory(const MapMemory&) = delete;
    MapMemory& operator=(const MapMemory&) = delete;

    const uint8_t* Data() const { return data_; }
    size_t Bytes() const { return bytes_; }

  private:
    size_t bytes_;
    const uint8_t* data_;
};
