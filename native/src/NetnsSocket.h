// JavaScript's socket of any family, opened inside of a network namespace.
#pragma once

#include <napi.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>

#include "Arguments.h"
#include "Netns.h"
#include "SocketWaits.h"
#include "UniqueFd.h"
#include "Wrapped.h"

class NetnsSocket : public Wrapped<NetnsSocket> {
  public:
    static constexpr char kName[] = "NetnsSocket";
    static constexpr napi_type_tag kTypeTag = {0x3c7fa1d85e0249b6, 0xa4d2068bf19e57c3};

    struct State {
        UniqueFd fd;
        /** For messages. */
        std::string name;
    };

    static Napi::Function Define(Napi::Env env);
    explicit NetnsSocket(const Napi::CallbackInfo& info);

    /** The options `netns` and `inode`. */
    static Netns NetnsOf(const Napi::Value& options);

  private:
    static Napi::Value Open(const Napi::CallbackInfo& info);

    Napi::Value Bind(const Napi::CallbackInfo& info);
    Napi::Value Connect(const Napi::CallbackInfo& info);
    Napi::Value Listen(const Napi::CallbackInfo& info);
    Napi::Value Accept(const Napi::CallbackInfo& info);
    Napi::Value Send(const Napi::CallbackInfo& info);
    Napi::Value SendTo(const Napi::CallbackInfo& info);
    Napi::Value Receive(const Napi::CallbackInfo& info);
    Napi::Value Shutdown(const Napi::CallbackInfo& info);
    Napi::Value SetOption(const Napi::CallbackInfo& info);
    Napi::Value GetOption(const Napi::CallbackInfo& info);
    Napi::Value GetName(const Napi::CallbackInfo& info);
    Napi::Value GetPeerName(const Napi::CallbackInfo& info);
    Napi::Value StartWait(const Napi::CallbackInfo& info);
    Napi::Value CancelWait(const Napi::CallbackInfo& info);
    Napi::Value Close(const Napi::CallbackInfo& info);
    Napi::Value Fd(const Napi::CallbackInfo& info);

    /** Throws Failure EBADF after close(). */
    int OpenFd(const char* operation) const;
    /** Throws Failure with errno. */
    [[noreturn]] void Fail(const char* operation) const;
    Napi::Value SendMessage(Napi::Env env, const char* operation, Bytes data, Bytes address, int flags);

    State state_;
    std::shared_ptr<SocketWaits> waits_;
    uint64_t key_;
};
