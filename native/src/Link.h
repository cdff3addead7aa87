// JavaScript's handle of an attachment.
#pragma once

#include <napi.h>

#include <memory>

#include "Attachment.h"
#include "ObjectState.h"

class Link : public Napi::ObjectWrap<Link> {
  public:
    struct State {
        /** Keeps the object's maps and programs while this attachment lives. */
        std::shared_ptr<ObjectState> object;
        std::shared_ptr<Attachment> attachment;
    };

    static Napi::Function Define(Napi::Env env);
    explicit Link(const Napi::CallbackInfo& info);
    ~Link() override;

  private:
    Napi::Value Detach(const Napi::CallbackInfo& info);
    Napi::Value Attached(const Napi::CallbackInfo& info);

    State state_;
};
