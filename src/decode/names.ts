/** Names that are the same on all kernels: they are part of the kernel's interface to user space. */

/** include/net/tcp_states.h; the numbers are in struct tcp_info's ABI. */
const TCP_STATES = [
  undefined,
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
  'BOUND_INACTIVE',
] as const;

/** Those that a socket may have. */
export const TCP_STATE_NAMES: readonly string[] = TCP_STATES.filter((name) => name !== undefined);

export function tcpStateName(state: number): string | undefined {
  return state ? (TCP_STATES[state] ?? String(state)) : undefined;
}

/** include/uapi/linux/netfilter.h, enum NFPROTO_* */
const NF_FAMILIES: Record<number, string> = { 1: 'inet', 2: 'ipv4', 3: 'arp', 5: 'netdev', 7: 'bridge', 10: 'ipv6' };
/** include/uapi/linux/netfilter.h, enum nf_inet_hooks; the bridge has the same first five (netfilter_bridge.h) */
const INET_HOOKS = ['PRE_ROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POST_ROUTING', 'INGRESS'];
/** include/uapi/linux/netfilter_arp.h */
const ARP_HOOKS = ['INPUT', 'OUTPUT', 'FORWARD'];
const NETDEV_HOOKS = ['INGRESS', 'EGRESS'];

export function netfilterFamilyName(family: number): string {
  return NF_FAMILIES[family] ?? String(family);
}

export function netfilterHookName(family: number, hook: number): string {
  const names = family === 3 ? ARP_HOOKS : family === 5 ? NETDEV_HOOKS : INET_HOOKS;
  return names[hook] ?? String(hook);
}

/** include/uapi/linux/netfilter.h */
const VERDICTS = ['NF_DROP', 'NF_ACCEPT', 'NF_STOLEN', 'NF_QUEUE', 'NF_REPEAT', 'NF_STOP'];

/** The lower byte of a netfilter verdict by name. */
export function netfilterVerdictName(value: number): string {
  return VERDICTS[value & 0xff] ?? String(value);
}

/** include/uapi/linux/netfilter/nf_tables.h, enum nft_verdicts: from -1 downwards */
const NFT_VERDICTS = ['NFT_CONTINUE', 'NFT_BREAK', 'NFT_JUMP', 'NFT_GOTO', 'NFT_RETURN'];

/** What a rule of nftables said, by name. */
export function nftVerdictName(code: number): string {
  return code < 0 ? (NFT_VERDICTS[-code - 1] ?? String(code)) : netfilterVerdictName(code);
}

const FLAG_BITS: ReadonlyArray<readonly [number, string]> = [
  [0x02, 'S'],
  [0x10, 'A'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x01, 'F'],
  [0x20, 'U'],
  [0x40, 'E'],
  [0x80, 'C'],
];

const FLAG_TEXTS: readonly string[] = Array.from({ length: 256 }, (_, flags) =>
  FLAG_BITS.map(([bit, letter]) => (flags & bit ? letter : '')).join(''),
);

/** Byte 13 of a TCP header as letters in the order S A R P F U E C. */
export function tcpFlagsText(flags: number): string {
  return FLAG_TEXTS[flags & 0xff] ?? '';
}

/** Letters to bits; null where a letter is none of S A R P F U E C. */
export function parseTcpFlags(text: string): number | null {
  let flags = 0;
  for (const letter of text.toUpperCase()) {
    const bit = FLAG_BITS.find(([, known]) => known === letter)?.[0];
    if (bit === undefined) return null;
    flags |= bit;
  }
  return flags;
}
