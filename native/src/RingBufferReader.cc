#include "RingBufferReader.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <malloc.h>

#include <cerrno>
#include <cstring>

#include "AddonData.h"
#include "Arguments.h"
#include "BpfObject.h"

namespace {

constexpr uint32_t kMinBatchBytes = 4096;
constexpr uint32_t kMaxBatchBytes = 64 << 20;
constexpr uint32_t kMaxBatchMs = 60000;
constexpr uint32_t kMaxQueueBatches = 4096;

// A batch that JavaScript holds: the buffer goes back to the pool when the ArrayBuffer is collected.
struct LentBuffer {
    std::shared_ptr<BatchPool> pool;
    BatchPool::Buffer buffer;
};

void TakeBack(napi_env, void*, void* hint) {
    std::unique_ptr<LentBuffer> lent(static_cast<LentBuffer*>(hint));
    lent->pool->Return(std::move(lent->buffer));
}

}  // namespace

RingDelivery::RingDelivery(Napi::Env env, std::shared_ptr<ObjectState> object, std::shared_ptr<RingReader> reader,
                           const Napi::Function& onBatch)
    : env_(env), object_(std::move(object)), reader_(std::move(reader)), onBatch_(Napi::Persistent(onBatch)) {}

void RingDelivery::Start(const std::shared_ptr<RingDelivery>& self) {
    Napi::Env env(self->env_);
    auto holder = std::make_unique<std::shared_ptr<RingDelivery>>(self);
    napi_status status =
        napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "RingBufferReader"), 0, 1,
                                        holder.get(), OnFunctionGone, self.get(), CallJs, &self->function_);
    if (status != napi_ok) throw Napi::Error::New(env, "cannot create a thread-safe function");
    holder.release();  // OnFunctionGone() takes it
    // After the function, so that it runs before the environment takes the function away.
    napi_add_env_cleanup_hook(env, OnEnvironmentEnd, self.get());
    napi_threadsafe_function function = self->function_;
    // On the reading thread. The queue of calls has no bound of its own; the reader's queue of batches has.
    self->reader_->Start([function] { napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking); });
}

void RingDelivery::OnFunctionGone(napi_env, void* holder, void*) {
    std::unique_ptr<std::shared_ptr<RingDelivery>> owned(static_cast<std::shared_ptr<RingDelivery>*>(holder));
}

void RingDelivery::OnEnvironmentEnd(void* self) { static_cast<RingDelivery*>(self)->reader_->Abort(); }

void RingDelivery::CallJs(napi_env env, napi_value, void* context, void*) {
    if (!env) return;  // the environment is ending
    try {
        static_cast<RingDelivery*>(context)->DeliverOne(Napi::Env(env));
    } catch (const Napi::Error&) {
        // A worker that is being terminated refuses every call; nobody is left to tell.
    }
}

void RingDelivery::DeliverOne(Napi::Env env) {
    Napi::HandleScope scope(env);
    RingReader::Batch batch;
    if (reader_->TakeBatch(batch)) {
        try {
            CallOnBatch(env, std::move(batch));
        } catch (const Napi::Error& error) {
            napi_fatal_exception(env, error.Value());  // reaches uncaughtException
        }
    }
    if (reader_->Ended()) Finish(env);
}

void RingDelivery::CallOnBatch(Napi::Env env, RingReader::Batch batch) {
    Napi::Number records = Napi::Number::New(env, batch.records);
    Napi::Value array = ToArrayBuffer(env, std::move(batch));
    RoomAfterThisTurn(env);
    onBatch_.Value().Call(env.Undefined(), {array, records});
}

// Node calls on as long as there are batches, a thousand in a row, and signals and timers wait for that. So a batch
// gives its place in the queue back only in the event loop's next turn.
void RingDelivery::RoomAfterThisTurn(Napi::Env env) {
    if (delivered_++ > 0) return;
    auto self = shared_from_this();
    auto giveBack = Napi::Function::New(env, [self](const Napi::CallbackInfo&) {
        for (; self->delivered_ > 0; self->delivered_--) self->reader_->BatchDone();
    });
    env.Global().Get("setImmediate").As<Napi::Function>().Call({giveBack});
}

