// Promises that sockets become readable or writable: one thread of each environment waits for all of them in epoll.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "UniqueFd.h"

/** Everything but Loop() happens on the JavaScript thread; the two share nothing but descriptors and the function. */
class SocketWaits : public std::enable_shared_from_this<SocketWaits> {
  public:
    /** POLLIN or POLLOUT, whose values are also EPOLLIN and EPOLLOUT. */
    using Direction = short;

    struct Started {
        /** 0 where the socket was ready at once. */
        uint32_t id;
        /** Of true, or of false where the wait was cancelled. */
        Napi::Promise promise;
    };

    /** That of the environment. */
    static std::shared_ptr<SocketWaits> Of(Napi::Env env);
    ~SocketWaits();

    /** A key for a new socket, never used again. */
    uint64_t NextSocket() { return ++lastSocket_; }
    /** While a wait lasts, `owner` is not collected and the process does not end by itself. Throws Failure. */
    Started Start(Napi::Object owner, uint64_t socket, int fd, Direction direction);
    void Cancel(Napi::Env env, uint64_t socket, uint32_t wait);
    /** Before the descriptor is closed: ends all waits for it. */
    void Forget(Napi::Env env, uint64_t socket);

  private:
    struct Wait {
        uint32_t id;
        Direction direction;
        Napi::Promise::Deferred deferred;
    };
    struct Socket {
        int fd;
        Napi::ObjectReference owner;
        std::vector<Wait> waits;
        bool watched = false;
    };

    static void CallJs(napi_env env, napi_value unused, void* context, void* socket);
    static void OnFunctionGone(napi_env env, void* holder, void* context);
    static void OnEnvironmentEnd(void* self);

    void StartThread(Napi::Env env);
    void StopThread();
    void Loop(napi_threadsafe_function function);
    void OnReady(Napi::Env env, uint64_t socket);
    /** Asks epoll for what is still waited for. Forgets a socket that nobody waits for. */
    void Watch(Napi::Env env, uint64_t key, Socket& socket);
    void KeepAlive(Napi::Env env, bool alive);

    uint64_t lastSocket_ = 0;
    uint32_t lastWait_ = 0;
    /** Sockets that somebody waits for. */
    std::map<uint64_t, Socket> sockets_;
    bool keptAlive_ = false;
    UniqueFd epoll_;
    /** An eventfd, readable when the thread shall end. */
    UniqueFd stop_;
    std::thread thread_;
    napi_threadsafe_function function_ = nullptr;
};
