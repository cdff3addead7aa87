/** Groups of /proc/net/netstat and snmp, and of what else is counted: a counter's short name leaves them out. */
const GROUPS = ['TcpExt', 'IpExt', 'MPTcpExt', 'Ip', 'Icmp', 'IcmpMsg', 'Tcp', 'Udp', 'UdpLite', 'conntrack:'];

/** A counter's value by its name in full, or without its group; undefined where the kernel has no such counter. */
export function counterByName(counters: ReadonlyMap<string, bigint>, name: string): number | undefined {
  for (const full of [name, ...GROUPS.map((group) => group + name)]) {
    const value = counters.get(full);
    if (value !== undefined) return Number(value);
  }
  return undefined;
}
