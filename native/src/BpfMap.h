// Reads and writes one map of a loaded object.
#pragma once

#include <napi.h>

#include <memory>

#include "Arguments.h"
#include "MapMemory.h"
#include "ObjectState.h"
#include "Wrapped.h"

class BpfMap : public Wrapped<BpfMap> {
  public:
    static constexpr char kName[] = "BpfMap";
    static constexpr napi_type_tag kTypeTag = {0x1c05b77a4e0f4d39, 0xa1f26a0c5d7e8b13};

    struct State {
        std::shared_ptr<ObjectState> object;
        bpf_map* map;
    };

    static Napi::Function Define(Napi::Env env);
    explicit BpfMap(const Napi::CallbackInfo& info);

    /** `{name, type, keySize, valueSize, maxEntries}` */
    static Napi::Object Describe(Napi::Env env, const bpf_object* object, const bpf_map* map);

  private:
    Napi::Value Info(const Napi::CallbackInfo& info);
    Napi::Value Lookup(const Napi::CallbackInfo& info);
    Napi::Value Update(const Napi::CallbackInfo& info);
    Napi::Value Delete(const Napi::CallbackInfo& info);
    /** The key after the given one, the first one for null, or null at the end. For keys() in index.js. */
    Napi::Value NextKey(const Napi::CallbackInfo& info);

    /** A copy of all values, from memory that is shared with the kernel. */
    Napi::Value Memory(const Napi::CallbackInfo& info);

    /** The map's descriptor; throws Failure where the object is closed. */
    int Fd(const char* operation) const;
    Bytes Key(const Napi::Value& value) const;
    [[noreturn]] void Fail(const char* operation) const;

    State state_;
    std::string name_;
    size_t keyBytes_;
    /** Of all CPUs together. */
    size_t valueBytes_;
    /** Made when it is first asked for. */
    std::unique_ptr<MapMemory> memory_;
};
