#include "BtfDescribe.h"

#include <bpf/libbpf.h>

namespace {

// Types of a damaged file may contain themselves.
constexpr int kMaxDepth = 12;

std::string Text(const BtfFile& file, uint32_t id, int depth);

std::string Join(const BtfFile& file, const btf_type* proto, int depth) {
    std::string text;
    const btf_param* params = btf_params(proto);
    for (int i = 0; i < btf_vlen(proto); i++) {
        if (i) text += ", ";
        bool variadic = params[i].type == 0 && params[i].name_off == 0;
        text += variadic ? "..." : Text(file, params[i].type, depth);
    }
    return text.empty() ? "void" : text;
}

std::string Tagged(const char* keyword, const char* name) {
    return *name ? std::string(keyword) + " " + name : std::string(keyword) + " {...}";
}

std::string PointerTo(const BtfFile& file, uint32_t id, int depth) {
    const btf_type* target = file.Type(id);
    if (target && btf_is_func_proto(target))
        return Text(file, target->type, depth) + " (*)(" + Join(file, target, depth) + ")";
    std::string text = Text(file, id, depth);
    text += text.back() == '*' ? "*" : " *";
    return text;
}

std::string Qualified(const BtfFile& file, const char* qualifier, uint32_t id, int depth) {
    const btf_type* target = file.Type(id);
    std::string text = Text(file, id, depth);
    if (target && btf_is_ptr(target)) return text + qualifier;
    return std::string(qualifier) + " " + text;
}

std::string Text(const BtfFile& file, uint32_t id, int depth) {
    if (id == 0) return "void";
    const btf_type* type = file.Type(id);
    if (!type || depth == kMaxDepth) return "?";
    const char* name = file.Name(type->name_off);
    depth++;
    switch (btf_kind(type)) {
        case BTF_KIND_PTR:
            return PointerTo(file, type->type, depth);
        case BTF_KIND_CONST:
            return Qualified(file, "const", type->type, depth);
        case BTF_KIND_VOLATILE:
            return Qualified(file, "volatile", type->type, depth);
        case BTF_KIND_RESTRICT:
            return Qualified(file, "restrict", type->type, depth);
        case BTF_KIND_TYPE_TAG:
            return Text(file, type->type, depth);
        case BTF_KIND_STRUCT:
            return Tagged("struct", name);
        case BTF_KIND_UNION:
            return Tagged("union", name);
        case BTF_KIND_ENUM:
        case BTF_KIND_ENUM64:
            return Tagged("enum", name);
        case BTF_KIND_FWD:
            return Tagged(btf_kflag(type) ? "union" : "struct", name);
        case BTF_KIND_ARRAY: {
            // Of nested arrays the outer one comes first in C.
            std::string dimensions = "[" + std::to_string(btf_array(type)->nelems) + "]";
            uint32_t element = btf_array(type)->type;
            const btf_type* inner = file.Type(element);
            for (; inner && btf_is_array(inner) && depth < kMaxDepth; inner = file.Type(element), depth++) {
                dimensions += "[" + std::to_string(btf_array(inner)->nelems) + "]";
                element = btf_array(inner)->type;
            }
            return Text(file, element, depth) + dimensions;
        }
        case BTF_KIND_FUNC_PROTO:
            return Text(file, type->type, depth) + " (" + Join(file, type, depth) + ")";
    }
    return *name ? name : "?";
}

uint32_t BitSize(const BtfFile& file, const btf_type* structType, int index) {
    if (uint32_t bits = btf_member_bitfield_size(structType, static_cast<uint32_t>(index))) return bits;
    int64_t bytes = btf__resolve_size(file.Get(), btf_members(structType)[index].type);
    return bytes > 0 ? static_cast<uint32_t>(bytes * 8) : 0;
}

std::optional<MemberText> FindNested(const BtfFile& file, const btf_type* structType, std::string_view name,
                                     uint32_t base, int depth) {
    if (depth == kMaxDepth) return std::nullopt;
    const btf_member* members = btf_members(structType);
    for (int i = 0; i < btf_vlen(structType); i++) {
        uint32_t offset = base + btf_member_bit_offset(structType, static_cast<uint32_t>(i));
        std::string_view memberName = file.Name(members[i].name_off);
        if (memberName == name)
            return MemberText{std::string(name), offset, BitSize(file, structType, i), TypeText(file, members[i].type),
                              members[i].type};
        if (!memberName.empty()) continue;
        const btf_type* nested = file.Strip(members[i].type);
        if (!nested || !btf_is_composite(nested)) continue;
        if (auto found = FindNested(file, nested, name, offset, depth + 1)) return found;
    }
    return std::nullopt;
}

}  // namespace

std::string TypeText(const BtfFile& file, uint32_t id) { return Text(file, id, 0); }

const char* PointedStruct(const BtfFile& file, uint32_t id) {
    const btf_type* type = file.Strip(id);
    if (!type || !btf_is_ptr(type)) return "";
    const btf_type* target = file.Strip(type->type);
    if (!target || !(btf_is_composite(target) || btf_is_fwd(target))) return "";
    return file.Name(target->name_off);
}

