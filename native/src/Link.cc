#include "Link.h"

#include "AddonData.h"

Napi::Function Link::Define(Napi::Env env) {
    return DefineWrapped(env, {BindMethod<&Link::Detach>("detach"), BindAccessor<&Link::Attached>("attached")});
}

Link::Link(const Napi::CallbackInfo& info)
    : Wrapped(info), state_(TakePending<State>(info, "an attach method of BpfObject")) {}

Napi::Value Link::Detach(const Napi::CallbackInfo& info) {
    state_.attachment->Detach();
    return info.Env().Undefined();
}

Napi::Value Link::Attached(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), state_.attachment->Attached());
}
