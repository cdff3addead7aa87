#include "KernelBtf.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>

#include "AddonData.h"
#include "Arguments.h"
#include "Background.h"
#include "BtfDescribe.h"

namespace {

constexpr char kModulesDir[] = "/sys/kernel/btf";

std::vector<std::string> ModuleNames() {
    std::vector<std::string> names;
    std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(kModulesDir), closedir);
    if (!dir) return names;
    while (const dirent* entry = readdir(dir.get())) {
        std::string name = entry->d_name;
        if (name[0] != '.' && name != "vmlinux") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<std::string> PathOf(const Napi::CallbackInfo& info) {
    if (info[0].IsUndefined()) return std::nullopt;
    return arguments::String(info[0], "path");
}

// On any thread.
KernelBtf::State LoadKernel(const std::optional<std::string>& path) {
    return {{"", path ? BtfFile::Load(*path) : BtfFile::Vmlinux()}};
}

// On any thread.
void AddModules(KernelBtf::State& parts) {
    for (const std::string& name : ModuleNames()) {
        try {
            parts.push_back({name, BtfFile::Load(std::string(kModulesDir) + "/" + name, parts[0].file)});
        } catch (const Failure&) {
            continue;  // unloaded meanwhile, or made for another kernel
        }
    }
}

Napi::Value OrNull(Napi::Env env, const std::string& text) {
    return text.empty() ? env.Null() : Napi::Value(Napi::String::New(env, text));
}

Napi::Array ToArray(Napi::Env env, const std::vector<ParameterText>& parameters) {
    Napi::Array list = Napi::Array::New(env, parameters.size());
    for (uint32_t i = 0; i < parameters.size(); i++) {
        Napi::Object entry = Napi::Object::New(env);
        entry["name"] = parameters[i].name;
        entry["pointsTo"] = OrNull(env, parameters[i].pointsTo);
        entry["type"] = parameters[i].type;
        list[i] = entry;
    }
    return list;
}

Napi::Object ToObject(Napi::Env env, const FunctionText& function, const std::string& module) {
    Napi::Object object = Napi::Object::New(env);
    object["name"] = function.name;
    object["module"] = OrNull(env, module);
    object["parameters"] = ToArray(env, function.parameters);
    object["returns"] = function.returns;
    object["static"] = Napi::Boolean::New(env, function.isStatic);
    return object;
}

}  // namespace

Napi::Function KernelBtf::Define(Napi::Env env) {
    return DefineWrapped(
        env,
        {BindMethod<&KernelBtf::LoadModules>("loadModules"), BindMethod<&KernelBtf::Functions>("functions"),
         BindMethod<&KernelBtf::Function>("function"), BindMethod<&KernelBtf::EnumValues>("enumValues"),
         BindMethod<&KernelBtf::Member>("member"), BindMethod<&KernelBtf::Field>("field"),
         BindMethod<&KernelBtf::StructSize>("structSize"), BindMethod<&KernelBtf::Struct>("struct"),
         BindMethod<&KernelBtf::HasTracepoint>("hasTracepoint"), BindMethod<&KernelBtf::Tracepoint>("tracepoint"),
         BindMethod<&KernelBtf::Close>("close")},
        {StaticMethod<&KernelBtf::Load>("load", napi_default_method),
         StaticMethod<&KernelBtf::Read>("read", napi_default_method)});
}

KernelBtf::KernelBtf(const Napi::CallbackInfo& info)
    : Wrapped(info), parts_(TakePending<State>(info, "KernelBtf.load()")) {}

Napi::Value KernelBtf::Load(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    auto path = PathOf(info);
    State parts = Guarded(env, [&] { return LoadKernel(path); });
    return Construct(env, AddonData::Of(env).kernelBtf, std::move(parts));
}

Napi::Value KernelBtf::Read(const Napi::CallbackInfo& info) {
    auto read = [path = PathOf(info)] {
        State parts = LoadKernel(path);
        AddModules(parts);
        return parts;
    };
    return Background<State>::Run(info.Env(), read, [](Napi::Env env, State parts) -> Napi::Value {
        return Construct(env, AddonData::Of(env).kernelBtf, std::move(parts));
    });
}

const KernelBtf::State& KernelBtf::Parts(Napi::Env env) const {
    if (parts_.empty()) throw ToBpfError(env, Failure(EBADF, "read", "BTF", "it is closed"));
    return parts_;
}

Napi::Value KernelBtf::LoadModules(const Napi::CallbackInfo& info) {
    Parts(info.Env());
    parts_.resize(1);
    AddModules(parts_);
    Napi::Array loaded = Napi::Array::New(info.Env());
    for (size_t i = 1; i < parts_.size(); i++) loaded[loaded.Length()] = parts_[i].module;
    return loaded;
}

Napi::Value KernelBtf::Functions(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    Napi::Object filter = arguments::Options(info[0], "filter");
    auto patternOption = arguments::Optional(filter, "pattern");
    auto pointsToOption = arguments::Optional(filter, "pointsTo");
    std::string pattern = patternOption ? arguments::String(*patternOption, "pattern") : "*";
    std::string pointsTo = pointsToOption ? arguments::String(*pointsToOption, "pointsTo") : "";
    Napi::Array list = Napi::Array::New(env);
    uint32_t count = 0;
    for (const Part& part : Parts(env)) {
        for (uint32_t id = part.file->First(); id < part.file->End(); id++) {
            const btf_type* type = part.file->Type(id);
            if (!type || !btf_is_func(type)) continue;
            if (patternOption && !MatchesGlob(part.file->Name(type->name_off), pattern)) continue;
            if (pointsToOption && !HasParameterTo(*part.file, type, pointsTo)) continue;
            Napi::HandleScope scope(env);
            list[count++] = ToObject(env, DescribeFunction(*part.file, type), part.module);
        }
    }
    return list;
}

Napi::Value KernelBtf::Function(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "name");
    for (const Part& part : Parts(info.Env()))
        if (auto id = part.file->Find(BTF_KIND_FUNC, name))
            return ToObject(info.Env(), DescribeFunction(*part.file, part.file->Type(*id)), part.module);
    return info.Env().Null();
}

