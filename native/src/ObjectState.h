// An open BPF object and everything that hangs on it. Shared by the JavaScript objects made from it (object,
// maps, links, readers), so that it lives until the last of them is gone; Close() ends it at once.
// Belongs to one JavaScript thread.
#pragma once

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <memory>
#include <string>
#include <vector>

#include "Attachment.h"
#include "RingReader.h"

class ObjectState {
  public:
    /** Throws Failure. `name` may be empty where `path` is given; `btf` is empty for the running kernel's. */
    static std::shared_ptr<ObjectState> FromFile(const std::string& path, const std::string& name,
                                                 const std::string& btf);
    static std::shared_ptr<ObjectState> FromBytes(const void* data, size_t size, const std::string& name,
                                                  const std::string& btf);
    ~ObjectState() { Close(); }

    const std::string& Name() const { return name_; }
    bool Loaded() const { return loaded_ && object_; }
    bool Closed() const { return !object_; }

    /** Throws Failure where the object is closed (EBADF). */
    bpf_object* Open(const char* operation) const;
    /** ... or already loaded (EBUSY), or its load has failed (EINVAL). */
    bpf_object* BeforeLoad(const char* operation) const;
    /** ... or not yet loaded (EINVAL). */
    bpf_object* AfterLoad(const char* operation) const;

    /** Throws Failure ENOENT. */
    bpf_program* Program(bpf_object* object, const char* operation, const std::string& name) const;
    /** Throws Failure ENOENT. `name` may be a section such as `.rodata`. */
    bpf_map* Map(bpf_object* object, const char* operation, const std::string& name) const;
    /** A program that was loaded; throws Failure EINVAL where it was not chosen to be. */
    bpf_program* LoadedProgram(const char* operation, const std::string& name) const;

    /** Takes the maps of `from`, which is loaded, for its own of the same names. Throws Failure. */
    void ShareMaps(const ObjectState& from);
    void Load();
    void Track(const std::shared_ptr<Attachment>& attachment);
    void Track(const std::shared_ptr<RingReader>& reader);
    std::vector<bpf_prog_info> ProgramInfos() const;
    void Close();

  private:
    struct Free {
        void operator()(bpf_object* object) const { bpf_object__close(object); }
    };
    static std::shared_ptr<ObjectState> Adopt(bpf_object* object, std::string name);

    std::string name_;
    bool loaded_ = false;
    bool loadFailed_ = false;
    std::unique_ptr<bpf_object, Free> object_;
    /** Held here and not by JavaScript's handles: what is attached stays so until somebody says otherwise. */
    std::vector<std::shared_ptr<Attachment>> attachments_;
    std::vector<std::weak_ptr<RingReader>> readers_;
};

/** The map's name; of a data map the section's, for example `.rodata`. */
std::string MapName(const bpf_object* object, const bpf_map* map);
