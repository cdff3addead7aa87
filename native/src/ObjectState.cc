#include "ObjectState.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "Failure.h"
#include "LibbpfLog.h"
#include "SignalsHeld.h"

namespace {

template <typename T>
void Forget(std::vector<std::weak_ptr<T>>& list) {
    list.erase(std::remove_if(list.begin(), list.end(), [](const auto& entry) { return entry.expired(); }), list.end());
}

// Remembers `item`, and now and then forgets those that are gone, so that the list stays as long as what lives.
template <typename T>
void Remember(std::vector<std::weak_ptr<T>>& list, const std::shared_ptr<T>& item) {
    if (list.size() == list.capacity()) Forget(list);
    list.push_back(item);
}

/** Nothing where there is no program. */
std::optional<bpf_prog_info> ProgramInfo(int fd) {
    bpf_prog_info info = {};
    uint32_t length = sizeof(info);
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return std::nullopt;
    return info;
}

std::string BaseName(const std::string& path) {
    std::string name = path.substr(path.rfind('/') + 1);
    return name.substr(0, name.find('.'));
}

}  // namespace

std::string MapName(const bpf_object* object, const bpf_map* map) {
    const char* name = bpf_map__name(map);
    const char* dot = strchr(name, '.');
    // libbpf names data maps `object.section`, and finds them by the section too.
    if (bpf_map__is_internal(map) && dot && bpf_object__find_map_by_name(object, dot) == map) return dot;
    return name;
}

std::shared_ptr<ObjectState> ObjectState::Adopt(bpf_object* object, std::string name) {
    auto state = std::make_shared<ObjectState>();
    state->name_ = std::move(name);
    state->object_.reset(object);
    return state;
}

std::shared_ptr<ObjectState> ObjectState::FromFile(const std::string& path, const std::string& name,
                                                   const std::string& btf) {
    LibbpfLog log;
    LIBBPF_OPTS(bpf_object_open_opts, options);
    std::string objectName = name.empty() ? BaseName(path) : name;
    options.object_name = objectName.c_str();
    if (!btf.empty()) options.btf_custom_path = btf.c_str();
    bpf_object* object = bpf_object__open_file(path.c_str(), &options);
    if (!object) throw Failure(errno, "open", path, log.Words());
    return Adopt(object, objectName);
}

std::shared_ptr<ObjectState> ObjectState::FromBytes(const void* data, size_t size, const std::string& name,
                                                    const std::string& btf) {
    LibbpfLog log;
    LIBBPF_OPTS(bpf_object_open_opts, options);
    options.object_name = name.c_str();
    if (!btf.empty()) options.btf_custom_path = btf.c_str();
    // libelf wants an aligned ELF header; a slice of a JavaScript buffer may start anywhere.
    std::vector<uint64_t> aligned(size / 8 + 1);
    memcpy(aligned.data(), data, size);
    bpf_object* object = bpf_object__open_mem(aligned.data(), size, &options);
    if (!object) throw Failure(errno, "open", name, log.Words());
    return Adopt(object, name);
}

bpf_object* ObjectState::Open(const char* operation) const {
    if (!object_) throw Failure(EBADF, operation, name_, "the object is closed");
    return object_.get();
}

bpf_object* ObjectState::BeforeLoad(const char* operation) const {
    bpf_object* object = Open(operation);
    if (loaded_) throw Failure(EBUSY, operation, name_, "the object is loaded already");
    // libbpf does not load an object a second time.
    if (loadFailed_) throw Failure(EINVAL, operation, name_, "its load has failed; open it anew");
    return object;
}

bpf_object* ObjectState::AfterLoad(const char* operation) const {
    bpf_object* object = Open(operation);
    if (!loaded_) throw Failure(EINVAL, operation, name_, "the object is not loaded");
    return object;
}

bpf_program* ObjectState::Program(bpf_object* object, const char* operation, const std::string& name) const {
    bpf_program* program = bpf_object__find_program_by_name(object, name.c_str());
    if (!program) throw Failure(ENOENT, operation, name, name_ + " has no such program");
    return program;
}

bpf_map* ObjectState::Map(bpf_object* object, const char* operation, const std::string& name) const {
    bpf_map* map = bpf_object__find_map_by_name(object, name.c_str());
    if (!map) throw Failure(ENOENT, operation, name, name_ + " has no such map");
    return map;
}

bpf_program* ObjectState::LoadedProgram(const char* operation, const std::string& name) const {
    bpf_program* program = Program(AfterLoad(operation), operation, name);
    if (bpf_program__fd(program) < 0)
        throw Failure(EINVAL, operation, name, "the program was not loaded (autoload is off)");
    return program;
}

void ObjectState::ShareMaps(const ObjectState& from) {
    const char* operation = "share map";
    bpf_object* object = BeforeLoad(operation);
    bpf_object* source = from.AfterLoad(operation);
    LibbpfLog log;
    bpf_map* map;
    bpf_object__for_each_map(map, object) {
        std::string name = MapName(object, map);
        const bpf_map* shared = bpf_object__find_map_by_name(source, name.c_str());
        if (!shared) continue;
        int result = bpf_map__reuse_fd(map, bpf_map__fd(shared));
        if (result != 0) throw Failure(-result, operation, name, log.Words());
    }
}

void ObjectState::Load() {
    bpf_object* object = BeforeLoad("load");
    LibbpfLog log;
    SignalsHeld held;
    if (bpf_object__load(object) == 0) {
        loaded_ = true;
        return;
    }
    int error = errno;
    std::string refused = log.RefusedProgram();
    loadFailed_ = true;
    throw Failure(error, "load", refused.empty() ? name_ : refused, log.Words(), log.VerifierLog());
}

void ObjectState::Track(const std::shared_ptr<Attachment>& attachment) {
    attachments_.erase(std::remove_if(attachments_.begin(), attachments_.end(),
                                      [](const auto& former) { return !former->Attached(); }),
                       attachments_.end());
    attachments_.push_back(attachment);
}

void ObjectState::Track(const std::shared_ptr<RingReader>& reader) { Remember(readers_, reader); }

std::vector<bpf_prog_info> ObjectState::ProgramInfos() const {
    std::vector<bpf_prog_info> infos;
    auto add = [&](int fd) {
        if (auto info = ProgramInfo(fd)) infos.push_back(*info);
    };
    bpf_program* program;
    bpf_object* object = Open("list programs");
    bpf_object__for_each_program(program, object) add(bpf_program__fd(program));
    for (const auto& attachment : attachments_) add(attachment->CloneFd());
    return infos;
}

void ObjectState::Close() {
    for (const auto& attachment : attachments_) attachment->Detach();
    attachments_.clear();
    for (const auto& entry : readers_)
        if (auto reader = entry.lock()) reader->Abort();
    readers_.clear();
    object_.reset();
}
