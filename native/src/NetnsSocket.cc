#include "NetnsSocket.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "AddonData.h"
#include "Failure.h"

namespace {

constexpr uint32_t kMostBytes = 16 << 20;
constexpr uint32_t kMostControlBytes = 64 << 10;
constexpr uint32_t kMostOptionBytes = 64 << 10;

int Flags(const Napi::Value& value) {
    return value.IsUndefined() ? 0 : static_cast<int>(arguments::Bits32(value, "flags"));
}

/** The result of a system call that JavaScript need not wait for; -1 with EAGAIN where it would have to. */
template <typename Call>
auto Retried(Call call) -> decltype(call()) {
    for (;;) {
        auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

Napi::Value ToBuffer(Napi::Env env, const void* data, size_t size) {
    return Napi::Buffer<uint8_t>::Copy(env, static_cast<const uint8_t*>(data), size);
}

/** Descriptors that a peer sends would stay open for ever. (Packet sockets refuse MSG_CMSG_CLOEXEC.) */
void CloseDescriptors(const cmsghdr* message) {
    size_t bytes = message->cmsg_len - CMSG_LEN(0);
    for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
        int fd;
        memcpy(&fd, CMSG_DATA(message) + at, sizeof(fd));
        close(fd);
    }
}

Napi::Value ControlMessages(Napi::Env env, msghdr& message) {
    Napi::Array list = Napi::Array::New(env);
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS) {
            CloseDescriptors(one);
            continue;
        }
        Napi::Object control = Napi::Object::New(env);
        control["level"] = one->cmsg_level;
        control["type"] = one->cmsg_type;
        control["data"] = ToBuffer(env, CMSG_DATA(one), one->cmsg_len - CMSG_LEN(0));
        list[list.Length()] = control;
    }
    return list;
}

template <typename Ask>
Napi::Value AddressFrom(Napi::Env env, Ask ask) {
    sockaddr_storage address;
    socklen_t length = sizeof(address);
    ask(reinterpret_cast<sockaddr*>(&address), &length);
    return ToBuffer(env, &address, std::min<size_t>(length, sizeof(address)));
}

}  // namespace

Napi::Function NetnsSocket::Define(Napi::Env env) {
    return DefineWrapped(env,
                         {
                             BindMethod<&NetnsSocket::Bind>("bind"),
                             BindMethod<&NetnsSocket::Connect>("connect"),
                             BindMethod<&NetnsSocket::Listen>("listen"),
                             BindMethod<&NetnsSocket::Accept>("accept"),
                             BindMethod<&NetnsSocket::Send>("send"),
                             BindMethod<&NetnsSocket::SendTo>("sendTo"),
                             BindMethod<&NetnsSocket::Receive>("receive"),
                             BindMethod<&NetnsSocket::Shutdown>("shutdown"),
                             BindMethod<&NetnsSocket::SetOption>("setOption"),
                             BindMethod<&NetnsSocket::GetOption>("getOption"),
                             BindMethod<&NetnsSocket::GetName>("getName"),
                             BindMethod<&NetnsSocket::GetPeerName>("getPeerName"),
                             BindMethod<&NetnsSocket::StartWait>("startWait"),
                             BindMethod<&NetnsSocket::CancelWait>("cancelWait"),
                             BindMethod<&NetnsSocket::Close>("close"),
                             BindAccessor<&NetnsSocket::Fd>("fd"),
                         },
                         {StaticMethod<&NetnsSocket::Open>("open")});
}

NetnsSocket::NetnsSocket(const Napi::CallbackInfo& info)
    : Wrapped(info),
      state_(TakePending<State>(info, "NetnsSocket.open() or accept()")),
      waits_(SocketWaits::Of(info.Env())),
      key_(waits_->NextSocket()) {}

Netns NetnsSocket::NetnsOf(const Napi::Value& value) {
    Napi::Object options = arguments::Options(value, "options");
    Netns netns;
    if (auto path = arguments::Optional(options, "netns")) netns.path = arguments::AbsolutePath(*path, "netns");
    if (auto inode = arguments::Optional(options, "inode")) netns.inode = arguments::Integer(*inode, "inode", 1);
    return netns;
}

