// What a raw socket must know of an interface of another network namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "Netns.h"

struct NetnsInterface {
    uint32_t index;
    /** ARPHRD_... */
    uint32_t type;
    /** IFF_..., the 16 bits that SIOCGIFFLAGS gives. */
    uint32_t flags;
    uint32_t mtu;
    /** Six bytes of Ethernet and loopback, none of other types. */
    std::vector<uint8_t> address;

    /** The name is shorter than IFNAMSIZ. Throws Failure, ENODEV where there is no such interface. */
    static NetnsInterface Describe(const Netns& netns, const std::string& name);
};
