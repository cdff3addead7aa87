#include "MapMemory.h"

#include <sys/mman.h>

#include <cerrno>

#include "Failure.h"

MapMemory::MapMemory(int fd, size_t bytes, const std::string& name) : bytes_(bytes) {
    void* data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) throw Failure(errno, "map memory", name);
    data_ = static_cast<const uint8_t*>(data);
}

MapMemory::~MapMemory() { munmap(const_cast<uint8_t*>(data_), bytes_); }