Napi::Value NetnsSocket::Open(const Napi::CallbackInfo& info) {
    int domain = static_cast<int>(arguments::Integer(info[0], "domain", 0, INT32_MAX));
    int type = static_cast<int>(arguments::Integer(info[1], "type", 0, INT32_MAX));
    int protocol = static_cast<int>(arguments::Integer(info[2], "protocol", 0, INT32_MAX));
    Netns netns = NetnsOf(info[3]);
    std::string name = "socket " + std::to_string(domain) + "/" + std::to_string(type) + "/" + std::to_string(protocol);
    if (!netns.path.empty()) name += " in " + netns.path;
    State state{UniqueFd(), name};
    Guarded(info.Env(), [&] {
        netns.Run([&] {
            state.fd = UniqueFd(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
            if (!state.fd) throw Failure(errno, "open", name);
        });
    });
    return Construct(info.Env(), AddonData::Of(info.Env()).netnsSocket, std::move(state));
}

int NetnsSocket::OpenFd(const char* operation) const {
    if (!state_.fd) throw Failure(EBADF, operation, state_.name, "it is closed");
    return state_.fd.Get();
}

void NetnsSocket::Fail(const char* operation) const { throw Failure(errno, operation, state_.name); }

Napi::Value NetnsSocket::Bind(const Napi::CallbackInfo& info) {
    Bytes address = arguments::ByteArray(info[0], "address");
    Guarded(info.Env(), [&] {
        int fd = OpenFd("bind");
        if (bind(fd, reinterpret_cast<const sockaddr*>(address.data), address.size) != 0) Fail("bind");
    });
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::Connect(const Napi::CallbackInfo& info) {
    Bytes address = arguments::ByteArray(info[0], "address");
    bool connected = Guarded(info.Env(), [&] {
        int fd = OpenFd("connect");
        // Not again after EINTR: the attempt goes on, and a second call would find it under way.
        if (connect(fd, reinterpret_cast<const sockaddr*>(address.data), address.size) == 0) return true;
        if (errno != EINPROGRESS && errno != EINTR) Fail("connect");
        return false;
    });
    return Napi::Boolean::New(info.Env(), connected);
}

Napi::Value NetnsSocket::Listen(const Napi::CallbackInfo& info) {
    int backlog = static_cast<int>(arguments::Integer(info[0], "backlog", 0, INT32_MAX));
    Guarded(info.Env(), [&] {
        if (listen(OpenFd("listen"), backlog) != 0) Fail("listen");
    });
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::Accept(const Napi::CallbackInfo& info) {
    State accepted{UniqueFd(), state_.name + " (accepted)"};
    Guarded(info.Env(), [&] {
        int fd = OpenFd("accept");
        // A connection that has ended in the queue is passed over for the next.
        do {
            accepted.fd =
                UniqueFd(Retried([&] { return accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
        } while (!accepted.fd && errno == ECONNABORTED);
        if (!accepted.fd && errno != EAGAIN) Fail("accept");
    });
    if (!accepted.fd) return info.Env().Undefined();
    return Construct(info.Env(), AddonData::Of(info.Env()).netnsSocket, std::move(accepted));
}

Napi::Value NetnsSocket::Send(const Napi::CallbackInfo& info) {
    int flags = Flags(info[1]);
    Bytes data = arguments::ByteArray(info[0], "data");
    return SendMessage(info.Env(), "send", data, {nullptr, 0}, flags);
}

Napi::Value NetnsSocket::SendTo(const Napi::CallbackInfo& info) {
    int flags = Flags(info[2]);
    Bytes data = arguments::ByteArray(info[0], "data");
    Bytes address = arguments::ByteArray(info[1], "address");
    return SendMessage(info.Env(), "send", data, address, flags);
}

Napi::Value NetnsSocket::SendMessage(Napi::Env env, const char* operation, Bytes data, Bytes address, int flags) {
    ssize_t sent = Guarded(env, [&] {
        int fd = OpenFd(operation);
        ssize_t result = Retried([&] {
            return sendto(fd, data.data, data.size, flags | MSG_NOSIGNAL | MSG_DONTWAIT,
                          reinterpret_cast<const sockaddr*>(address.data), address.size);
        });
        if (result < 0 && errno != EAGAIN) Fail(operation);
        return result;
    });
    if (sent < 0) return env.Undefined();
    return Napi::Number::New(env, static_cast<double>(sent));
}

Napi::Value NetnsSocket::Receive(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    uint32_t maxBytes = arguments::Integer(info[0], "maxBytes", 0, kMostBytes);
    int flags = Flags(info[1]);
    uint32_t controlBytes =
        info[2].IsUndefined() ? 0 : arguments::Integer(info[2], "controlBytes", 0, kMostControlBytes);
    std::unique_ptr<uint8_t[]> data(new uint8_t[maxBytes]);  // not zeroed
    std::unique_ptr<uint8_t[]> control(new uint8_t[controlBytes]);
    sockaddr_storage from;
    iovec part = {data.get(), maxBytes};
    msghdr message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.get();
    message.msg_controllen = controlBytes;
    ssize_t got = Guarded(env, [&] {
        int fd = OpenFd("receive");
        ssize_t result = Retried([&] { return recvmsg(fd, &message, flags | MSG_DONTWAIT); });
        if (result < 0 && errno != EAGAIN) Fail("receive");
        return result;
    });
    if (got < 0) return env.Undefined();
    Napi::Object result = Napi::Object::New(env);
    // With MSG_TRUNC asked for the kernel tells more than it has filled in.
    result["data"] = ToBuffer(env, data.get(), std::min<size_t>(got, maxBytes));
    result["length"] = static_cast<double>(got);
    result["from"] = ToBuffer(env, &from, std::min<size_t>(message.msg_namelen, sizeof(from)));
    result["flags"] = static_cast<uint32_t>(message.msg_flags);
    result["control"] = ControlMessages(env, message);
    return result;
}

Napi::Value NetnsSocket::Shutdown(const Napi::CallbackInfo& info) {
    std::string how = arguments::String(info[0], "how");
    int number = how == "read" ? SHUT_RD : how == "write" ? SHUT_WR : how == "both" ? SHUT_RDWR : -1;
    if (number < 0) arguments::Reject(info.Env(), "how must be 'read', 'write' or 'both'");
    Guarded(info.Env(), [&] {
        if (shutdown(OpenFd("shut down"), number) != 0) Fail("shut down");
    });
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::SetOption(const Napi::CallbackInfo& info) {
    int level = static_cast<int>(arguments::Integer(info[0], "level", 0, INT32_MAX));
    int option = static_cast<int>(arguments::Integer(info[1], "option", 0, INT32_MAX));
    uint32_t number;
    Bytes value = {reinterpret_cast<const uint8_t*>(&number), sizeof(number)};
    if (info[2].IsNumber())
        number = arguments::Bits32(info[2], "value");
    else
        value = arguments::ByteArray(info[2], "value");
    Guarded(info.Env(), [&] {
        if (setsockopt(OpenFd("set option"), level, option, value.data, value.size) != 0) Fail("set option");
    });
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::GetOption(const Napi::CallbackInfo& info) {
    int level = static_cast<int>(arguments::Integer(info[0], "level", 0, INT32_MAX));
    int option = static_cast<int>(arguments::Integer(info[1], "option", 0, INT32_MAX));
    socklen_t length = arguments::Integer(info[2], "maxBytes", 0, kMostOptionBytes);
    std::vector<uint8_t> value(length);
    Guarded(info.Env(), [&] {
        if (getsockopt(OpenFd("get option"), level, option, value.data(), &length) != 0) Fail("get option");
    });
    return ToBuffer(info.Env(), value.data(), std::min<size_t>(length, value.size()));
}

Napi::Value NetnsSocket::GetName(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
        return AddressFrom(info.Env(), [&](sockaddr* address, socklen_t* length) {
            if (getsockname(OpenFd("get name"), address, length) != 0) Fail("get name");
        });
    });
}

Napi::Value NetnsSocket::GetPeerName(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&] {
        return AddressFrom(info.Env(), [&](sockaddr* address, socklen_t* length) {
            if (getpeername(OpenFd("get peer name"), address, length) != 0) Fail("get peer name");
        });
    });
}

// For index.js, which adds the time limit.
Napi::Value NetnsSocket::StartWait(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string what = arguments::String(info[0], "what");
    short direction = what == "read" ? POLLIN : what == "write" ? POLLOUT : 0;
    if (!direction) arguments::Reject(env, "what must be 'read' or 'write'");
    SocketWaits::Started started = Guarded(
        env, [&] { return waits_->Start(info.This().As<Napi::Object>(), key_, OpenFd("wait for"), direction); });
    Napi::Object result = Napi::Object::New(env);
    result["id"] = started.id;
    result["promise"] = started.promise;
    return result;
}

Napi::Value NetnsSocket::CancelWait(const Napi::CallbackInfo& info) {
    uint32_t id = arguments::Integer(info[0], "id");
    waits_->Cancel(info.Env(), key_, id);
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::Close(const Napi::CallbackInfo& info) {
    waits_->Forget(info.Env(), key_);
    state_.fd.Reset();
    return info.Env().Undefined();
}

Napi::Value NetnsSocket::Fd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), state_.fd.Get()); }
