import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counters, countersMoved } from '../../../src/counters/index.js';
import { linkChanges, parseLink } from '../../../src/counters/links.js';
import { conntrackCounters, counterDeltas, netCounters, softnetCounters } from '../../../src/counters/proc-files.js';
import { isSameNetns } from '../../../src/counters/snapshot.js';
import { NettraceError } from '../../../src/errors.js';
import { currentNetnsInode } from '../../../src/load/netns.js';
import { attribute } from '../../../src/netlink/change.js';

describe('counters of /proc/net', () => {
  it('are whole numbers of 64 bits', () => {
    const text = 'TcpExt: ListenDrops EmbryonicRsts TW\nTcpExt: 18446744073709551615 -1 nonsense\nIp6InNoRoutes 7\n';
    expect([...netCounters([text])]).toEqual([
      ['TcpExtListenDrops', 18446744073709551615n],
      ['TcpExtEmbryonicRsts', -1n],
      ['Ip6InNoRoutes', 7n],
    ]);
  });

  it('of softnet_stat are sums over all CPUs', () => {
    const text = '0000000a 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000003 00000004\n';
    expect(Object.fromEntries(softnetCounters(text + text))).toEqual({
      'softnet:processed': 20n,
      'softnet:dropped': 2n,
      'softnet:time_squeeze': 4n,
      'softnet:received_rps': 6n,
      'softnet:flow_limit': 8n,
    });
  });

  it('of conntrack go by the names of the columns', () => {
    const text =
      'entries  clashres found insert drop\n00000001  00000000 00000002 00000003 0000000f\n00000001 0 0 1 1\n';
    expect(Object.fromEntries(conntrackCounters(text))).toEqual({
      'conntrack:entries': 2n,
      'conntrack:clashres': 0n,
      'conntrack:found': 2n,
      'conntrack:insert': 4n,
      'conntrack:drop': 16n,
    });
  });

  it('come out of any text without a failure', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'T:', ' ', '\n', '1', '-', 'f', '\0', 'drop') }), (text) => {
        for (const read of [(t: string) => netCounters([t]), softnetCounters, conntrackCounters])
          for (const value of read(text).values()) expect(typeof value).toBe('bigint');
      }),
    );
  });
});

describe('what moved', () => {
  it('is what differs; a counter that is new began at zero', () => {
    const before = new Map([
      ['A', 1n],
      ['B', 2n],
      ['Gone', 9n],
      ['TcpCurrEstab', 5n],
    ]);
    const after = new Map([
      ['A', 18446744073709551615n],
      ['B', 2n],
      ['New', 3n],
      ['TcpCurrEstab', 4n],
    ]);
    expect(Object.fromEntries(counterDeltas(before, after))).toEqual({
      A: 18446744073709551614n,
      New: 3n,
      TcpCurrEstab: -1n,
    });
  });

  it('goes round where a counter has 32 bits', () => {
    const deltas = counterDeltas(new Map([['softnet:processed', 0xffffffffn]]), new Map([['softnet:processed', 2n]]));
    expect(deltas.get('softnet:processed')).toBe(3n);
  });

  it('of an interface goes by its index: a name may be taken over', () => {
    const link = (ifindex: number, ifname: string, dropped: bigint) => ({
      ifindex,
      ifname,
      counters: new Map([['link:rx_dropped', dropped]]),
    });
    const changes = linkChanges(
      [link(1, 'eth0', 100n), link(2, 'eth1', 1n), link(3, 'eth2', 5n)],
      [link(4, 'eth0', 2n), link(2, 'eth9', 4n), link(3, 'eth2', 5n)],
    );
    expect(changes).toEqual({
      moved: [
        { ifname: 'eth0', deltas: new Map([['link:rx_dropped', 2n]]) },
        { ifname: 'eth9', deltas: new Map([['link:rx_dropped', 3n]]) },
      ],
      came: ['eth0'],
      went: ['eth0'],
    });
  });
});

describe('an interface', () => {
  const link = (...attributes: Buffer[]) => {
    const head = Buffer.alloc(16);
    head.writeInt32LE(7, 4);
    return { type: 16, flags: 2, seq: 1, payload: Buffer.concat([head, ...attributes]) };
  };

  it('has a name and the statistics that this kernel has', () => {
    const statistics = Buffer.alloc(8 * 23);
    statistics.writeBigUInt64LE(0xffff_ffff_ffffn, 8 * 6);
    const parsed = parseLink(link(attribute(3, Buffer.from('eth0\0')), attribute(23, statistics)));
    expect(parsed).toMatchObject({ ifindex: 7, ifname: 'eth0' });
    expect(parsed?.counters.get('link:rx_dropped')).toBe(0xffff_ffff_ffffn);
    expect(parsed?.counters.has('link:rx_nohandler')).toBe(false);
  });

  it('of any bytes is one, or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          parseLink({ type: 16, flags: 0, seq: 0, payload: Buffer.from(bytes) });
        } catch (error) {
          expect(error).toBeInstanceOf(NettraceError);
        }
      }),
    );
  });
});

describe('counters()', () => {
  it('reads this namespace', async () => {
    const first = await counters();
    expect(first.netns).toBe(currentNetnsInode());
    expect(first.counters.get('IpDefaultTTL')).toBeGreaterThan(0n);
    expect(first.links.map((link) => link.ifname)).toContain('lo');
    const moved = countersMoved(first, {
      ...first,
      counters: new Map([...first.counters, ['IpInDiscards', 10n ** 9n]]),
    });
    expect([...moved.keys()]).toEqual(['IpInDiscards']);
  });

  it('knows whether two readings are of one namespace: an inode may come again', async () => {
    const first = await counters();
    expect(isSameNetns(first, await counters())).toBe(true);
    expect(isSameNetns({ ...first, cookie: 1n }, { ...first, cookie: 2n })).toBe(false);
    // without cookies, before 5.14
    const old = (more: [string, bigint][]) => ({
      ...first,
      cookie: undefined,
      counters: new Map([...first.counters, ...more]),
    });
    expect(
      isSameNetns(
        old([
          ['TcpInSegs', 5n],
          ['TcpCurrEstab', 3n],
        ]),
        old([
          ['TcpInSegs', 6n],
          ['TcpCurrEstab', 0n],
        ]),
      ),
    ).toBe(true);
    expect(isSameNetns(old([['TcpInSegs', 5n]]), old([['TcpInSegs', 4n]]))).toBe(false);
  });

  it('says so where there is no such namespace', async () => {
    await expect(counters('no-such-namespace')).rejects.toThrow("there is no network namespace 'no-such-namespace'");
    await expect(counters('1')).rejects.toThrow('there is no process in network namespace 1, and no name for it');
  });
});
