#include "AddonData.h"

Napi::Error ToBpfError(Napi::Env env, const Failure& failure) {
    Napi::Object fields = Napi::Object::New(env);
    fields["message"] = failure.message;
    fields["code"] = ErrnoName(failure.error);
    fields["errno"] = failure.error;
    fields["operation"] = failure.operation;
    fields["target"] = failure.target;
    if (!failure.verifierLog.empty()) fields["verifierLog"] = failure.verifierLog;
    Napi::FunctionReference& bpfError = AddonData::Of(env).bpfError;
    // Only while index.js has not yet handed its class over.
    if (bpfError.IsEmpty()) return Napi::Error::New(env, failure.message);
    return Napi::Error(env, bpfError.New({fields}));
}