Napi::Value KernelBtf::EnumValues(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string name = arguments::String(info[0], "name");
    for (const Part& part : Parts(env)) {
        auto id = part.file->Find(BTF_KIND_ENUM, name);
        if (!id) id = part.file->Find(BTF_KIND_ENUM64, name);
        if (!id) continue;
        const btf_type* type = part.file->Type(*id);
        Napi::Object map = env.Global().Get("Map").As<Napi::Function>().New({});
        Napi::Function set = map.Get("set").As<Napi::Function>();
        bool isUnsigned = btf_is_enum64(type) && !btf_kflag(type);
        ForEachEnumValue(*part.file, type, [&](const char* member, int64_t value) {
            double number = isUnsigned ? static_cast<double>(static_cast<uint64_t>(value)) : static_cast<double>(value);
            set.Call(map, {Napi::String::New(env, member), Napi::Number::New(env, number)});
        });
        return map;
    }
    return env.Null();
}

Napi::Value KernelBtf::Member(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string name = arguments::String(info[0], "struct");
    std::string member = arguments::String(info[1], "member");
    for (const Part& part : Parts(env)) {
        const btf_type* type = FindStruct(*part.file, name);
        if (!type) continue;
        auto found = FindMember(*part.file, type, member);
        if (!found) return env.Null();
        Napi::Object object = Napi::Object::New(env);
        object["offset"] = found->bitOffset / 8;
        object["size"] = (found->bitOffset % 8 + found->bitSize + 7) / 8;
        object["type"] = found->type;
        return object;
    }
    return env.Null();
}

Napi::Value KernelBtf::Field(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    bool byName = info[0].IsString();
    std::string name = byName ? arguments::String(info[0], "struct") : "";
    uint32_t id = byName ? 0 : arguments::Integer(info[0], "struct");
    std::string member = arguments::String(info[1], "member");
    const BtfFile& file = *Parts(env)[0].file;
    const btf_type* type = byName ? FindStruct(file, name) : file.Type(id);
    if (!type || !btf_is_composite(type)) return env.Null();
    auto found = DescribeField(file, type, member);
    if (!found) return env.Null();
    Napi::Object object = Napi::Object::New(env);
    object["bitOffset"] = found->bitOffset;
    object["bitSize"] = found->bitSize;
    object["type"] = found->type;
    object["kind"] = found->kind;
    object["signed"] = Napi::Boolean::New(env, found->isSigned);
    object["element"] = OrNull(env, found->element);
    object["count"] = found->count;
    object["composite"] = found->composite ? Napi::Number::New(env, found->composite) : env.Null();
    return object;
}

Napi::Value KernelBtf::StructSize(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "name");
    for (const Part& part : Parts(info.Env()))
        if (const btf_type* type = FindStruct(*part.file, name)) return Napi::Number::New(info.Env(), type->size);
    return info.Env().Null();
}

Napi::Value KernelBtf::Struct(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string name = arguments::String(info[0], "name");
    for (const Part& part : Parts(env)) {
        const btf_type* type = FindStruct(*part.file, name);
        if (!type) continue;
        Napi::Array members = Napi::Array::New(env);
        for (const MemberText& member : DescribeMembers(*part.file, type)) {
            Napi::Object entry = Napi::Object::New(env);
            entry["name"] = member.name;
            entry["bitOffset"] = member.bitOffset;
            entry["bitSize"] = member.bitSize;
            entry["type"] = member.type;
            members[members.Length()] = entry;
        }
        Napi::Object object = Napi::Object::New(env);
        object["size"] = type->size;
        object["members"] = members;
        return object;
    }
    return env.Null();
}

Napi::Value KernelBtf::HasTracepoint(const Napi::CallbackInfo& info) {
    std::string type = "btf_trace_" + arguments::String(info[0], "name");
    const auto& parts = Parts(info.Env());
    bool found = std::any_of(parts.begin(), parts.end(),
                             [&](const Part& part) { return part.file->Find(BTF_KIND_TYPEDEF, type).has_value(); });
    return Napi::Boolean::New(info.Env(), found);
}

Napi::Value KernelBtf::Tracepoint(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "name");
    for (const Part& part : Parts(info.Env()))
        if (auto parameters = DescribeTracepoint(*part.file, name)) return ToArray(info.Env(), *parameters);
    return info.Env().Null();
}

Napi::Value KernelBtf::Close(const Napi::CallbackInfo& info) {
    parts_.clear();
    return info.Env().Undefined();
}
