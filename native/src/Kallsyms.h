// JavaScript's view of the kernel's symbol table.
#pragma once

#include <napi.h>

#include "SymbolTable.h"

class Kallsyms : public Napi::ObjectWrap<Kallsyms> {
  public:
    static Napi::Function Define(Napi::Env env);
    explicit Kallsyms(const Napi::CallbackInfo& info);

  private:
    static Napi::Value Load(const Napi::CallbackInfo& info);
    Napi::Value Hidden(const Napi::CallbackInfo& info);
    Napi::Value Size(const Napi::CallbackInfo& info);
    Napi::Value Resolve(const Napi::CallbackInfo& info);
    Napi::Value Lookup(const Napi::CallbackInfo& info);
    Napi::Value WithPrefix(const Napi::CallbackInfo& info);

    SymbolTable table_;
};