std::vector<ParameterText> DescribeParameters(const BtfFile& file, const btf_type* proto, int skip) {
    std::vector<ParameterText> parameters;
    if (!proto || !btf_is_func_proto(proto)) return parameters;
    const btf_param* params = btf_params(proto);
    for (int i = skip; i < btf_vlen(proto); i++) {
        bool variadic = params[i].type == 0;
        parameters.push_back({file.Name(params[i].name_off), variadic ? "..." : TypeText(file, params[i].type),
                              PointedStruct(file, params[i].type)});
    }
    return parameters;
}

FunctionText DescribeFunction(const BtfFile& file, const btf_type* function) {
    const btf_type* proto = file.Type(function->type);
    FunctionText text;
    text.name = file.Name(function->name_off);
    text.parameters = DescribeParameters(file, proto);
    text.returns = proto && btf_is_func_proto(proto) ? TypeText(file, proto->type) : "void";
    // A function keeps its linkage where other types keep a count.
    text.isStatic = btf_vlen(function) == BTF_FUNC_STATIC;
    return text;
}

bool HasParameterTo(const BtfFile& file, const btf_type* function, std::string_view structName) {
    const btf_type* proto = file.Type(function->type);
    if (!proto || !btf_is_func_proto(proto)) return false;
    const btf_param* params = btf_params(proto);
    for (int i = 0; i < btf_vlen(proto); i++)
        if (structName == PointedStruct(file, params[i].type)) return true;
    return false;
}

std::optional<std::vector<ParameterText>> DescribeTracepoint(const BtfFile& file, const std::string& name) {
    auto id = file.Find(BTF_KIND_TYPEDEF, "btf_trace_" + name);
    if (!id) return std::nullopt;
    const btf_type* pointer = file.Strip(*id);
    const btf_type* proto = pointer && btf_is_ptr(pointer) ? file.Strip(pointer->type) : nullptr;
    // The typedef has the types but no names; the function that calls the probes has both.
    if (auto caller = file.Find(BTF_KIND_FUNC, "__traceiter_" + name)) {
        const btf_type* named = file.Type(file.Type(*caller)->type);
        if (proto && named && btf_is_func_proto(named) && btf_vlen(named) == btf_vlen(proto)) proto = named;
    }
    return DescribeParameters(file, proto, 1);
}

const btf_type* FindStruct(const BtfFile& file, std::string_view name) {
    auto id = file.Find(BTF_KIND_STRUCT, name);
    if (!id) id = file.Find(BTF_KIND_UNION, name);
    return id ? file.Type(*id) : nullptr;
}

std::vector<MemberText> DescribeMembers(const BtfFile& file, const btf_type* structType) {
    std::vector<MemberText> members;
    for (int i = 0; i < btf_vlen(structType); i++) {
        const btf_member& member = btf_members(structType)[i];
        members.push_back({file.Name(member.name_off), btf_member_bit_offset(structType, static_cast<uint32_t>(i)),
                           BitSize(file, structType, i), TypeText(file, member.type), member.type});
    }
    return members;
}

std::optional<MemberText> FindMember(const BtfFile& file, const btf_type* structType, std::string_view name) {
    return name.empty() ? std::nullopt : FindNested(file, structType, name, 0, 0);
}

namespace {

// What a pointer leads to or an array holds; puts a composite's id into `composite`.
const char* ElementKind(const BtfFile& file, uint32_t id, uint32_t& composite) {
    uint32_t strippedId = 0;
    const btf_type* type = file.Strip(id, &strippedId);
    if (type && btf_is_composite(type)) {
        composite = strippedId;
        return "composite";
    }
    return type && btf_is_int(type) && type->size == 1 ? "character" : "other";
}

}  // namespace

std::optional<FieldText> DescribeField(const BtfFile& file, const btf_type* structType, std::string_view name) {
    auto member = FindMember(file, structType, name);
    if (!member) return std::nullopt;
    FieldText field{*member};
    uint32_t id = 0;
    const btf_type* type = file.Strip(member->typeId, &id);
    if (!type) return field;
    if (btf_is_int(type)) {
        field.kind = "integer";
        field.isSigned = btf_int_encoding(type) & BTF_INT_SIGNED;
    } else if (btf_is_any_enum(type)) {
        field.kind = "integer";
        field.isSigned = btf_kflag(type);
    } else if (btf_is_ptr(type)) {
        field.kind = "pointer";
        field.element = ElementKind(file, type->type, field.composite);
    } else if (btf_is_array(type)) {
        field.kind = "array";
        field.count = btf_array(type)->nelems;
        field.element = ElementKind(file, btf_array(type)->type, field.composite);
    } else if (btf_is_composite(type)) {
        field.kind = "composite";
        field.composite = id;
    }
    return field;
}

bool MatchesGlob(std::string_view text, std::string_view glob) {
    size_t t = 0, g = 0;
    size_t star = std::string_view::npos, mark = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            mark = t;
        } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
            g++;
            t++;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (g < glob.size() && glob[g] == '*') g++;
    return g == glob.size();
}
