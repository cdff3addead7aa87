// Work inside of another network namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

struct Netns {
    /** A namespace as a file: /proc/PID/ns/net, or what `ip netns` has mounted below /run/netns. Empty: the caller's.
     */
    std::string path;
    /** The inode that the namespace must have, for a path that may name another one by now. */
    std::optional<uint64_t> inode;

    /**
     * Runs `body` and waits for it: on a thread that enters the namespace for this, or, without a path, on the
     * caller's. Throws Failure, also out of `body`.
     */
    void Run(const std::function<void()>& body) const;

  private:
    /** On that thread. */
    void Enter() const;
};
