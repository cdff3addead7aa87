#include "Netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "Failure.h"
#include "UniqueFd.h"

namespace {

// Enters namespaces for others, one after the other, and is at home between two of them. To start a thread for each
// would take longer than most of them have to do there.
class Visitor {
  public:
    Visitor() = default;
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;

    ~Visitor() {
        {
            std::lock_guard<std::mutex> guard(lock_);
            ending_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    // Runs `visit` on the thread and waits for it. Where it says that it did not come home the thread ends, too.
    void Run(const std::function<bool()>& visit) {
        std::lock_guard<std::mutex> turn(turn_);
        std::unique_lock<std::mutex> guard(lock_);
        if (!running_) {
            if (thread_.joinable()) thread_.join();
            thread_ = std::thread([this] { Loop(); });
            running_ = true;
        }
        visit_ = &visit;
        changed_.notify_all();
        changed_.wait(guard, [this] { return visit_ == nullptr; });
    }

  private:
    void Loop() {
        std::unique_lock<std::mutex> guard(lock_);
        while (running_) {
            changed_.wait(guard, [this] { return ending_ || visit_; });
            if (ending_) return;
            running_ = (*visit_)();
            visit_ = nullptr;
            changed_.notify_all();
        }
    }

    std::mutex turn_;  // of the callers
    std::mutex lock_;  // guards the following
    std::condition_variable changed_;
    std::thread thread_;
    const std::function<bool()>* visit_ = nullptr;
    bool running_ = false;
    bool ending_ = false;
};

}  // namespace

void Netns::Run(const std::function<void()>& body) const {
    if (path.empty()) return body();
    static Visitor visitor;
    std::exception_ptr failure;
    try {
        visitor.Run([&] {
            UniqueFd home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
            try {
                if (!home) throw Failure(errno, "open", "/proc/thread-self/ns/net");
                Enter();
                body();
            } catch (...) {
                failure = std::current_exception();
            }
            return home && setns(home.Get(), CLONE_NEWNET) == 0;
        });
    } catch (const std::system_error& error) {
        throw Failure(error.code().value(), "start", "a thread for " + path);
    }
    if (failure) std::rethrow_exception(failure);
}

void Netns::Enter() const {
    UniqueFd space(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space) throw Failure(errno, "open", path);
    struct stat status;
    if (fstat(space.Get(), &status) != 0) throw Failure(errno, "stat", path);
    if (inode && status.st_ino != *inode)
        throw Failure(ESTALE, "enter", path, "it is another namespace than inode " + std::to_string(*inode));
    if (setns(space.Get(), CLONE_NEWNET) != 0) throw Failure(errno, "enter", path);
}
