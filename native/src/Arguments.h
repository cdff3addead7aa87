// Checks of what JavaScript passes in. Each function throws a TypeError that names the argument.
//
// Reading an option may run a getter, which may do anything, closing the object included: read all arguments
// first, look at the state of the object after that. Bytes() comes last, because a getter may detach a buffer.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

struct Bytes {
    const uint8_t* data;
    size_t size;
};

namespace arguments {

[[noreturn]] void Reject(Napi::Env env, const std::string& message);

std::string String(const Napi::Value& value, const char* what);
bool Boolean(const Napi::Value& value, const char* what);
/** A whole number from `min` to `max`. */
uint32_t Integer(const Napi::Value& value, const char* what, uint32_t min = 0, uint32_t max = UINT32_MAX);
/** A whole number that 32 bits hold, signed or not, as those bits. */
uint32_t Bits32(const Napi::Value& value, const char* what);
/** A path that starts with a slash. */
std::string AbsolutePath(const Napi::Value& value, const char* what);
/** A bigint from 0 to 2^64 - 1. */
uint64_t Unsigned64(const Napi::Value& value, const char* what);
/** A Uint8Array (or Buffer); points into JavaScript's memory. */
Bytes ByteArray(const Napi::Value& value, const char* what);
/** `undefined` becomes an empty object. */
Napi::Object Options(const Napi::Value& value, const char* what);
Napi::Array List(const Napi::Value& value, const char* what);

/** An option, or nullopt where it is not given. */
std::optional<Napi::Value> Optional(const Napi::Object& options, const char* name);
bool Boolean(const Napi::Object& options, const char* name, bool otherwise);
uint32_t Integer(const Napi::Object& options, const char* name, uint32_t otherwise, uint32_t min, uint32_t max);
uint64_t Unsigned64(const Napi::Object& options, const char* name, uint64_t otherwise);

}  // namespace arguments
