#include "RingReader.h"

#include <linux/bpf.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "Failure.h"

namespace {

// linux/bpf.h: BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ.
constexpr uint32_t kBusy = BPF_RINGBUF_BUSY_BIT;
constexpr uint32_t kDiscard = BPF_RINGBUF_DISCARD_BIT;
constexpr uint32_t kHeaderBytes = BPF_RINGBUF_HDR_SZ;

// Programs may submit without a wake-up, so look even when nobody calls.
constexpr uint32_t kMaxIdleMs = 100;
// A record that is reserved but not committed belongs to a program that is running now.
constexpr int kBusyMs = 1;
constexpr int kMaxBusyDrains = 100;
// Space goes back in pieces: each one costs the producers a cache miss.
constexpr uint32_t kReleaseBytes = 16 << 10;

uint64_t Padded(uint32_t length) { return (uint64_t{length} + kHeaderBytes + 7) & ~uint64_t{7}; }

}  // namespace

RingReader::RingReader(UniqueFd mapFd, uint32_t dataBytes, const std::string& name, const RingReaderOptions& options)
    : options_(options),
      mapFd_(std::move(mapFd)),
      wakeFd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      claim_(std::in_place, mapFd_.Get(), name),
      ring_(std::in_place, mapFd_.Get(), dataBytes, name),
      pool_(std::make_shared<BatchPool>(options.batchBytes, options.queueBatches)) {
    if (!wakeFd_) throw Failure(errno, "read ring buffer", name);
    position_ = released_ = ring_->Consumed();
}

RingReader::~RingReader() { Abort(); }

void RingReader::Start(std::function<void()> notify) {
    notify_ = std::move(notify);
    thread_ = std::thread([this] { Run(); });
}

void RingReader::Stop() {
    stopping_ = true;
    eventfd_write(wakeFd_.Get(), 1);
}

void RingReader::Abort() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        aborted_ = true;
    }
    roomMade_.notify_all();
    eventfd_write(wakeFd_.Get(), 1);
    if (thread_.joinable()) thread_.join();
    ring_.reset();
    claim_.reset();
    mapFd_.Reset();
    wakeFd_.Reset();
}

bool RingReader::TakeBatch(Batch& batch) {
    std::lock_guard<std::mutex> guard(lock_);
    if (queue_.empty()) return false;
    batch = std::move(queue_.front());
    queue_.pop_front();
    return true;
}

void RingReader::BatchDone() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        taken_--;
    }
    roomMade_.notify_one();
}

bool RingReader::Ended() const {
    std::lock_guard<std::mutex> guard(lock_);
    return ended_ && queue_.empty();
}

RingReaderStats RingReader::Stats() const {
    std::lock_guard<std::mutex> guard(lock_);
    return {records_, bytes_, batches_, stalls_, oversized_, queue_.size()};
}

void RingReader::Run() {
    while (!aborted_) {
        if (stopping_) {
            Drain();
            break;
        }
        State state = Consume(UINT64_MAX);
        if (state == State::kAborted) break;
        if (batch_.used && Clock::now() >= deadline_ && !Flush()) break;
        Sleep(state == State::kEmpty, SleepMs(state));
    }
    {
        std::lock_guard<std::mutex> guard(lock_);
        ended_ = true;
    }
    notify_();
}

int RingReader::SleepMs(State state) const {
    if (state == State::kBusy) return kBusyMs;
    if (!batch_.used) return static_cast<int>(std::clamp(options_.batchMs, 1u, kMaxIdleMs));
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count() + 1;
    return static_cast<int>(std::clamp<int64_t>(left, 1, kMaxIdleMs));
}

void RingReader::Sleep(bool ringToo, int milliseconds) {
    pollfd fds[] = {{wakeFd_.Get(), POLLIN, 0}, {mapFd_.Get(), POLLIN, 0}};
    poll(fds, ringToo ? 2 : 1, milliseconds);
    eventfd_t ignored;
    if (fds[0].revents) eventfd_read(wakeFd_.Get(), &ignored);
}

void RingReader::Release(uint64_t position) {
    if (position == released_) return;
    ring_->Release(position);
    released_ = position;
}

// Copies records until there are no more before `limit`. Ends with all that was read given back to the kernel.
RingReader::State RingReader::Consume(uint64_t limit) {
    const uint64_t releaseBytes = std::min(kReleaseBytes, ring_->DataBytes() / 4);
    for (;;) {
        uint64_t end = std::min(ring_->Produced(), limit);
        if (position_ >= end) {
            if (position_ == released_) return State::kEmpty;
            Release(position_);
            continue;  // records that came before the release did not wake us
        }
        uint32_t header = ring_->Header(position_);
        if (header & kBusy) {
            Release(position_);
            return State::kBusy;
        }
        uint32_t length = header & ~kDiscard;
        if (!(header & kDiscard) && !Append(length)) return State::kAborted;
        position_ += Padded(length);
        if (position_ - released_ >= releaseBytes) Release(position_);
    }
}

void RingReader::Drain() {
    uint64_t limit = ring_->Produced();
    for (int i = 0; i < kMaxBusyDrains; i++) {
        State state = Consume(limit);
        if (state == State::kAborted) return;
        if (state == State::kEmpty) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(kBusyMs));
    }
    Flush();
}

// The record at the reader's position.
bool RingReader::Append(uint32_t length) {
    uint64_t bytes = Padded(length);
    if (bytes > options_.batchBytes) {
        oversized_++;
        return true;
    }
    if (batch_.used + bytes > options_.batchBytes) {
        Release(position_);
        if (!Flush()) return false;
    }
    if (!batch_.buffer) {
        batch_.buffer = pool_->Take();
        deadline_ = Clock::now() + std::chrono::milliseconds(options_.batchMs);
    }
    uint8_t* at = batch_.buffer.get() + batch_.used;
    const uint32_t head[2] = {length, 0};
    memcpy(at, head, sizeof(head));
    ring_->Copy(position_ + kHeaderBytes, at + kHeaderBytes, length);
    memset(at + kHeaderBytes + length, 0, bytes - kHeaderBytes - length);
    batch_.used += static_cast<uint32_t>(bytes);
    batch_.records++;
    batchRecordBytes_ += length;
    return true;
}

// Waits for room in the queue. False where the reader was aborted meanwhile.
bool RingReader::Flush() {
    if (!batch_.used) return true;
    {
        std::unique_lock<std::mutex> guard(lock_);
        if (taken_ >= options_.queueBatches) {
            stalls_++;
            roomMade_.wait(guard, [this] { return taken_ < options_.queueBatches || aborted_; });
        }
        if (aborted_) return false;
        records_ += batch_.records;
        bytes_ += batchRecordBytes_;
        batches_++;
        queue_.push_back(std::move(batch_));
        taken_++;
    }
    batch_ = Batch();
    batchRecordBytes_ = 0;
    notify_();
    return true;
}
