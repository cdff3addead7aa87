#include "BpfObject.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>

#include "AddonData.h"
#include "Arguments.h"
#include "BpfMap.h"
#include "BtfFile.h"
#include "LibbpfLog.h"
#include "ProgramClone.h"

namespace {

// The kernel's limit for contexts of test runs is well below (MAX_BPF_FUNC_ARGS u64 for raw tracepoints).
constexpr size_t kMaxContextBytes = 1 << 20;

void Check(int result, const char* operation, const std::string& target, const LibbpfLog& log) {
    if (result != 0) throw Failure(-result, operation, target, log.Words());
}

}  // namespace

uint32_t AttachTypeNumber(const std::string& name) {
    auto number = BtfFile::Vmlinux()->EnumValue("bpf_attach_type", name);
    if (!number) throw Failure(EOPNOTSUPP, "find attach type", name, "the kernel does not know it");
    return static_cast<uint32_t>(*number);
}

Napi::Function BpfObject::Define(Napi::Env env) {
    return DefineWrapped(env,
                         {BindAccessor<&BpfObject::Programs>("programs"),
                          BindAccessor<&BpfObject::Maps>("maps"),
                          BindAccessor<&BpfObject::Loaded>("loaded"),
                          BindMethod<&BpfObject::InitialData>("initialData"),
                          BindMethod<&BpfObject::SetInitialData>("setInitialData"),
                          BindMethod<&BpfObject::SetAutoload>("setAutoload"),
                          BindMethod<&BpfObject::SetMaxEntries>("setMaxEntries"),
                          BindMethod<&BpfObject::SetExpectedAttachType>("setExpectedAttachType"),
                          BindMethod<&BpfObject::SetKfuncCall>("setKfuncCall"),
                          BindMethod<&BpfObject::ShareMaps>("shareMaps"),
                          BindMethod<&BpfObject::Load>("load"),
                          BindMethod<&BpfObject::AttachKprobe>("attachKprobe"),
                          BindMethod<&BpfObject::AttachKprobeMulti>("attachKprobeMulti"),
                          BindMethod<&BpfObject::AttachTracing>("attachTracing"),
                          BindMethod<&BpfObject::AttachTracepoint>("attachTracepoint"),
                          BindMethod<&BpfObject::AttachRawTracepoint>("attachRawTracepoint"),
                          BindMethod<&BpfObject::AttachBtfTracepoint>("attachBtfTracepoint"),
                          BindMethod<&BpfObject::Map>("map"),
                          BindMethod<&BpfObject::TestRun>("testRun"),
                          BindMethod<&BpfObject::ProgramIds>("programIds"),
                          BindMethod<&BpfObject::MissedRuns>("missedRuns"),
                          BindMethod<&BpfObject::ProgramFd>("programFd"),
                          BindMethod<&BpfObject::Close>("close")},
                         {StaticMethod<&BpfObject::Open>("open", napi_default_method)});
}

BpfObject::BpfObject(const Napi::CallbackInfo& info)
    : Wrapped(info), state_(TakePending<State>(info, "BpfObject.open()")) {}

Napi::Value BpfObject::Open(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Object options = arguments::Options(info[1], "options");
    auto nameOption = arguments::Optional(options, "name");
    std::string name = nameOption ? arguments::String(*nameOption, "name") : "";
    auto btfOption = arguments::Optional(options, "btf");
    std::string btf = btfOption ? arguments::String(*btfOption, "btf") : "";
    State state;
    if (info[0].IsString()) {
        std::string path = arguments::String(info[0], "source");
        state = Guarded(env, [&] { return ObjectState::FromFile(path, name, btf); });
    } else if (info[0].IsTypedArray()) {
        Bytes bytes = arguments::ByteArray(info[0], "source");
        state = Guarded(
            env, [&] { return ObjectState::FromBytes(bytes.data, bytes.size, name.empty() ? "object" : name, btf); });
    } else {
        arguments::Reject(env, "source must be a path or a Uint8Array");
    }
    return Construct(env, AddonData::Of(env).bpfObject, std::move(state));
}

Napi::Value BpfObject::Programs(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    bpf_object* object = Guarded(env, [&] { return state_->Open("list programs"); });
    Napi::Array list = Napi::Array::New(env);
    bpf_program* program;
    bpf_object__for_each_program(program, object) {
        const char* type = libbpf_bpf_prog_type_str(bpf_program__type(program));
        Napi::Object entry = Napi::Object::New(env);
        entry["name"] = bpf_program__name(program);
        entry["section"] = bpf_program__section_name(program);
        entry["type"] = type ? type : "unknown";
        entry["autoload"] = Napi::Boolean::New(env, bpf_program__autoload(program));
        entry["instructions"] = static_cast<double>(bpf_program__insn_cnt(program));
        list[list.Length()] = entry;
    }
    return list;
}

Napi::Value BpfObject::Maps(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    bpf_object* object = Guarded(env, [&] { return state_->Open("list maps"); });
    Napi::Array list = Napi::Array::New(env);
    bpf_map* map;
    bpf_object__for_each_map(map, object) list[list.Length()] = BpfMap::Describe(env, object, map);
    return list;
}

Napi::Value BpfObject::Loaded(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), state_->Loaded());
}

Napi::Value BpfObject::InitialData(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "map");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "read initial data";
        bpf_map* map = state_->Map(state_->BeforeLoad(operation), operation, name);
        size_t size = 0;
        const void* data = bpf_map__initial_value(map, &size);
        if (!data) throw Failure(EINVAL, operation, name, "the map is no data section");
        return Napi::Buffer<uint8_t>::Copy(info.Env(), static_cast<const uint8_t*>(data), size);
    });
}

