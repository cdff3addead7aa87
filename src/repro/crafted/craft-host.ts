import type { Host } from '../host.js';
import type { Link } from '../link.js';
import { Bridge } from '../network.js';
import { CraftedHost, type CraftedHostOptions } from './crafted-host.js';

export interface CraftOptions extends Partial<Omit<CraftedHostOptions, 'netns' | 'ifname'>> {
  /** Which of its links; default the first. The host's end must be without addresses (`bare`). */
  link?: Link;
}

/**
 * Puts a crafted host on a host's end of a link, with the addresses that the end would have had: its kernel has none there. The other end is
 * the peer, and known by its hardware address, unless the link has ARP. It is closed when the session ends.
 */
export function craftHost(host: Host, options: CraftOptions = {}): CraftedHost {
  const { link, ...given } = options;
  const end = host.end(link);
  const other = end === end.link.left ? end.link.right : end.link.left;
  const hasPeer = !(other.host instanceof Bridge);
  const known = hasPeer && !end.link.options.arp;
  const crafted = CraftedHost.open({
    netns: host.path,
    ifname: end.ifname,
    addresses: [end.address, end.address6],
    mac: end.mac,
    peers: hasPeer ? [other.address, other.address6] : [],
    neighbours: known ? { [other.address]: other.mac, [other.address6]: other.mac } : {},
    ...given,
  });
  host.adopt(crafted);
  return crafted;
}
