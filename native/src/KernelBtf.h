// JavaScript's view of BTF: functions, structs, enums, tracepoints.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "BtfFile.h"

class KernelBtf : public Napi::ObjectWrap<KernelBtf> {
  public:
    using State = std::shared_ptr<const BtfFile>;

    static Napi::Function Define(Napi::Env env);
    explicit KernelBtf(const Napi::CallbackInfo& info);

  private:
    struct Part {
        /** Empty for the kernel itself. */
        std::string module;
        std::shared_ptr<const BtfFile> file;
    };

    static Napi::Value Load(const Napi::CallbackInfo& info);

    Napi::Value LoadModules(const Napi::CallbackInfo& info);
    Napi::Value Functions(const Napi::CallbackInfo& info);
    Napi::Value Function(const Napi::CallbackInfo& info);
    Napi::Value EnumValues(const Napi::CallbackInfo& info);
    Napi::Value Member(const Napi::CallbackInfo& info);
    Napi::Value StructSize(const Napi::CallbackInfo& info);
    Napi::Value Struct(const Napi::CallbackInfo& info);
    Napi::Value HasTracepoint(const Napi::CallbackInfo& info);
    Napi::Value Tracepoint(const Napi::CallbackInfo& info);
    Napi::Value Close(const Napi::CallbackInfo& info);

    /** Throws BpfError EBADF after close(). */
    const std::vector<Part>& Parts(Napi::Env env) const;

    /** The kernel, then modules; empty once closed. */
    std::vector<Part> parts_;
};
