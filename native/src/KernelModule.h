// The BTF of a loaded kernel module, together with the kernel's own handle of it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "BtfFile.h"
#include "UniqueFd.h"

struct KernelModule {
    std::string name;
    /** The BTF object in the kernel, for attach_btf_obj_fd. */
    UniqueFd btfFd;
    std::shared_ptr<const BtfFile> btf;
};

/** Throws Failure with ENOENT where no loaded module has that name or it has no BTF. */
KernelModule FindKernelModule(const std::string& name);

/** The first loaded module for whose BTF `matches` is true; throws Failure with ENOENT where there is none. */
KernelModule FindKernelModule(const std::string& target, const std::function<bool(const BtfFile&)>& matches);
