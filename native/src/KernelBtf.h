// JavaScript's view of BTF: functions, structs, enums, tracepoints.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "BtfFile.h"
#include "Wrapped.h"

class KernelBtf : public Wrapped<KernelBtf> {
  public:
    static constexpr char kName[] = "KernelBtf";
    static constexpr napi_type_tag kTypeTag = {0xe90b362fd4814a7c, 0x96c8f1527be03da4};

    struct Part {
        /** Empty for the kernel itself. */
        std::string module;
        std::shared_ptr<const BtfFile> file;
    };
    /** The kernel, then modules; empty once closed. */
    using State = std::vector<Part>;

    static Napi::Function Define(Napi::Env env);
    explicit KernelBtf(const Napi::CallbackInfo& info);

  private:
    static Napi::Value Load(const Napi::CallbackInfo& info);
    static Napi::Value Read(const Napi::CallbackInfo& info);

    Napi::Value LoadModules(const Napi::CallbackInfo& info);
    Napi::Value Functions(const Napi::CallbackInfo& info);
    Napi::Value Function(const Napi::CallbackInfo& info);
    Napi::Value EnumValues(const Napi::CallbackInfo& info);
    Napi::Value Member(const Napi::CallbackInfo& info);
    Napi::Value Field(const Napi::CallbackInfo& info);
    Napi::Value StructSize(const Napi::CallbackInfo& info);
    Napi::Value Struct(const Napi::CallbackInfo& info);
    Napi::Value HasTracepoint(const Napi::CallbackInfo& info);
    Napi::Value Tracepoint(const Napi::CallbackInfo& info);
    Napi::Value Close(const Napi::CallbackInfo& info);

    /** Throws BpfError EBADF after close(). */
    const State& Parts(Napi::Env env) const;

    State parts_;
};