Napi::Value RingDelivery::ToArrayBuffer(Napi::Env env, RingReader::Batch batch) {
    // Small batches are copied: V8 counts only the used bytes, and would let full-sized buffers pile up.
    if (batch.used >= reader_->Pool()->BufferBytes() / 2) {
        auto lent = std::make_unique<LentBuffer>(LentBuffer{reader_->Pool(), std::move(batch.buffer)});
        napi_value array;
        if (napi_create_external_arraybuffer(env, lent->buffer.get(), batch.used, TakeBack, lent.get(), &array) ==
            napi_ok) {
            lent.release();
            return Napi::Value(env, array);
        }
        batch.buffer = std::move(lent->buffer);  // hosts such as Electron allow no external memory
    }
    auto array = Napi::ArrayBuffer::New(env, batch.used);
    memcpy(array.Data(), batch.buffer.get(), batch.used);
    reader_->Pool()->Return(std::move(batch.buffer));
    return array;
}

void RingDelivery::Finish(Napi::Env env) {
    if (finished_) return;
    finished_ = true;
    reader_->Abort();  // joins the thread, which is done
    napi_remove_env_cleanup_hook(env, OnEnvironmentEnd, this);
    for (auto& deferred : waiting_) deferred.Resolve(env.Undefined());
    waiting_.clear();
    onBatch_.Reset();
    object_.reset();
    napi_release_threadsafe_function(function_, napi_tsfn_release);
}

Napi::Value RingDelivery::Stop(Napi::Env env) {
    auto deferred = Napi::Promise::Deferred::New(env);
    if (finished_) {
        deferred.Resolve(env.Undefined());
    } else {
        waiting_.push_back(deferred);
        reader_->Stop();
    }
    return deferred.Promise();
}

Napi::Function RingBufferReader::Define(Napi::Env env) {
    return DefineWrapped(env,
                         {BindMethod<&RingBufferReader::Stats>("stats"), BindMethod<&RingBufferReader::Stop>("stop")});
}

RingBufferReader::RingBufferReader(const Napi::CallbackInfo& info) : Wrapped(info) {
    Napi::Env env = info.Env();
    BpfObject::State object = BpfObject::From(info[0], "object").Shared();
    std::string name = arguments::String(info[1], "map");
    if (info[2].IsUndefined()) arguments::Reject(env, "options must be an object, not undefined");
    Napi::Object options = arguments::Options(info[2], "options");
    RingReaderOptions settings;
    settings.batchBytes =
        arguments::Integer(options, "batchBytes", settings.batchBytes, kMinBatchBytes, kMaxBatchBytes);
    settings.batchMs = arguments::Integer(options, "batchMs", settings.batchMs, 0, kMaxBatchMs);
    settings.queueBatches = arguments::Integer(options, "queueBatches", settings.queueBatches, 1, kMaxQueueBatches);
    Napi::Value onBatch = options.Get("onBatch");
    if (!onBatch.IsFunction()) arguments::Reject(env, "onBatch must be a function");
#ifdef __GLIBC__
    malloc_trim(0);  // what loading and attaching took: libbpf reads all types of the kernel for that
#endif
    delivery_ = Guarded(env, [&] {
        bpf_map* map = object->Map(object->AfterLoad("read ring buffer"), "read ring buffer", name);
        if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
            arguments::Reject(env, "map must be a ring buffer, which " + name + " is not");
        UniqueFd own(fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3));
        if (!own) throw Failure(errno, "read ring buffer", name);
        auto reader = std::make_shared<RingReader>(std::move(own), bpf_map__max_entries(map), name, settings);
        auto delivery = std::make_shared<RingDelivery>(env, object, reader, onBatch.As<Napi::Function>());
        RingDelivery::Start(delivery);
        object->Track(reader);
        return delivery;
    });
}

Napi::Value RingBufferReader::Stats(const Napi::CallbackInfo& info) {
    RingReaderStats stats = delivery_->Reader().Stats();
    Napi::Object result = Napi::Object::New(info.Env());
    result["records"] = static_cast<double>(stats.records);
    result["bytes"] = static_cast<double>(stats.bytes);
    result["batches"] = static_cast<double>(stats.batches);
    result["stalls"] = static_cast<double>(stats.stalls);
    result["oversized"] = static_cast<double>(stats.oversized);
    result["queued"] = static_cast<double>(stats.queued);
    return result;
}

Napi::Value RingBufferReader::Stop(const Napi::CallbackInfo& info) { return delivery_->Stop(info.Env()); }
