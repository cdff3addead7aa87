// Base of the classes that JavaScript sees. Node-API unwraps whatever native object a value carries, of this
// addon or another, without asking for its class: `KernelBtf.prototype.close.call(bpfObject)` would end in
// memory that is something else. So each class tags its objects, and each method looks at the tag of `this`.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

template <typename T>
class Wrapped : public Napi::ObjectWrap<T> {
  public:
    using Method = Napi::Value (T::*)(const Napi::CallbackInfo&);

    /** The native object of a value; throws TypeError where it is of no or another class. */
    static T& From(const Napi::Value& value, const char* what) {
        if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&T::kTypeTag))
            throw Napi::TypeError::New(value.Env(), std::string(what) + " must be a " + T::kName);
        return *Napi::ObjectWrap<T>::Unwrap(value.As<Napi::Object>());
    }

  protected:
    explicit Wrapped(const Napi::CallbackInfo& info) : Napi::ObjectWrap<T>(info) {
        info.This().As<Napi::Object>().TypeTag(&T::kTypeTag);
    }

    /** Defines the class and, on its prototype, what the following methods describe. */
    static Napi::Function DefineWrapped(
        Napi::Env env, const std::vector<napi_property_descriptor>& members,
        const std::vector<typename Napi::ObjectWrap<T>::PropertyDescriptor>& statics = {}) {
        Napi::Function constructor = Napi::ObjectWrap<T>::DefineClass(env, T::kName, statics);
        Napi::Value prototype = constructor.Get("prototype");
        if (napi_define_properties(env, prototype, members.size(), members.data()) != napi_ok)
            throw Napi::Error::New(env);
        return constructor;
    }

    template <Method method>
    static napi_property_descriptor BindMethod(const char* name) {
        return {name, nullptr, Call<method>, nullptr, nullptr, nullptr, napi_default_method, nullptr};
    }

    template <Method method>
    static napi_property_descriptor BindAccessor(const char* name) {
        return {name, nullptr, nullptr, Call<method>, nullptr, nullptr, napi_configurable, nullptr};
    }

  private:
    template <Method method>
    static napi_value Call(napi_env env, napi_callback_info raw) {
        return Napi::details::WrapCallback(env, [&]() -> napi_value {
            Napi::CallbackInfo info(env, raw);
            return (From(info.This(), "this").*method)(info);
        });
    }
};
