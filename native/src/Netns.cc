#include "Netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>

#include "Failure.h"
#include "UniqueFd.h"

void Netns::Run(const std::function<void()>& body) const {
    if (path.empty()) return body();
    std::exception_ptr failure;
    try {
        std::thread([&] {
            try {
                Enter();
                body();
            } catch (...) {
                failure = std::current_exception();
            }
        }).join();
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
