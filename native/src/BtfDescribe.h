// Plain descriptions of BTF types: C-like text, functions, struct layouts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "BtfFile.h"

struct ParameterText {
    std::string name;
    std::string type;
    /** The struct or union that it points to, or empty. */
    std::string pointsTo;
};

struct FunctionText {
    std::string name;
    std::vector<ParameterText> parameters;
    std::string returns;
    bool isStatic = false;
};

struct MemberText {
    std::string name;
    uint32_t bitOffset = 0;
    uint32_t bitSize = 0;
    std::string type;
    uint32_t typeId = 0;
};

/** A member with what its type is behind typedefs and qualifiers; see BtfField in index.d.ts. */
struct FieldText : MemberText {
    const char* kind = "other";
    bool isSigned = false;
    const char* element = "";
    uint32_t count = 0;
    uint32_t composite = 0;
};

/** For example `const struct sk_buff *`. */
std::string TypeText(const BtfFile& file, uint32_t id);

/** Name of the struct or union that the type points to, or empty. */
const char* PointedStruct(const BtfFile& file, uint32_t id);

FunctionText DescribeFunction(const BtfFile& file, const btf_type* function);

/** Parameters of a function prototype from number `skip` on. */
std::vector<ParameterText> DescribeParameters(const BtfFile& file, const btf_type* proto, int skip = 0);

/** Parameters of the raw tracepoint `name` as TP_PROTO lists them. */
std::optional<std::vector<ParameterText>> DescribeTracepoint(const BtfFile& file, const std::string& name);

/** True where a parameter of the function points to that struct. */
bool HasParameterTo(const BtfFile& file, const btf_type* function, std::string_view structName);

/** The struct or union of that name in this file, or null. */
const btf_type* FindStruct(const BtfFile& file, std::string_view name);

std::vector<MemberText> DescribeMembers(const BtfFile& file, const btf_type* structType);

/** A member, also inside of anonymous structs and unions; the offset counts from the outermost struct. */
std::optional<MemberText> FindMember(const BtfFile& file, const btf_type* structType, std::string_view name);

/** ... and what its type is. */
std::optional<FieldText> DescribeField(const BtfFile& file, const btf_type* structType, std::string_view name);

/** `*` any characters, `?` one. */
bool MatchesGlob(std::string_view text, std::string_view glob);
