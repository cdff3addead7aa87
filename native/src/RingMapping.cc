#include "RingMapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "Failure.h"

RingMapping::RingMapping(int fd, uint32_t dataBytes, const std::string& name)
    : dataBytes_(dataBytes), pageBytes_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    void* consumer = mmap(nullptr, pageBytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (consumer == MAP_FAILED) throw Failure(errno, "map ring buffer", name);
    size_t bytes = pageBytes_ + size_t{dataBytes};
    void* readOnly = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(pageBytes_));
    if (readOnly == MAP_FAILED) {
        int error = errno;
        munmap(consumer, pageBytes_);
        throw Failure(error, "map ring buffer", name);
    }
    consumer_ = static_cast<uint64_t*>(consumer);
    readOnly_ = static_cast<uint8_t*>(readOnly);
    producer_ = reinterpret_cast<const uint64_t*>(readOnly_);
    data_ = readOnly_ + pageBytes_;
}

RingMapping::~RingMapping() {
    munmap(consumer_, pageBytes_);
    munmap(readOnly_, pageBytes_ + size_t{dataBytes_});
}

void RingMapping::Copy(uint64_t position, void* to, uint32_t length) const {
    uint32_t before = std::min<uint64_t>(length, dataBytes_ - (position & (dataBytes_ - 1)));
    memcpy(to, At(position), before);
    memcpy(static_cast<uint8_t*>(to) + before, data_, length - before);
}
