import type { Host } from './host.js';

/** One end of a veth pair. */
export interface LinkEnd {
  link: Link;
  host: Host;
  /** eth0, eth1 ... */
  ifname: string;
  mac: string;
  address: string;
  address6: string;
}

export interface LinkOptions {
  /** Addresses of the two ends, without prefix length, in place of 10.0.N.1 and 10.0.N.2. */
  addresses?: readonly [left: string, right: string];
  /** Bits of the network that both are in (default 24). */
  prefix?: number;
  mtu?: number;
  /**
   * The ends find each other by ARP and neighbour discovery. Without it they know each other's hardware addresses from the
   * start, so that a case about TCP is not one about ARP too.
   */
  arp?: boolean;
  /** The left, or the right end has no address: a crafted host's, or one that gets its addresses by `ip`. */
  bare?: 'left' | 'right' | 'both';
}

/** A cable between two hosts: a veth pair. */
export interface Link {
  /** From 0 on: 10.0.N.0/24 and fd00:0:0:N::/64. */
  number: number;
  left: LinkEnd;
  right: LinkEnd;
  options: LinkOptions;
}
