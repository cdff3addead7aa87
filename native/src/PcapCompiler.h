// pcap filter expressions to classic BPF, by libpcap. The library is loaded at the first use, so that the
// addon runs without it where nobody asks for an expression.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

struct PcapResult {
    std::vector<sock_filter> program;
    /** libpcap's words where it refuses the expression, else empty. */
    std::string error;
};

/**
 * Compiles for packets of that DLT_ type. Names of hosts, ports and the like are looked up as the system does it, so
 * this may take as long as a resolver takes. Throws Failure where libpcap is missing. Any thread: one at a time is let
 * in, because the parser is not safe for threads in all versions.
 */
PcapResult CompilePcap(const std::string& expression, int linkType, int snapLength);
