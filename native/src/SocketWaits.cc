#include "SocketWaits.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "AddonData.h"
#include "Failure.h"

static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT);
static_assert(sizeof(void*) == sizeof(uint64_t), "a socket's key travels as a pointer");

namespace {

// The key of the eventfd, which no socket has.
constexpr uint64_t kStop = 0;

/** What of `events` the socket is ready for now; errors and hang-ups make it ready for all: the next call tells them.
 */
short Poll(int fd, short events) {
    pollfd one = {fd, events, 0};
    int count;
    do count = poll(&one, 1, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 || one.revents & ~events ? events : one.revents;
}

}  // namespace

std::shared_ptr<SocketWaits> SocketWaits::Of(Napi::Env env) {
    auto& waits = AddonData::Of(env).socketWaits;
    if (!waits) waits = std::make_shared<SocketWaits>();
    return waits;
}

SocketWaits::~SocketWaits() { StopThread(); }

SocketWaits::Started SocketWaits::Start(Napi::Object owner, uint64_t key, int fd, Direction direction) {
    Napi::Env env = owner.Env();
    auto deferred = Napi::Promise::Deferred::New(env);
    if (Poll(fd, direction)) {
        deferred.Resolve(Napi::Boolean::New(env, true));
        return {0, deferred.Promise()};
    }
    StartThread(env);
    Socket& socket = sockets_[key];
    if (socket.owner.IsEmpty()) {
        socket.fd = fd;
        socket.owner = Napi::Persistent(owner);
    }
    if (++lastWait_ == 0) ++lastWait_;
    uint32_t id = lastWait_;
    socket.waits.push_back({id, direction, deferred});
    try {
        Watch(env, key, socket);
    } catch (const Failure&) {
        socket.waits.pop_back();
        if (socket.waits.empty()) sockets_.erase(key);
        throw;
    }
    return {id, deferred.Promise()};
}

void SocketWaits::Cancel(Napi::Env env, uint64_t key, uint32_t id) {
    auto found = sockets_.find(key);
    if (found == sockets_.end()) return;
    auto& waits = found->second.waits;
    auto wait = std::find_if(waits.begin(), waits.end(), [&](const Wait& one) { return one.id == id; });
    if (wait == waits.end()) return;
    auto deferred = wait->deferred;
    waits.erase(wait);
    Watch(env, key, found->second);
    deferred.Resolve(Napi::Boolean::New(env, false));
}

void SocketWaits::Forget(Napi::Env env, uint64_t key) {
    auto found = sockets_.find(key);
    if (found == sockets_.end()) return;
    auto waits = std::move(found->second.waits);
    found->second.waits.clear();
    Watch(env, key, found->second);
    for (auto& wait : waits) wait.deferred.Resolve(Napi::Boolean::New(env, false));
}

void SocketWaits::OnReady(Napi::Env env, uint64_t key) {
    auto found = sockets_.find(key);
    if (found == sockets_.end()) return;
    // The event may be older than the waits that are there now: what the socket is ready for is asked again.
    auto& waits = found->second.waits;
    short asked = 0;
    for (auto& wait : waits) asked |= wait.direction;
    short ready = Poll(found->second.fd, asked);
    auto rest =
        std::stable_partition(waits.begin(), waits.end(), [&](const Wait& one) { return one.direction & ready; });
    std::vector<Wait> done(std::make_move_iterator(waits.begin()), std::make_move_iterator(rest));
    waits.erase(waits.begin(), rest);
    Watch(env, key, found->second);
    for (auto& wait : done) wait.deferred.Resolve(Napi::Boolean::New(env, true));
}

void SocketWaits::Watch(Napi::Env env, uint64_t key, Socket& socket) {
    uint32_t events = 0;
    for (auto& wait : socket.waits) events |= static_cast<uint32_t>(wait.direction);
    if (events) {
        epoll_event event = {};
        event.events = events | EPOLLONESHOT;  // so that what nobody has answered to yet is told once
        event.data.u64 = key;
        int operation = socket.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        if (epoll_ctl(epoll_.Get(), operation, socket.fd, &event) != 0) throw Failure(errno, "watch", "a socket");
        socket.watched = true;
    } else {
        if (socket.watched) epoll_ctl(epoll_.Get(), EPOLL_CTL_DEL, socket.fd, nullptr);
        sockets_.erase(key);
    }
    KeepAlive(env, !sockets_.empty());
}

void SocketWaits::KeepAlive(Napi::Env env, bool alive) {
    if (alive == keptAlive_) return;
    keptAlive_ = alive;
    if (alive)
        napi_ref_threadsafe_function(env, function_);
    else
        napi_unref_threadsafe_function(env, function_);
}

void SocketWaits::StartThread(Napi::Env env) {
    if (function_) return;
    epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) throw Failure(errno, "open", "epoll");
    stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
    if (!stop_) throw Failure(errno, "open", "eventfd");
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = kStop;
    if (epoll_ctl(epoll_.Get(), EPOLL_CTL_ADD, stop_.Get(), &event) != 0) throw Failure(errno, "watch", "eventfd");

    auto holder = std::make_unique<std::shared_ptr<SocketWaits>>(shared_from_this());
    napi_threadsafe_function function;
    if (napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "SocketWaits"), 0, 1,
                                        holder.get(), OnFunctionGone, this, CallJs, &function) != napi_ok)
        throw Napi::Error::New(env, "cannot create a thread-safe function");
    holder.release();  // OnFunctionGone() takes it
    napi_unref_threadsafe_function(env, function);
    try {
        thread_ = std::thread([this, function] { Loop(function); });
    } catch (const std::system_error& error) {
        napi_release_threadsafe_function(function, napi_tsfn_release);
        throw Failure(error.code().value(), "start", "a thread for sockets");
    }
    function_ = function;
    // After the function, so that it runs before the environment takes the function away.
    napi_add_env_cleanup_hook(env, OnEnvironmentEnd, this);
}

void SocketWaits::StopThread() {
    if (!thread_.joinable()) return;
    uint64_t one = 1;
    while (write(stop_.Get(), &one, sizeof(one)) < 0 && errno == EINTR) continue;
    thread_.join();
}

// On the thread.
void SocketWaits::Loop(napi_threadsafe_function function) {
    for (;;) {
        epoll_event events[16];
        int count = epoll_wait(epoll_.Get(), events, 16, -1);
        if (count < 0 && errno != EINTR) return;  // not while the descriptor is ours
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64 == kStop) return;
            // The queue has no bound, but holds one call for each time that a socket was watched.
            napi_call_threadsafe_function(function, reinterpret_cast<void*>(events[i].data.u64), napi_tsfn_nonblocking);
        }
    }
}

void SocketWaits::CallJs(napi_env env, napi_value, void* context, void* socket) {
    if (!env) return;  // the environment is ending
    try {
        Napi::HandleScope scope(env);
        static_cast<SocketWaits*>(context)->OnReady(Napi::Env(env), reinterpret_cast<uint64_t>(socket));
    } catch (const Failure&) {
        // epoll_ctl(2) refuses no socket that it has taken before
    } catch (const Napi::Error&) {
        // A worker that is being terminated refuses every call; nobody is left to tell.
    }
}

void SocketWaits::OnFunctionGone(napi_env, void* holder, void*) {
    std::unique_ptr<std::shared_ptr<SocketWaits>> owned(static_cast<std::shared_ptr<SocketWaits>*>(holder));
}

void SocketWaits::OnEnvironmentEnd(void* self) {
    auto* waits = static_cast<SocketWaits*>(self);
    waits->StopThread();
    waits->sockets_.clear();
}
