// The addon's entry: defines the classes and exports them.
#include <bpf/libbpf.h>
#include <napi.h>

#include "AddonData.h"
#include "Arguments.h"
#include "BpfMap.h"
#include "BpfObject.h"
#include "Kallsyms.h"
#include "KernelBtf.h"
#include "LibbpfLog.h"
#include "Link.h"
#include "RingBufferReader.h"

namespace {

Napi::Value SetErrorClass(const Napi::CallbackInfo& info) {
    if (!info[0].IsFunction()) arguments::Reject(info.Env(), "the error class must be a function");
    AddonData::Of(info.Env()).bpfError = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
}

Napi::Value ProbeProgramType(const Napi::CallbackInfo& info) {
    std::string name = arguments::String(info[0], "type");
    for (int type = 1; const char* known = libbpf_bpf_prog_type_str(static_cast<bpf_prog_type>(type)); type++) {
        if (name != known) continue;
        LibbpfLog log;
        bool works = libbpf_probe_bpf_prog_type(static_cast<bpf_prog_type>(type), nullptr) == 1;
        return Napi::Boolean::New(info.Env(), works);
    }
    arguments::Reject(info.Env(), "type must be libbpf's name of a program type, not '" + name + "'");
}

Napi::Value PossibleCpus(const Napi::CallbackInfo& info) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) throw ToBpfError(info.Env(), Failure(-cpus, "count", "possible CPUs"));
    return Napi::Number::New(info.Env(), cpus);
}

std::string Version() {
#ifdef LIBBPF_VERSION
    return LIBBPF_VERSION;
#else
    std::string version = libbpf_version_string();
    return version.rfind('v', 0) == 0 ? version.substr(1) : version;
#endif
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
    auto data = std::make_unique<AddonData>();
    auto define = [&](const char* name, Napi::FunctionReference& reference, Napi::Function constructor) {
        reference = Napi::Persistent(constructor);
        exports.Set(name, constructor);
    };
    define("BpfObject", data->bpfObject, BpfObject::Define(env));
    define("BpfMap", data->bpfMap, BpfMap::Define(env));
    define("Link", data->link, Link::Define(env));
    define("RingBufferReader", data->ringBufferReader, RingBufferReader::Define(env));
    define("KernelBtf", data->kernelBtf, KernelBtf::Define(env));
    define("Kallsyms", data->kallsyms, Kallsyms::Define(env));
    env.SetInstanceData(data.release());  // node-addon-api deletes it with the environment
    exports.Set("setErrorClass", Napi::Function::New<SetErrorClass>(env, "setErrorClass"));
    exports.Set("probeProgramType", Napi::Function::New<ProbeProgramType>(env, "probeProgramType"));
    exports.Set("possibleCpus", Napi::Function::New<PossibleCpus>(env, "possibleCpus"));
    exports.Set("libbpfVersion", Version());
    return exports;
}

}  // namespace

NODE_API_MODULE(bpf_loader, Init)
