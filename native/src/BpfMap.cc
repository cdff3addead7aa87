#include "BpfMap.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <vector>

#include "AddonData.h"

namespace {

bool IsPerCpu(bpf_map_type type) {
    switch (type) {
        case BPF_MAP_TYPE_PERCPU_HASH:
        case BPF_MAP_TYPE_PERCPU_ARRAY:
        case BPF_MAP_TYPE_LRU_PERCPU_HASH:
        case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
            return true;
        default:
            return false;
    }
}

// What the kernel copies for one value (bpf_map_value_size() in kernel/bpf/syscall.c).
size_t ValueBytes(const bpf_map* map) {
    size_t size = bpf_map__value_size(map);
    if (!IsPerCpu(bpf_map__type(map))) return size;
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) throw Failure(-cpus, "count", "possible CPUs");
    return ((size + 7) & ~size_t{7}) * static_cast<size_t>(cpus);
}

}  // namespace

Napi::Function BpfMap::Define(Napi::Env env) {
    return DefineWrapped(env, {BindAccessor<&BpfMap::Info>("info"), BindMethod<&BpfMap::Lookup>("lookup"),
                               BindMethod<&BpfMap::Update>("update"), BindMethod<&BpfMap::Delete>("delete"),
                               BindMethod<&BpfMap::NextKey>("nextKey"), BindMethod<&BpfMap::Memory>("memory")});
}

BpfMap::BpfMap(const Napi::CallbackInfo& info)
    : Wrapped(info), state_(TakePending<State>(info, "BpfObject.map()")), name_(bpf_map__name(state_.map)) {
    keyBytes_ = bpf_map__key_size(state_.map);
    valueBytes_ = Guarded(info.Env(), [&] { return ValueBytes(state_.map); });
}

Napi::Object BpfMap::Describe(Napi::Env env, const bpf_object* object, const bpf_map* map) {
    Napi::Object description = Napi::Object::New(env);
    const char* type = libbpf_bpf_map_type_str(bpf_map__type(map));
    description["name"] = MapName(object, map);
    description["type"] = type ? type : "unknown";
    description["keySize"] = bpf_map__key_size(map);
    description["valueSize"] = bpf_map__value_size(map);
    description["maxEntries"] = bpf_map__max_entries(map);
    return description;
}

int BpfMap::Fd(const char* operation) const {
    state_.object->Open(operation);
    return bpf_map__fd(state_.map);
}

void BpfMap::Fail(const char* operation) const { throw Failure(errno, operation, name_); }

Bytes BpfMap::Key(const Napi::Value& value) const {
    Bytes key = arguments::ByteArray(value, "key");
    if (key.size != keyBytes_)
        arguments::Reject(value.Env(), "key must have " + std::to_string(keyBytes_) + " bytes (keySize of map " +
                                           name_ + "), not " + std::to_string(key.size));
    return key;
}

Napi::Value BpfMap::Info(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
        return Describe(info.Env(), state_.object->Open("describe map"), state_.map);
    });
}

Napi::Value BpfMap::Lookup(const Napi::CallbackInfo& info) {
    Bytes key = Key(info[0]);
    return Guarded(info.Env(), [&]() -> Napi::Value {
        int fd = Fd("lookup");
        auto value = Napi::Buffer<uint8_t>::New(info.Env(), valueBytes_);
        if (bpf_map_lookup_elem(fd, key.data, value.Data()) == 0) return value;
        if (errno != ENOENT) Fail("lookup");
        return info.Env().Null();
    });
}

Napi::Value BpfMap::Update(const Napi::CallbackInfo& info) {
    uint64_t flags = BPF_ANY;
    if (!info[2].IsUndefined()) {
        std::string mode = arguments::String(info[2], "mode");
        if (mode == "create") {
            flags = BPF_NOEXIST;
        } else if (mode == "exist") {
            flags = BPF_EXIST;
        } else if (mode != "any") {
            arguments::Reject(info.Env(), "mode must be 'any', 'create' or 'exist', not '" + mode + "'");
        }
    }
    Bytes key = Key(info[0]);
    Bytes value = arguments::ByteArray(info[1], "value");
    if (value.size != valueBytes_)
        arguments::Reject(info.Env(), "value must have " + std::to_string(valueBytes_) + " bytes (map " + name_ +
                                          "), not " + std::to_string(value.size));
    return Guarded(info.Env(), [&]() -> Napi::Value {
        if (bpf_map_update_elem(Fd("update"), key.data, value.data, flags) != 0) Fail("update");
        return info.Env().Undefined();
    });
}

Napi::Value BpfMap::Delete(const Napi::CallbackInfo& info) {
    Bytes key = Key(info[0]);
    return Guarded(info.Env(), [&]() -> Napi::Value {
        if (bpf_map_delete_elem(Fd("delete"), key.data) == 0) return Napi::Boolean::New(info.Env(), true);
        if (errno != ENOENT) Fail("delete");
        return Napi::Boolean::New(info.Env(), false);
    });
}

Napi::Value BpfMap::NextKey(const Napi::CallbackInfo& info) {
    bool first = info[0].IsNull();
    Bytes key = first ? Bytes{nullptr, 0} : Key(info[0]);
    return Guarded(info.Env(), [&]() -> Napi::Value {
        int fd = Fd("list keys");
        auto next = Napi::Buffer<uint8_t>::New(info.Env(), keyBytes_);
        if (bpf_map_get_next_key(fd, key.data, next.Data()) == 0) return next;
        if (errno != ENOENT) Fail("list keys");
        return info.Env().Null();
    });
}

Napi::Value BpfMap::Memory(const Napi::CallbackInfo& info) {
    return Guarded(info.Env(), [&]() -> Napi::Value {
        int fd = Fd("read memory");
        // array_map_mmap() in kernel/bpf/arraymap.c: values stand one after the other, each padded to 8 bytes
        size_t bytes = ((valueBytes_ + 7) & ~size_t{7}) * bpf_map__max_entries(state_.map);
        if (!memory_) memory_ = std::make_unique<MapMemory>(fd, bytes, name_);
        return Napi::Buffer<uint8_t>::Copy(info.Env(), memory_->Data(), memory_->Bytes());
    });
}
