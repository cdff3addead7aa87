#include "Kallsyms.h"

#include "AddonData.h"
#include "Arguments.h"
#include "Background.h"

namespace {

Napi::Value ToString(Napi::Env env, std::string_view text) { return Napi::String::New(env, text.data(), text.size()); }

std::string PathOf(const Napi::CallbackInfo& info) {
    return info[0].IsUndefined() ? "/proc/kallsyms" : arguments::String(info[0], "path");
}

Napi::Value Module(Napi::Env env, const SymbolTable::Match& match) {
    return match.module.empty() ? env.Null() : ToString(env, match.module);
}

}  // namespace

Napi::Function Kallsyms::Define(Napi::Env env) {
    return DefineWrapped(env,
                         {BindAccessor<&Kallsyms::Hidden>("hidden"), BindAccessor<&Kallsyms::Size>("size"),
                          BindMethod<&Kallsyms::Resolve>("resolve"), BindMethod<&Kallsyms::Lookup>("lookup"),
                          BindMethod<&Kallsyms::WithPrefix>("withPrefix")},
                         {StaticMethod<&Kallsyms::Load>("load", napi_default_method),
                          StaticMethod<&Kallsyms::Read>("read", napi_default_method)});
}

Kallsyms::Kallsyms(const Napi::CallbackInfo& info)
    : Wrapped(info), table_(TakePending<SymbolTable>(info, "Kallsyms.load()")) {}

Napi::Value Kallsyms::Load(const Napi::CallbackInfo& info) {
    std::string path = PathOf(info);
    SymbolTable table = Guarded(info.Env(), [&] { return SymbolTable::Load(path); });
    return Construct(info.Env(), AddonData::Of(info.Env()).kallsyms, std::move(table));
}

Napi::Value Kallsyms::Read(const Napi::CallbackInfo& info) {
    return Background<SymbolTable>::Run(
        info.Env(), [path = PathOf(info)] { return SymbolTable::Load(path); },
        [](Napi::Env env, SymbolTable table) -> Napi::Value {
            return Construct(env, AddonData::Of(env).kallsyms, std::move(table));
        });
}

Napi::Value Kallsyms::Hidden(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), table_.Hidden()); }

Napi::Value Kallsyms::Size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(table_.Size()));
}

Napi::Value Kallsyms::Resolve(const Napi::CallbackInfo& info) {
    uint64_t address = arguments::Unsigned64(info[0], "address");
    auto match = table_.Resolve(address);
    if (!match) return info.Env().Null();
    Napi::Object result = Napi::Object::New(info.Env());
    result["name"] = ToString(info.Env(), match->name);
    result["offset"] = static_cast<double>(match->offset);
    result["module"] = Module(info.Env(), *match);
    return result;
}

Napi::Value Kallsyms::Lookup(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "name");
    Napi::Array list = Napi::Array::New(info.Env());
    for (const SymbolTable::Match& match : table_.Lookup(name)) {
        Napi::Object entry = Napi::Object::New(info.Env());
        entry["address"] = Napi::BigInt::New(info.Env(), match.address);
        entry["module"] = Module(info.Env(), match);
        list[list.Length()] = entry;
    }
    return list;
}

Napi::Value Kallsyms::WithPrefix(const Napi::CallbackInfo& info) {
    std::string prefix = arguments::String(info[0], "prefix");
    Napi::Array list = Napi::Array::New(info.Env());
    for (std::string_view name : table_.WithPrefix(prefix)) list[list.Length()] = ToString(info.Env(), name);
    return list;
}
