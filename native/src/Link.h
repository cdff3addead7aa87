// JavaScript's handle of an attachment.
#pragma once

#include <napi.h>

#include <memory>

#include "Attachment.h"
#include "ObjectState.h"
#include "Wrapped.h"

class Link : public Wrapped<Link> {
  public:
    static constexpr char kName[] = "Link";
    static constexpr napi_type_tag kTypeTag = {0x83d94ef2167a4c55, 0xb8e40d9f3a6c2d71};

    struct State {
        /** Keeps the object's maps and programs while this attachment lives. */
        std::shared_ptr<ObjectState> object;
        std::shared_ptr<Attachment> attachment;
    };

    static Napi::Function Define(Napi::Env env);
    explicit Link(const Napi::CallbackInfo& info);

  private:
    Napi::Value Detach(const Napi::CallbackInfo& info);
    Napi::Value DetachLater(const Napi::CallbackInfo& info);
    Napi::Value Attached(const Napi::CallbackInfo& info);
    Napi::Value Fd(const Napi::CallbackInfo& info);

    State state_;
};
