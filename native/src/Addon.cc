// The addon's entry: defines the classes and exports them.
#include <bpf/libbpf.h>
#include <napi.h>
#include <net/if.h>

#include "AddonData.h"
#include "Arguments.h"
#include "AttachProbe.h"
#include "BpfMap.h"
#include "BpfObject.h"
#include "Kallsyms.h"
#include "KernelBtf.h"
#include "LibbpfLog.h"
#include "Link.h"
#include "NetnsFile.h"
#include "NetnsInterface.h"
#include "NetnsSocket.h"
#include "PcapCompiler.h"
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

Napi::Value ProbeAttach(const Napi::CallbackInfo& info) {
    std::string way = arguments::String(info[0], "way");
    if (way != "tracing" && way != "kprobe-multi")
        arguments::Reject(info.Env(), "way must be 'tracing' or 'kprobe-multi', not '" + way + "'");
    return Napi::Boolean::New(info.Env(), way == "tracing" ? CanAttachTracing() : CanAttachKprobeMulti());
}

Napi::Value PossibleCpus(const Napi::CallbackInfo& info) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) throw ToBpfError(info.Env(), Failure(-cpus, "count", "possible CPUs"));
    return Napi::Number::New(info.Env(), cpus);
}

Napi::Value ReadInNetns(const Napi::CallbackInfo& info) {
    constexpr uint32_t kDefaultBytes = 64 << 10;
    constexpr uint32_t kMostBytes = 16 << 20;
    NetnsFile file;
    file.netns.path = arguments::AbsolutePath(info[0], "netns");
    file.file = arguments::AbsolutePath(info[1], "file");
    Napi::Object options = arguments::Options(info[2], "options");
    if (auto inode = arguments::Optional(options, "inode")) file.netns.inode = arguments::Integer(*inode, "inode", 1);
    file.maxBytes = arguments::Integer(options, "maxBytes", kDefaultBytes, 1, kMostBytes);
    std::vector<uint8_t> contents = Guarded(info.Env(), [&] { return file.Read(); });
    return Napi::Buffer<uint8_t>::Copy(info.Env(), contents.data(), contents.size());
}

void WriteInNetns(const Napi::CallbackInfo& info) {
    NetnsFile file;
    file.netns.path = arguments::AbsolutePath(info[0], "netns");
    file.file = arguments::AbsolutePath(info[1], "file");
    std::string text = arguments::String(info[2], "text");
    Guarded(info.Env(), [&] { file.Write(text); });
}

Napi::Value DescribeInterface(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string name = arguments::String(info[0], "name");
    if (name.empty() || name.size() >= IFNAMSIZ) arguments::Reject(env, "name must have 1 to 15 bytes");
    Netns netns = NetnsSocket::NetnsOf(info[1]);
    NetnsInterface found = Guarded(env, [&] { return NetnsInterface::Describe(netns, name); });
    Napi::Object result = Napi::Object::New(env);
    result["index"] = found.index;
    result["type"] = found.type;
    result["flags"] = found.flags;
    result["mtu"] = found.mtu;
    result["address"] = Napi::Buffer<uint8_t>::Copy(env, found.address.data(), found.address.size());
    return result;
}

// DLT_ numbers are below 2^16; a length of 0 means the largest.
Napi::Value CompilePcapFilter(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    std::string expression = arguments::String(info[0], "expression");
    int linkType = static_cast<int>(arguments::Integer(info[1], "linkType", 0, UINT16_MAX));
    int snapLength = static_cast<int>(arguments::Integer(info[2], "snapLength", 0, INT32_MAX));
    if (expression.find('\0') != std::string::npos) arguments::Reject(env, "expression must not contain zero bytes");
    PcapResult compiled = Guarded(env, [&] { return CompilePcap(expression, linkType, snapLength); });
    Napi::Object result = Napi::Object::New(env);
    result["ok"] = Napi::Boolean::New(env, compiled.error.empty());
    if (!compiled.error.empty()) {
        result["message"] = compiled.error;
        return result;
    }
    Napi::Array program = Napi::Array::New(env, compiled.program.size());
    for (uint32_t i = 0; i < compiled.program.size(); i++) {
        const sock_filter& from = compiled.program[i];
        Napi::Object instruction = Napi::Object::New(env);
        instruction["code"] = from.code;
        instruction["jt"] = from.jt;
        instruction["jf"] = from.jf;
        instruction["k"] = from.k;
        program[i] = instruction;
    }
    result["program"] = program;
    return result;
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
    define("NetnsSocket", data->netnsSocket, NetnsSocket::Define(env));
    env.SetInstanceData(data.release());  // node-addon-api deletes it with the environment
    exports.Set("setErrorClass", Napi::Function::New<SetErrorClass>(env, "setErrorClass"));
    exports.Set("probeProgramType", Napi::Function::New<ProbeProgramType>(env, "probeProgramType"));
    exports.Set("probeAttach", Napi::Function::New<ProbeAttach>(env, "probeAttach"));
    exports.Set("possibleCpus", Napi::Function::New<PossibleCpus>(env, "possibleCpus"));
    exports.Set("readInNetns", Napi::Function::New<ReadInNetns>(env, "readInNetns"));
    exports.Set("writeInNetns", Napi::Function::New<WriteInNetns>(env, "writeInNetns"));
    exports.Set("describeInterface", Napi::Function::New<DescribeInterface>(env, "describeInterface"));
    exports.Set("compilePcapFilter", Napi::Function::New<CompilePcapFilter>(env, "compilePcapFilter"));
    exports.Set("libbpfVersion", Version());
    return exports;
}

}  // namespace

NODE_API_MODULE(bpf_loader, Init)
