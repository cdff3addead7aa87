#include "Arguments.h"

#include <cmath>

namespace arguments {

namespace {

// Longer than any name or path that the kernel takes.
constexpr size_t kMaxStringBytes = 4096;

std::string Describe(const Napi::Value& value) {
    switch (value.Type()) {
        case napi_undefined:
            return "undefined";
        case napi_null:
            return "null";
        case napi_boolean:
            return value.As<Napi::Boolean>().Value() ? "true" : "false";
        case napi_number:
            return value.ToString().Utf8Value();
        case napi_string: {
            std::string text = value.As<Napi::String>().Utf8Value();
            return "'" + (text.size() > 64 ? text.substr(0, 64) + "..." : text) + "'";
        }
        case napi_bigint:
            return "a bigint";
        case napi_symbol:
            return "a symbol";
        case napi_function:
            return "a function";
        default:
            return value.IsArray() ? "an array" : "an object";
    }
}

[[noreturn]] void Expected(const Napi::Value& value, const char* what, const std::string& rule) {
    Reject(value.Env(), std::string(what) + " must be " + rule + ", not " + Describe(value));
}

}  // namespace

void Reject(Napi::Env env, const std::string& message) { throw Napi::TypeError::New(env, message); }

std::string String(const Napi::Value& value, const char* what) {
    if (!value.IsString()) Expected(value, what, "a string");
    size_t length = 0;
    if (napi_get_value_string_utf8(value.Env(), value, nullptr, 0, &length) != napi_ok || length > kMaxStringBytes)
        Reject(value.Env(), std::string(what) + " is too long a string");
    std::string text = value.As<Napi::String>().Utf8Value();
    if (text.find('\0') != std::string::npos) Reject(value.Env(), std::string(what) + " must not hold a NUL character");
    return text;
}

bool Boolean(const Napi::Value& value, const char* what) {
    if (!value.IsBoolean()) Expected(value, what, "a boolean");
    return value.As<Napi::Boolean>().Value();
}

uint32_t Integer(const Napi::Value& value, const char* what, uint32_t min, uint32_t max) {
    double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (!(number >= min && number <= max) || number != std::floor(number))
        Expected(value, what, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    return static_cast<uint32_t>(number);
}

uint32_t Bits32(const Napi::Value& value, const char* what) {
    double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
    if (!(number >= INT32_MIN && number <= UINT32_MAX) || number != std::floor(number))
        Expected(value, what, "a whole number of 32 bits");
    return static_cast<uint32_t>(static_cast<int64_t>(number));
}

std::string AbsolutePath(const Napi::Value& value, const char* what) {
    std::string path = String(value, what);
    if (path.empty() || path[0] != '/') Reject(value.Env(), std::string(what) + " must be an absolute path");
    return path;
}

uint64_t Unsigned64(const Napi::Value& value, const char* what) {
    bool lossless = false;
    uint64_t number = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
    if (!lossless) Expected(value, what, "a bigint from 0n to 2n ** 64n - 1n");
    return number;
}

Bytes ByteArray(const Napi::Value& value, const char* what) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
        Expected(value, what, "a Uint8Array");
    // Of a detached array the size is 0.
    void* data = nullptr;
    size_t size = 0;
    if (napi_get_typedarray_info(value.Env(), value, nullptr, &size, &data, nullptr, nullptr) != napi_ok)
        Expected(value, what, "a Uint8Array");
    return {static_cast<const uint8_t*>(data), data ? size : 0};
}

Napi::Object Options(const Napi::Value& value, const char* what) {
    if (value.IsUndefined()) return Napi::Object::New(value.Env());
    if (value.Type() != napi_object || value.IsArray()) Expected(value, what, "an object");
    return value.As<Napi::Object>();
}

Napi::Array List(const Napi::Value& value, const char* what) {
    if (!value.IsArray()) Expected(value, what, "an array");
    return value.As<Napi::Array>();
}

std::optional<Napi::Value> Optional(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    if (value.IsUndefined()) return std::nullopt;
    return value;
}

bool Boolean(const Napi::Object& options, const char* name, bool otherwise) {
    auto value = Optional(options, name);
    return value ? Boolean(*value, name) : otherwise;
}

uint32_t Integer(const Napi::Object& options, const char* name, uint32_t otherwise, uint32_t min, uint32_t max) {
    auto value = Optional(options, name);
    return value ? Integer(*value, name, min, max) : otherwise;
}

uint64_t Unsigned64(const Napi::Object& options, const char* name, uint64_t otherwise) {
    auto value = Optional(options, name);
    return value ? Unsigned64(*value, name) : otherwise;
}

}  // namespace arguments
