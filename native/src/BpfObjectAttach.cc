// The attach methods of BpfObject.
#include <linux/bpf.h>

#include <cerrno>

#include "AddonData.h"
#include "Arguments.h"
#include "BpfObject.h"
#include "BtfFile.h"
#include "KernelModule.h"
#include "LibbpfLog.h"
#include "Link.h"

namespace {

// Bounds what one call may ask for; the kernel's own limit for kprobe.multi is 2^20 (MAX_KPROBE_MULTI_CNT).
constexpr uint32_t kMaxFunctions = 1 << 20;
constexpr uint32_t kMaxImmediates = 4096;

std::optional<std::vector<Immediate>> ReadImmediates(const Napi::Object& options) {
    auto value = arguments::Optional(options, "immediates");
    if (!value) return std::nullopt;
    Napi::Array list = arguments::List(*value, "immediates");
    uint32_t count = list.Length();
    if (count > kMaxImmediates) arguments::Reject(list.Env(), "immediates has too many entries");
    std::vector<Immediate> immediates;
    for (uint32_t i = 0; i < count; i++) {
        Napi::Value entry = list[i];
        if (entry.IsUndefined()) arguments::Reject(list.Env(), "immediates must hold objects, not undefined");
        Napi::Object pair = arguments::Options(entry, "an entry of immediates");
        uint64_t magic = arguments::Unsigned64(pair.Get("magic"), "magic");
        uint64_t replacement = arguments::Unsigned64(pair.Get("value"), "value");
        immediates.push_back({magic, replacement});
    }
    return immediates;
}

std::vector<uint64_t> ReadUnsigned64List(const Napi::Object& options, const char* name) {
    std::vector<uint64_t> numbers;
    auto value = arguments::Optional(options, name);
    if (!value) return numbers;
    Napi::Array list = arguments::List(*value, name);
    if (list.Length() > kMaxFunctions) arguments::Reject(list.Env(), std::string(name) + " has too many entries");
    for (uint32_t i = 0, count = list.Length(); i < count; i++)
        numbers.push_back(arguments::Unsigned64(list.Get(i), name));
    return numbers;
}

std::vector<std::string> ReadStringList(const Napi::Object& options, const char* name) {
    std::vector<std::string> strings;
    auto value = arguments::Optional(options, name);
    if (!value) return strings;
    Napi::Array list = arguments::List(*value, name);
    if (list.Length() > kMaxFunctions) arguments::Reject(list.Env(), std::string(name) + " has too many entries");
    for (uint32_t i = 0, count = list.Length(); i < count; i++) strings.push_back(arguments::String(list.Get(i), name));
    return strings;
}

std::string TracefsName(const Napi::Value& value, const char* what) {
    std::string name = arguments::String(value, what);
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
        arguments::Reject(value.Env(), std::string(what) + " must be a name in tracefs, not '" + name + "'");
    return name;
}

Napi::Value FailedResult(Napi::Env env, const Failure& failure) {
    Napi::Object result = Napi::Object::New(env);
    result["ok"] = Napi::Boolean::New(env, false);
    result["errno"] = failure.error;
    result["code"] = ErrnoName(failure.error);
    result["message"] = failure.message;
    if (!failure.verifierLog.empty()) result["verifierLog"] = failure.verifierLog;
    return result;
}

}  // namespace

Napi::Value BpfObject::Attach(Napi::Env env, const std::string& name, const Immediates& immediates,
                              const std::function<ProgramShape()>& shape,
                              const std::function<Attachment(int programFd, const ProgramShape&)>& attach) {
    bpf_program* program = Guarded(env, [&] { return state_->LoadedProgram("attach", name); });
    auto attachment = std::make_shared<Attachment>();
    try {
        ProgramShape wanted = shape();
        bool fits = !wanted.btfId && bpf_program__type(program) == wanted.type &&
                    bpf_program__expected_attach_type(program) == wanted.attachType;
        UniqueFd clone;
        if (immediates || !fits) clone = LoadClone(program, wanted, immediates.value_or(std::vector<Immediate>()));
        *attachment = attach(clone ? clone.Get() : bpf_program__fd(program), wanted);
        attachment->Own(std::move(clone));
    } catch (const Failure& failure) {
        return FailedResult(env, failure);
    }
    state_->Track(attachment);
    Napi::Object result = Napi::Object::New(env);
    result["ok"] = Napi::Boolean::New(env, true);
    result["link"] = Construct(env, AddonData::Of(env).link, Link::State{state_, attachment});
    return result;
}

Napi::Value BpfObject::AttachKprobe(const Napi::CallbackInfo& info) {
    std::string program = arguments::String(info[0], "program");
    KprobeTarget target;
    target.function = arguments::String(info[1], "func");
    Napi::Object options = arguments::Options(info[2], "options");
    target.atReturn = arguments::Boolean(options, "retprobe", false);
    target.address = arguments::Unsigned64(options, "address", 0);
    target.offset = arguments::Integer(options, "offset", 0, 0, UINT32_MAX);
    target.cookie = arguments::Unsigned64(options, "cookie", 0);
    Immediates immediates = ReadImmediates(options);
    return Attach(
        info.Env(), program, immediates, [] { return ProgramShape{BPF_PROG_TYPE_KPROBE}; },
        [&](int fd, const ProgramShape&) { return ::AttachKprobe(fd, target); });
}

