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
  skbLen: 44,
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
  size: 72,
  ifname: 0,
  comm: 16,
  ifindex: 32,
  netns: 36,
  pid: 40,
  mark: 44,
  ownerComm: 48,
  ownerPid: 64,
  reserved: 68,
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
  size: 144,
  family: 0,
  hook: 1,
  hasState: 2,
  hasNames: 3,
  verdict: 4,
  rule: 8,
  table: 16,
  chain: 80,
} as const;

/** struct event_socket: offsets in bytes. */
export const EventSocket = {
  size: 24,
  state: 0,
  newState: 4,
  resetReason: 8,
  hasResetReason: 12,
  requestLeft: 16,
  hasRequestLeft: 20,
} as const;

/** struct event_return: offsets in bytes. */
export const EventReturn = {
  size: 8,
  value: 0,
} as const;

/** struct event_sock: offsets in bytes. */
export const EventSock = {
  size: 72,
  state: 0,
  caState: 4,
  packetsOut: 8,
  retransOut: 12,
  unacked: 16,
  wmem: 20,
  rmem: 24,
  timer: 28,
  timerLeft: 32,
  acceptQueue: 36,
  acceptLimit: 40,
  srttUs: 44,
  rttMinUs: 48,
  newState: 52,
  isTcp: 56,
  synQueue: 60,
  synLimit: 64,
  syncookies: 68,
} as const;

/** struct event_stack: offsets in bytes. */
export const EventStack = {
  size: 264,
  count: 0,
  reserved: 4,
  address: 8,
} as const;

/** struct event_hooks: offsets in bytes. */
export const EventHooks = {
  size: 136,
  count: 0,
  reserved: 4,
  address: 8,
} as const;

/** struct event_latency: offsets in bytes. */
export const EventLatency = {
  size: 24,
  fromNs: 0,
  toNs: 8,
  from: 16,
  to: 20,
} as const;

/** struct event_tcp: offsets in bytes. */
export const EventTcp = {
  size: 24,
  tsRecent: 0,
  tsRecentAge: 4,
  rcvNxt: 8,
  windowStart: 12,
  windowEnd: 16,
  copiedSeq: 20,
} as const;

/** struct event_bytes: offsets in bytes. */
export const EventBytes = {
  size: 144,
  bytes: 0,
  captured: 128,
  length: 132,
  isEthernet: 136,
  isCut: 140,
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
  size: 1256,
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
  netnsListed: 48,
  pid: 52,
  hasComm: 56,
  comm: 60,
  hasIfname: 76,
  ifname: 80,
  saddr: 96,
  daddr: 416,
  addr: 736,
  sport: 1056,
  dport: 1120,
  port: 1184,
  flags: 1248,
} as const;

/** struct filter_scratch: offsets in bytes. */
export const FilterScratch = {
  size: 2392,
  packet: 0,
  margin: 2048,
  memory: 2056,
  captured: 2120,
  length: 2124,
  value: 2128,
  text: 2136,
} as const;

/** struct trace_config: offsets in bytes. */
export const TraceConfig = {
  size: 1344,
  filter: 0,
  mode: 1256,
  hasFilter: 1260,
  onlyAbnormal: 1264,
  wantOwner: 1268,
  wantHooks: 1272,
  wantHistogram: 1276,
  latencyToFree: 1280,
  rateLimit: 1284,
  sampleWithout: 1288,
  sampleAdaptive: 1292,
  minSrttUs: 1296,
  minRttUs: 1300,
  minLatencyNs: 1304,
  wantMeta: 1312,
  wantBytes: 1316,
  filterWanted: 1320,
  expressionWindow: 1324,
  tunnelWindow: 1328,
  multiFollows: 1332,
  fixedModuleTypes: 1336,
} as const;

/** struct tracked_skb: offsets in bytes. */
export const TrackedSkb = {
  size: 48,
  traceId: 0,
  seq: 8,
  ports: 12,
  ipId: 16,
  l4Proto: 18,
  tcpFlags: 19,
  ack: 20,
  firstNs: 24,
  lastNs: 32,
  firstProbe: 40,
  lastProbe: 44,
} as const;

/** struct sock_owner: offsets in bytes. */
export const SockOwner = {
  size: 32,
  comm: 0,
  pid: 16,
  reserved: 20,
  inode: 24,
} as const;

/** struct late_options: offsets in bytes. */
export const LateOptions = {
  size: 24,
  swept: 0,
  checkReuse: 8,
  keepCurrent: 12,
  silent: 16,
  sampleLevel: 20,
} as const;

/** struct spec_entry: offsets in bytes. */
export const SpecEntry = {
  size: 16,
  address: 0,
  spec: 8,
} as const;

/** struct spec_table: offsets in bytes. */
export const SpecTable = {
  size: 131080,
  factor: 0,
  reserved: 4,
  entry: 8,
} as const;

/** struct cpu_losses: offsets in bytes. */
export const CpuLosses = {
  size: 64,
  count: 0,
} as const;

/** enum event_kind */
export const EventKind = {
  visit: 0,
  return: 1,
  derived: 2,
  free: 3,
  drop: 4,
  detail: 5,
} as const;

/** enum event_flag */
export const EventFlag = {
  firstSight: 1,
  fromSocket: 2,
  reused: 4,
  hasDetail: 8,
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
  sock: 128,
  stack: 256,
  hooks: 512,
  latency: 1024,
  tcp: 2048,
  bytes: 4096,
} as const;

/** enum loss_cause */
export const LossCause = {
  noneProduced: 0,
  ringFull: 1,
  trackFull: 2,
  framesFull: 3,
  rateLimit: 4,
  sampled: 5,
  sampledOf: 6,
  causes: 7,
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
  skShift: 48,
  noArg: 15,
} as const;

/** enum spec_flag */
export const SpecFlag = {
  entry: 1,
  deref: 2,
  wantReturn: 4,
  noParse: 8,
  receiving: 16,
  stack: 32,
  end: 64,
  comesIn: 128,
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
  segment: 10,
  value: 11,
  state: 12,
  route: 13,
  listen: 14,
  packet: 15,
  routeError: 16,
  nftRule: 17,
  sock: 18,
  rtt: 19,
  neigh: 20,
  device: 21,
  own: 22,
  ownReturn: 23,
  ownState: 24,
  disown: 25,
} as const;

/** enum trace_mode */
export const TraceMode = {
  life: 0,
  events: 1,
  latency: 2,
  stats: 3,
} as const;

/** enum sock_timer */
export const SockTimer = {
  none: 0,
  retrans: 1,
  dack: 2,
  probe0: 3,
  earlyRetrans: 4,
  lossProbe: 5,
  reoTimeout: 6,
  keepalive: 7,
} as const;

/** enum filter_program */
export const FilterProgram = {
  ethernet: 0,
  raw: 1,
  innerEthernet: 2,
  innerRaw: 3,
  meta: 4,
  socketV4: 5,
  socketV6: 6,
} as const;

/** enum filter_wanted */
export const FilterWanted = {
  expression: 1,
  tunnel: 2,
  meta: 4,
} as const;
