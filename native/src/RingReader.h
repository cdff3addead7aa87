// The thread that reads a ring buffer into batches, and the bounded queue between it and JavaScript.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "BatchPool.h"
#include "RingClaim.h"
#include "RingMapping.h"
#include "UniqueFd.h"

struct RingReaderOptions {
    uint32_t batchBytes = 256 << 10;
    uint32_t batchMs = 20;
    uint32_t queueBatches = 16;
};

struct RingReaderStats {
    uint64_t records, bytes, batches, stalls, oversized, queued;
};

class RingReader {
  public:
    struct Batch {
        BatchPool::Buffer buffer;
        uint32_t used = 0;
        uint32_t records = 0;
    };

    /** `mapFd` becomes the reader's own. Throws Failure, EBUSY while the map has another reader. */
    RingReader(UniqueFd mapFd, uint32_t dataBytes, const std::string& name, const RingReaderOptions& options);
    ~RingReader();

    /** Starts the thread. `notify` runs on it: once for each queued batch, and once at the end. */
    void Start(std::function<void()> notify);
    /** Any thread: read what is there now, hand it over, end. */
    void Stop();
    /** Main thread: end at once, wait for it, and let go of the map. What is queued stays queued. Safe to call twice.
     */
    void Abort();

    /** Main thread: the next batch; false where there is none. Its place in the queue stays taken until BatchDone(). */
    bool TakeBatch(Batch& batch);
    void BatchDone();
    /** Main thread: true once the thread has handed over all it ever will. */
    bool Ended() const;
    RingReaderStats Stats() const;
    const std::shared_ptr<BatchPool>& Pool() const { return pool_; }

  private:
    enum class State { kEmpty, kBusy, kAborted };
    using Clock = std::chrono::steady_clock;

    // All of these run on the reading thread.
    void Run();
    State Consume(uint64_t limit);
    void Drain();
    bool Append(uint32_t length);
    bool Flush();
    void Sleep(bool ringToo, int milliseconds);
    void Release(uint64_t position);
    int SleepMs(State state) const;

    const RingReaderOptions options_;
    UniqueFd mapFd_;
    UniqueFd wakeFd_;
    std::optional<RingClaim> claim_;
    std::optional<RingMapping> ring_;
    std::shared_ptr<BatchPool> pool_;
    std::function<void()> notify_;
    std::thread thread_;

    // The reading thread's own.
    Batch batch_;
    uint64_t batchRecordBytes_ = 0;
    Clock::time_point deadline_;
    uint64_t position_ = 0;
    uint64_t released_ = 0;

    std::atomic<bool> stopping_{false};
    std::atomic<bool> aborted_{false};
    std::atomic<uint64_t> records_{0}, bytes_{0}, batches_{0}, stalls_{0}, oversized_{0};

    mutable std::mutex lock_;  // guards the following
    std::condition_variable roomMade_;
    std::deque<Batch> queue_;
    uint32_t taken_ = 0;  // places in the queue, those of batches in JavaScript's hands included
    bool ended_ = false;
};
