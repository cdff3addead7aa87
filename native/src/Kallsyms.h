// JavaScript's view of the kernel's symbol table.
#pragma once

#include <napi.h>

#include "SymbolTable.h"
#include "Wrapped.h"

class Kallsyms : public Wrapped<Kallsyms> {
  public:
    static constexpr char kName[] = "Kallsyms";
    static constexpr napi_type_tag kTypeTag = {0x3a7f5c18e26d4b90, 0xad50e92b84f7163c};

    static Napi::Function Define(Napi::Env env);
    explicit Kallsyms(const Napi::CallbackInfo& info);

  private:
    static Napi::Value Load(const Napi::CallbackInfo& info);
    static Napi::Value Read(const Napi::CallbackInfo& info);
    Napi::Value Hidden(const Napi::CallbackInfo& info);
    Napi::Value Size(const Napi::CallbackInfo& info);
    Napi::Value Resolve(const Napi::CallbackInfo& info);
    Napi::Value Lookup(const Napi::CallbackInfo& info);
    Napi::Value WithPrefix(const Napi::CallbackInfo& info);

    SymbolTable table_;
};
