export { type CraftOptions, craftHost } from './craft-host.js';
export {
  CraftedHost,
  type CraftedHostOptions,
  type CraftedPacket,
  type IpFields,
  type ReceiveOptions,
} from './crafted-host.js';
export type { CraftedTcp, CraftedTcpOptions, SegmentOptions, ServerOptions, TcpOffer } from './crafted-tcp.js';
export type { PacketMatch, PacketShape } from './packet-match.js';
