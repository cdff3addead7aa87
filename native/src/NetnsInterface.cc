#include "NetnsInterface.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "Failure.h"
#include "UniqueFd.h"

namespace {

ifreq Ask(const UniqueFd& asker, unsigned long request, const std::string& name) {
    ifreq answer = {};
    memcpy(answer.ifr_name, name.c_str(), name.size());
    if (ioctl(asker.Get(), request, &answer) != 0) throw Failure(errno, "describe", "interface " + name);
    return answer;
}

}  // namespace

NetnsInterface NetnsInterface::Describe(const Netns& netns, const std::string& name) {
    NetnsInterface result = {};
    netns.Run([&] {
        // Any family answers for any interface; this one needs no protocol to be there.
        UniqueFd asker(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (!asker) throw Failure(errno, "open", "a socket to ask for interface " + name);
        result.index = static_cast<uint32_t>(Ask(asker, SIOCGIFINDEX, name).ifr_ifindex);
        result.flags = static_cast<uint16_t>(Ask(asker, SIOCGIFFLAGS, name).ifr_flags);
        result.mtu = static_cast<uint32_t>(Ask(asker, SIOCGIFMTU, name).ifr_mtu);
        ifreq hardware = Ask(asker, SIOCGIFHWADDR, name);
        result.type = hardware.ifr_hwaddr.sa_family;
        if (result.type == ARPHRD_ETHER || result.type == ARPHRD_LOOPBACK) {
            auto* bytes = reinterpret_cast<const uint8_t*>(hardware.ifr_hwaddr.sa_data);
            result.address.assign(bytes, bytes + 6);
        }
    });
    return result;
}
