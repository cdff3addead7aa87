// What went wrong in the kernel or in libbpf, before it becomes a JavaScript value.
#pragma once

#include <exception>
#include <string>

struct Failure : std::exception {
    Failure(int errorNumber, std::string doing, std::string on, std::string words = "", std::string log = "");

    /** errno as a positive number; libbpf's own codes start at 4000. */
    int error;
    std::string operation;
    std::string target;
    std::string message;
    std::string verifierLog;

    const char* what() const noexcept override { return message.c_str(); }
};

/** For example `EPERM`; `E524` style where there is no name. */
std::string ErrnoName(int error);
