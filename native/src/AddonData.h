// What the addon keeps for each JavaScript environment (the main thread's and each worker's).
#pragma once

#include <napi.h>

#include <memory>
#include <utility>

#include "Failure.h"

class SocketWaits;

struct AddonData {
    Napi::FunctionReference bpfError;
    Napi::FunctionReference bpfObject, bpfMap, link, ringBufferReader, kernelBtf, kallsyms, netnsSocket;
    /** Null until the first socket is opened. */
    std::shared_ptr<SocketWaits> socketWaits;
    /** What the constructor that is running now is to wrap. Null when JavaScript calls `new`, which is refused. */
    void* pending = nullptr;

    static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

/** The failure as BpfError of that environment. */
Napi::Error ToBpfError(Napi::Env env, const Failure& failure);

/** Runs `body`; a Failure leaves it as BpfError. */
template <typename Body>
auto Guarded(Napi::Env env, Body body) -> decltype(body()) {
    try {
        return body();
    } catch (const Failure& failure) {
        throw ToBpfError(env, failure);
    }
}

/** Makes an instance of a class of ours that JavaScript itself cannot construct. */
template <typename State>
Napi::Object Construct(Napi::Env env, const Napi::FunctionReference& constructor, State state) {
    AddonData& data = AddonData::Of(env);
    void* outer = std::exchange(data.pending, &state);
    try {
        Napi::Object object = constructor.New({});
        data.pending = outer;
        return object;
    } catch (...) {
        data.pending = outer;
        throw;
    }
}

/** In the constructor of such a class: the state that Construct() passed. */
template <typename State>
State TakePending(const Napi::CallbackInfo& info, const char* instead) {
    void* pending = std::exchange(AddonData::Of(info.Env()).pending, nullptr);
    if (!pending) throw Napi::TypeError::New(info.Env(), std::string("use ") + instead);
    return std::move(*static_cast<State*>(pending));
}