Napi::Value BpfObject::AttachKprobeMulti(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string program = arguments::String(info[0], "program");
    if (info[1].IsUndefined()) arguments::Reject(env, "options must be an object, not undefined");
    Napi::Object options = arguments::Options(info[1], "options");
    KprobeMultiTarget target;
    target.symbols = ReadStringList(options, "symbols");
    target.addresses = ReadUnsigned64List(options, "addresses");
    target.cookies = ReadUnsigned64List(options, "cookies");
    target.atReturn = arguments::Boolean(options, "retprobe", false);
    bool session = arguments::Boolean(options, "session", false);
    Immediates immediates = ReadImmediates(options);
    if (target.symbols.empty() == target.addresses.empty())
        arguments::Reject(env, "options must have either symbols or addresses, at least one");
    size_t count = target.symbols.size() + target.addresses.size();
    if (!target.cookies.empty() && target.cookies.size() != count)
        arguments::Reject(env, "cookies must have one entry for each of the " + std::to_string(count) +
                                   " functions, not " + std::to_string(target.cookies.size()));
    if (session && target.atReturn) arguments::Reject(env, "session and retprobe exclude each other");
    return Attach(
        env, program, immediates,
        [&] {
            uint32_t type = session ? AttachTypeNumber("BPF_TRACE_KPROBE_SESSION") : uint32_t{BPF_TRACE_KPROBE_MULTI};
            return ProgramShape{BPF_PROG_TYPE_KPROBE, type};
        },
        [&](int fd, const ProgramShape& shape) {
            target.attachType = shape.attachType;
            return ::AttachKprobeMulti(fd, target);
        });
}

Napi::Value BpfObject::AttachTracing(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string program = arguments::String(info[0], "program");
    if (info[1].IsUndefined()) arguments::Reject(env, "options must be an object, not undefined");
    Napi::Object options = arguments::Options(info[1], "options");
    std::string function = arguments::String(options.Get("func"), "func");
    std::string kind = arguments::String(options.Get("kind"), "kind");
    auto moduleOption = arguments::Optional(options, "module");
    std::string module = moduleOption ? arguments::String(*moduleOption, "module") : "";
    uint64_t cookie = arguments::Unsigned64(options, "cookie", 0);
    Immediates immediates = ReadImmediates(options);
    if (kind != "fentry" && kind != "fexit")
        arguments::Reject(env, "kind must be 'fentry' or 'fexit', not '" + kind + "'");
    KernelModule owner;
    return Attach(
        env, program, immediates,
        [&] {
            if (!module.empty()) owner = FindKernelModule(module);
            const auto& btf = owner.btf ? owner.btf : BtfFile::Vmlinux();
            auto id = btf->Find(BTF_KIND_FUNC, function);
            if (!id) throw Failure(ENOENT, "attach " + kind, function, "BTF has no such function");
            return ProgramShape{BPF_PROG_TYPE_TRACING, kind == "fentry" ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT, *id,
                                owner.btf ? owner.btfFd.Get() : 0};
        },
        [&](int fd, const ProgramShape& shape) {
            return ::AttachTracing(fd, shape.attachType, kind + " " + function, cookie);
        });
}

Napi::Value BpfObject::AttachTracepoint(const Napi::CallbackInfo& info) {
    std::string program = arguments::String(info[0], "program");
    std::string category = TracefsName(info[1], "category");
    std::string name = TracefsName(info[2], "name");
    Napi::Object options = arguments::Options(info[3], "options");
    uint64_t cookie = arguments::Unsigned64(options, "cookie", 0);
    Immediates immediates = ReadImmediates(options);
    return Attach(
        info.Env(), program, immediates, [] { return ProgramShape{BPF_PROG_TYPE_TRACEPOINT}; },
        [&](int fd, const ProgramShape&) { return ::AttachTracepoint(fd, category, name, cookie); });
}

Napi::Value BpfObject::AttachRawTracepoint(const Napi::CallbackInfo& info) {
    std::string program = arguments::String(info[0], "program");
    std::string name = arguments::String(info[1], "name");
    Napi::Object options = arguments::Options(info[2], "options");
    uint64_t cookie = arguments::Unsigned64(options, "cookie", 0);
    Immediates immediates = ReadImmediates(options);
    return Attach(
        info.Env(), program, immediates, [] { return ProgramShape{BPF_PROG_TYPE_RAW_TRACEPOINT}; },
        [&](int fd, const ProgramShape&) { return ::AttachRawTracepoint(fd, name, cookie); });
}

Napi::Value BpfObject::AttachBtfTracepoint(const Napi::CallbackInfo& info) {
    std::string program = arguments::String(info[0], "program");
    std::string name = arguments::String(info[1], "name");
    Immediates immediates = ReadImmediates(arguments::Options(info[2], "options"));
    KernelModule owner;
    return Attach(
        info.Env(), program, immediates,
        [&] {
            std::string type = "btf_trace_" + name;
            auto id = BtfFile::Vmlinux()->Find(BTF_KIND_TYPEDEF, type);
            if (!id) {
                owner = FindKernelModule(
                    type, [&](const BtfFile& file) { return file.Find(BTF_KIND_TYPEDEF, type).has_value(); });
                id = owner.btf->Find(BTF_KIND_TYPEDEF, type);
            }
            return ProgramShape{BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, *id, owner.btf ? owner.btfFd.Get() : 0};
        },
        [&](int fd, const ProgramShape& shape) {
            return ::AttachTracing(fd, shape.attachType, "btf tracepoint " + name, 0);
        });
}
