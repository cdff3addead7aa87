#include "Link.h"

#include "AddonData.h"
#include "Background.h"

Napi::Function Link::Define(Napi::Env env) {
    return DefineWrapped(env, {BindMethod<&Link::Detach>("detach"), BindMethod<&Link::DetachLater>("detachLater"),
                               BindAccessor<&Link::Attached>("attached"), BindAccessor<&Link::Fd>("fd")});
}

Link::Link(const Napi::CallbackInfo& info)
    : Wrapped(info), state_(TakePending<State>(info, "an attach method of BpfObject")) {}

Napi::Value Link::Detach(const Napi::CallbackInfo& info) {
    state_.attachment->Detach();
    return info.Env().Undefined();
}

Napi::Value Link::DetachLater(const Napi::CallbackInfo& info) {
    auto attachment = std::make_shared<Attachment>(std::move(*state_.attachment));
    return Background<bool>::Run(
        info.Env(),
        [attachment] {
            attachment->Detach();
            return true;
        },
        [](Napi::Env env, bool) -> Napi::Value { return env.Undefined(); });
}

Napi::Value Link::Attached(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), state_.attachment->Attached());
}

Napi::Value Link::Fd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), state_.attachment->Fd()); }
