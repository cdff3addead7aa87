// JavaScript's BPF object: opening, settings before load, loading, maps. The attach methods are in
// BpfObjectAttach.cc.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>

#include "ObjectState.h"
#include "ProgramClone.h"
#include "Wrapped.h"

class BpfObject : public Wrapped<BpfObject> {
  public:
    static constexpr char kName[] = "BpfObject";
    static constexpr napi_type_tag kTypeTag = {0x6f2ad1e1b5c54b0e, 0x9d3b8ac6d1174f52};

    using State = std::shared_ptr<ObjectState>;

    static Napi::Function Define(Napi::Env env);
    explicit BpfObject(const Napi::CallbackInfo& info);

    const State& Shared() const { return state_; }

  private:
    static Napi::Value Open(const Napi::CallbackInfo& info);

    Napi::Value Programs(const Napi::CallbackInfo& info);
    Napi::Value Maps(const Napi::CallbackInfo& info);
    Napi::Value Loaded(const Napi::CallbackInfo& info);
    Napi::Value InitialData(const Napi::CallbackInfo& info);
    Napi::Value SetInitialData(const Napi::CallbackInfo& info);
    Napi::Value SetAutoload(const Napi::CallbackInfo& info);
    Napi::Value SetMaxEntries(const Napi::CallbackInfo& info);
    Napi::Value SetExpectedAttachType(const Napi::CallbackInfo& info);
    Napi::Value SetKfuncCall(const Napi::CallbackInfo& info);
    Napi::Value ShareMaps(const Napi::CallbackInfo& info);
    Napi::Value Load(const Napi::CallbackInfo& info);
    Napi::Value Map(const Napi::CallbackInfo& info);
    Napi::Value TestRun(const Napi::CallbackInfo& info);
    Napi::Value ProgramIds(const Napi::CallbackInfo& info);
    Napi::Value MissedRuns(const Napi::CallbackInfo& info);
    Napi::Value ProgramFd(const Napi::CallbackInfo& info);
    Napi::Value Close(const Napi::CallbackInfo& info);

    Napi::Value AttachKprobe(const Napi::CallbackInfo& info);
    Napi::Value AttachKprobeMulti(const Napi::CallbackInfo& info);
    Napi::Value AttachTracing(const Napi::CallbackInfo& info);
    Napi::Value AttachTracepoint(const Napi::CallbackInfo& info);
    Napi::Value AttachRawTracepoint(const Napi::CallbackInfo& info);
    Napi::Value AttachBtfTracepoint(const Napi::CallbackInfo& info);

    using Immediates = std::optional<std::vector<Immediate>>;
    /**
     * Attaches program `name` as `shape()` wants it: itself where it was loaded so and nothing is to be replaced,
     * else a copy. Gives an AttachResult: failures from `shape` on are values.
     */
    Napi::Value Attach(Napi::Env env, const std::string& name, const Immediates& immediates,
                       const std::function<ProgramShape()>& shape,
                       const std::function<Attachment(int programFd, const ProgramShape&)>& attach);

    State state_;
};

/** The kernel's number of a member of enum bpf_attach_type; throws Failure where it has none of that name. */
uint32_t AttachTypeNumber(const std::string& name);
