// Reuses the buffers of batches: a fresh 256 KiB buffer costs 64 page faults.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

class BatchPool {
  public:
    using Buffer = std::unique_ptr<uint8_t[]>;

    BatchPool(size_t bufferBytes, size_t keep) : bufferBytes_(bufferBytes), keep_(keep) {}

    size_t BufferBytes() const { return bufferBytes_; }

    /** Any thread. The contents are not defined. */
    Buffer Take() {
        {
            std::lock_guard<std::mutex> guard(lock_);
            if (!free_.empty()) {
                Buffer buffer = std::move(free_.back());
                free_.pop_back();
                return buffer;
            }
        }
        return Buffer(new uint8_t[bufferBytes_]);  // make_unique would clear it
    }

    /** Any thread. */
    void Return(Buffer buffer) {
        if (!buffer) return;
        std::lock_guard<std::mutex> guard(lock_);
        if (free_.size() < keep_) free_.push_back(std::move(buffer));
    }

  private:
    const size_t bufferBytes_;
    const size_t keep_;
    std::mutex lock_;
    std::vector<Buffer> free_;
};
