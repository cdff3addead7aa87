// JavaScript's ring buffer reader: hands the batches of a RingReader to onBatch.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "ObjectState.h"
#include "RingReader.h"
#include "Wrapped.h"

/**
 * What runs between the reading thread and JavaScript. Owned by the thread-safe function, so that it lives until
 * the last call has been made; everything but its Notify() happens on the JavaScript thread.
 */
class RingDelivery : public std::enable_shared_from_this<RingDelivery> {
  public:
    RingDelivery(Napi::Env env, std::shared_ptr<ObjectState> object, std::shared_ptr<RingReader> reader,
                 const Napi::Function& onBatch);

    /** Starts reading. Throws Failure or Napi::Error. */
    static void Start(const std::shared_ptr<RingDelivery>& self);

    RingReader& Reader() { return *reader_; }
    /** A promise for the end; asks the reader to stop. */
    Napi::Value Stop(Napi::Env env);

  private:
    static void CallJs(napi_env env, napi_value unused, void* context, void* data);
    static void OnFunctionGone(napi_env env, void* holder, void* context);
    static void OnEnvironmentEnd(void* self);

    void DeliverOne(Napi::Env env);
    void CallOnBatch(Napi::Env env, RingReader::Batch batch);
    void RoomAfterThisTurn(Napi::Env env);
    void Finish(Napi::Env env);
    Napi::Value ToArrayBuffer(Napi::Env env, RingReader::Batch batch);

    napi_env env_;
    std::shared_ptr<ObjectState> object_;
    std::shared_ptr<RingReader> reader_;
    Napi::FunctionReference onBatch_;
    napi_threadsafe_function function_ = nullptr;
    std::vector<Napi::Promise::Deferred> waiting_;
    /** Batches of this turn of the event loop. */
    uint32_t delivered_ = 0;
    bool finished_ = false;
};

class RingBufferReader : public Wrapped<RingBufferReader> {
  public:
    static constexpr char kName[] = "RingBufferReader";
    static constexpr napi_type_tag kTypeTag = {0x52e7c0946b3d48fa, 0x8f17d35eac904b26};

    static Napi::Function Define(Napi::Env env);
    explicit RingBufferReader(const Napi::CallbackInfo& info);

  private:
    Napi::Value Stats(const Napi::CallbackInfo& info);
    Napi::Value Stop(const Napi::CallbackInfo& info);

    std::shared_ptr<RingDelivery> delivery_;
};
