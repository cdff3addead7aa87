// Generated from bpf/event.h and bpf/config.h: do not edit. All numbers are bytes.

/** struct event_head: offsets in bytes. */
export const EventHead = {
  size: 48,
  timeNs: 0,
  traceId: 8,
  skb: 16,
  related: 24,
  sections: 32,
  probe: 36,
  kind: 38,
  flags: 39,
  cpu: 40,
  reserved: 44,
} as const;

/** struct event_packet: offsets in bytes. */
export const EventPacket = {
  size: 64,
  saddr: 0,
  daddr: 16,
  l3Proto: 32,
  l4Proto: 34,
  tcpFlags: 35,
  sport: 36,
  dport: 38,
  seq: 40,
  ack: 44,
  window: 48,
  ipId: 50,
  icmpType: 52,
  icmpCode: 53,
  arpOp: 54,
  payload: 56,
  pktLen: 60,
} as const;

/** struct event_meta: offsets in bytes. */
export const EventMeta = {
  size: 48,
  ifname: 0,
  comm: 16,
  ifindex: 32,
  netns: 36,
  pid: 40,
  mark: 44,
} as const;

/** struct event_options: offsets in bytes. */
export const EventOptions = {
  size: 48,
  bytes: 0,
  length: 40,
  reserved: 44,
} as const;

/** struct event_drop: offsets in bytes. */
export const EventDrop = {
  size: 16,
  location: 0,
  reason: 8,
  hasReason: 12,
} as const;

/** struct event_netfilter: offsets in bytes. */
export const EventNetfilter = {
  size: 136,
  family: 0,
  hook: 1,
  hasState: 2,
  hasNames: 3,
  reserved: 4,
  table: 8,
  chain: 72,
} as const;

/** struct event_socket: offsets in bytes. */
export const EventSocket = {
  size: 24,
  state: 0,
  newState: 4,
  resetReason: 8,
  hasResetReason: 12,
  tsRecent: 16,
  hasTsRecent: 20,
} as const;

/** struct event_return: offsets in bytes. */
export const EventReturn = {
  size: 8,
  value: 0,
} as const;

/** struct filter_net: offsets in bytes. */
export const FilterNet = {
  size: 40,
  addr: 0,
  mask: 16,
  l3Proto: 32,
  reserved: 36,
} as const;

/** struct filter_range: offsets in bytes. */
export const FilterRange = {
  size: 4,
  low: 0,
  high: 2,
} as const;

/** struct filter_config: offsets in bytes. */
export const FilterConfig = {
  size: 1232,
  saddrCount: 0,
  daddrCount: 4,
  addrCount: 8,
  sportCount: 12,
  dportCount: 16,
  portCount: 20,
  flagsCount: 24,
  l3Proto: 28,
  l4Proto: 32,
  lenLow: 36,
  lenHigh: 40,
  netns: 44,
  pid: 48,
  hasIfname: 52,
  ifname: 56,
  saddr: 72,
  daddr: 392,
  addr: 712,
  sport: 1032,
  dport: 1096,
  port: 1160,
  flags: 1224,
} as const;

/** struct trace_config: offsets in bytes. */
export const TraceConfig = {
  size: 1240,
  filter: 0,
  wantMeta: 1232,
  fixedModuleTypes: 1236,
} as const;

/** struct tracked_skb: offsets in bytes. */
export const TrackedSkb = {
  size: 24,
  traceId: 0,
  seq: 8,
  ports: 12,
  ipId: 16,
  l4Proto: 18,
  reserved: 19,
} as const;

/** struct late_options: offsets in bytes. */
export const LateOptions = {
  size: 16,
  swept: 0,
  checkReuse: 8,
  keepCurrent: 12,
} as const;

/** enum event_kind */
export const EventKind = {
  visit: 0,
  return: 1,
  derived: 2,
  free: 3,
  drop: 4,
} as const;

/** enum event_flag */
export const EventFlag = {
  firstSight: 1,
  fromSocket: 2,
  reused: 4,
} as const;

/** enum event_section */
export const EventSection = {
  packet: 1,
  meta: 2,
  options: 4,
  drop: 8,
  netfilter: 16,
  socket: 32,
  return: 64,
} as const;

/** enum loss_cause */
export const LossCause = {
  noneProduced: 0,
  ringFull: 1,
  trackFull: 2,
  framesFull: 3,
  causes: 4,
} as const;

/** enum spec_field */
export const SpecField = {
  probeShift: 0,
  readShift: 16,
  flagsShift: 24,
  skbShift: 32,
  argAShift: 36,
  argBShift: 40,
  nargsShift: 44,
  noArg: 15,
} as const;

/** enum spec_flag */
export const SpecFlag = {
  entry: 1,
  deref: 2,
  wantReturn: 4,
  noParse: 8,
  receiving: 16,
} as const;

/** enum probe_read */
export const ProbeRead = {
  nothing: 0,
  hookState: 1,
  nftChain: 2,
  xtTable: 3,
  drop: 4,
  free: 5,
  derive: 6,
  socket: 7,
  socketTransmit: 8,
  reset: 9,
  request: 10,
  value: 11,
  state: 12,
  route: 13,
} as const;
