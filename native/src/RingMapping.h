// The memory of a BPF ring buffer map, as kernel/bpf/ringbuf.c lays it out: a page with the consumer's position
// (ours to write), a page with the producers' position, then the data. The kernel would map the data twice in a row, so
// that a record that wraps around is contiguous; but each page counts as resident memory twice then, and records are
// copied anyway.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "UniqueFd.h"

class RingMapping {
  public:
    /** Maps `fd`, which stays the caller's. Throws Failure. */
    RingMapping(int fd, uint32_t dataBytes, const std::string& name);
    ~RingMapping();
    RingMapping(const RingMapping&) = delete;
    RingMapping& operator=(const RingMapping&) = delete;

    uint32_t DataBytes() const { return dataBytes_; }
    uint64_t Produced() const { return __atomic_load_n(producer_, __ATOMIC_ACQUIRE); }
    uint64_t Consumed() const { return __atomic_load_n(consumer_, __ATOMIC_RELAXED); }

    /**
     * Gives the space before `position` back. Sequentially consistent: the kernel wakes us for a record only if it
     * sees that we had reached it, so the store must not pass the load of the producers' position that follows.
     */
    void Release(uint64_t position) { __atomic_store_n(consumer_, position, __ATOMIC_SEQ_CST); }

    /** The record header's first word: length and flags. */
    uint32_t Header(uint64_t position) const {
        return __atomic_load_n(reinterpret_cast<const uint32_t*>(At(position)), __ATOMIC_ACQUIRE);
    }
    /** Bytes from `position` on, around the end of the data. */
    void Copy(uint64_t position, void* to, uint32_t length) const;

  private:
    const uint8_t* At(uint64_t position) const { return data_ + (position & (dataBytes_ - 1)); }

    uint32_t dataBytes_;
    size_t pageBytes_;
    uint64_t* consumer_ = nullptr;
    uint8_t* readOnly_ = nullptr;
    const uint64_t* producer_ = nullptr;
    const uint8_t* data_ = nullptr;
};
