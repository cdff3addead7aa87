// Work that takes long, on a thread of libuv's pool; what it makes becomes a JavaScript value on the thread that asked
// for it.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <utility>

#include "AddonData.h"

template <typename State>
class Background : public Napi::AsyncWorker {
  public:
    using Work = std::function<State()>;
    using Finish = std::function<Napi::Value(Napi::Env, State)>;

    /** `work` runs on the other thread; a Failure that it throws rejects the promise as BpfError. */
    static Napi::Promise Run(Napi::Env env, Work work, Finish finish) {
        auto* background = new Background(env, std::move(work), std::move(finish));  // deletes itself when it is done
        Napi::Promise promise = background->deferred_.Promise();
        background->Queue();
        return promise;
    }

  protected:
    /** On the other thread. */
    void Execute() override {
        try {
            state_ = work_();
        } catch (const Failure& failure) {
            failure_ = failure;
            SetError(failure.message);
        }
    }
    void OnOK() override { deferred_.Resolve(finish_(Env(), std::move(*state_))); }
    void OnError(const Napi::Error& error) override {
        deferred_.Reject(failure_ ? ToBpfError(Env(), *failure_).Value() : error.Value());
    }

  private:
    Background(Napi::Env env, Work work, Finish finish)
        : Napi::AsyncWorker(env),
          deferred_(Napi::Promise::Deferred::New(env)),
          work_(std::move(work)),
          finish_(std::move(finish)) {}

    Napi::Promise::Deferred deferred_;
    Work work_;
    Finish finish_;
    std::optional<State> state_;
    std::optional<Failure> failure_;
};