Napi::Value BpfObject::SetInitialData(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "map");
    Bytes data = arguments::ByteArray(info[1], "data");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "set initial data";
        bpf_map* map = state_->Map(state_->BeforeLoad(operation), operation, name);
        size_t size = 0;
        if (!bpf_map__initial_value(map, &size)) throw Failure(EINVAL, operation, name, "the map is no data section");
        if (data.size != size)
            arguments::Reject(info.Env(), "data must have " + std::to_string(size) + " bytes (the size of " + name +
                                              "), not " + std::to_string(data.size));
        LibbpfLog log;
        Check(bpf_map__set_initial_value(map, data.data, data.size), operation, name, log);
        return info.Env().Undefined();
    });
}

Napi::Value BpfObject::SetAutoload(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "program");
    bool load = arguments::Boolean(info[1], "load");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "set autoload";
        bpf_program* program = state_->Program(state_->BeforeLoad(operation), operation, name);
        LibbpfLog log;
        Check(bpf_program__set_autoload(program, load), operation, name, log);
        return info.Env().Undefined();
    });
}

Napi::Value BpfObject::SetMaxEntries(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "map");
    uint32_t entries = arguments::Integer(info[1], "entries", 1);
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "set max entries";
        bpf_map* map = state_->Map(state_->BeforeLoad(operation), operation, name);
        auto page = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
        if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF && (entries % page || (entries & (entries - 1))))
            arguments::Reject(info.Env(), "entries of a ring buffer must be a power of two and a multiple of " +
                                              std::to_string(page) + ", not " + std::to_string(entries));
        LibbpfLog log;
        Check(bpf_map__set_max_entries(map, entries), operation, name, log);
        return info.Env().Undefined();
    });
}

Napi::Value BpfObject::SetExpectedAttachType(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "program");
    std::string type = arguments::String(info[1], "name");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "set expected attach type";
        bpf_program* program = state_->Program(state_->BeforeLoad(operation), operation, name);
        LibbpfLog log;
        auto number = static_cast<bpf_attach_type>(AttachTypeNumber(type));
        Check(bpf_program__set_expected_attach_type(program, number), operation, name, log);
        return info.Env().Undefined();
    });
}

Napi::Value BpfObject::SetKfuncCall(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "program");
    uint64_t magic = arguments::Unsigned64(info[1], "magic");
    std::string function = arguments::String(info[2], "func");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        const char* operation = "set kernel function";
        bpf_program* program = state_->Program(state_->BeforeLoad(operation), operation, name);
        auto id = BtfFile::Vmlinux()->Find(BTF_KIND_FUNC, function);
        if (!id) throw Failure(EOPNOTSUPP, operation, function, "the kernel has no such function");
        const bpf_insn* first = bpf_program__insns(program);
        std::vector<bpf_insn> insns(first, first + bpf_program__insn_cnt(program));
        if (PutKfuncCalls(insns, magic, *id) == 0)
            throw Failure(ENOENT, operation, name, "the program does not load this magic value into r0");
        LibbpfLog log;
        Check(bpf_program__set_insns(program, insns.data(), insns.size()), operation, name, log);
        return info.Env().Undefined();
    });
}

Napi::Value BpfObject::ShareMaps(const Napi::CallbackInfo& info) {
    State from = From(info[0], "from").Shared();
    Guarded(info.Env(), [&] { state_->ShareMaps(*from); });
    return info.Env().Undefined();
}

Napi::Value BpfObject::Load(const Napi::CallbackInfo& info) {
    Guarded(info.Env(), [&] { state_->Load(); });
    return info.Env().Undefined();
}

Napi::Value BpfObject::Map(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "name");
    bpf_map* map = Guarded(info.Env(), [&] { return state_->Map(state_->AfterLoad("find map"), "find map", name); });
    return Construct(info.Env(), AddonData::Of(info.Env()).bpfMap, BpfMap::State{state_, map});
}

Napi::Value BpfObject::TestRun(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "program");
    Bytes context = {nullptr, 0};
    if (!info[1].IsUndefined()) context = arguments::ByteArray(info[1], "context");
    if (context.size > kMaxContextBytes) arguments::Reject(info.Env(), "context is larger than any program's");
    return Guarded(info.Env(), [&]() -> Napi::Value {
        bpf_program* program = state_->LoadedProgram("test run", name);
        LIBBPF_OPTS(bpf_test_run_opts, options);
        if (context.size) {
            options.ctx_in = context.data;
            options.ctx_size_in = static_cast<uint32_t>(context.size);
        }
        if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0) throw Failure(errno, "test run", name);
        return Napi::Number::New(info.Env(), options.retval);
    });
}

Napi::Value BpfObject::ProgramIds(const Napi::CallbackInfo& info) {
    auto programs = Guarded(info.Env(), [&] { return state_->ProgramInfos(); });
    Napi::Array list = Napi::Array::New(info.Env(), programs.size());
    for (uint32_t i = 0; i < programs.size(); i++) list[i] = programs[i].id;
    return list;
}

Napi::Value BpfObject::MissedRuns(const Napi::CallbackInfo& info) {
    auto programs = Guarded(info.Env(), [&] { return state_->ProgramInfos(); });
    uint64_t missed = 0;
    for (const auto& program : programs) missed += program.recursion_misses;
    return Napi::Number::New(info.Env(), static_cast<double>(missed));
}

Napi::Value BpfObject::ProgramFd(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "program");
    int fd = Guarded(info.Env(), [&] { return bpf_program__fd(state_->LoadedProgram("look up", name)); });
    return Napi::Number::New(info.Env(), fd);
}

Napi::Value BpfObject::Close(const Napi::CallbackInfo& info) {
    state_->Close();
    return info.Env().Undefined();
}
