import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { NetnsFiles } from '../../../src/explain/netns-files.js';
import {
  parseCounters,
  softnetDropped,
  sysctlFile,
  type ValueFiles,
  ValueReader,
} from '../../../src/explain/values.js';
import { currentNetnsInode } from '../../../src/load/netns.js';

const RP_FILTER = 'net.ipv4.conf.{ifname}.rp_filter';

describe('the file of a sysctl', () => {
  it.each([
    ['net.core.somaxconn', undefined, 'net.core.somaxconn', '/proc/sys/net/core/somaxconn'],
    [RP_FILTER, 'eth0', 'net.ipv4.conf.eth0.rp_filter', '/proc/sys/net/ipv4/conf/eth0/rp_filter'],
    [RP_FILTER, 'eth0.100', 'net.ipv4.conf.eth0/100.rp_filter', '/proc/sys/net/ipv4/conf/eth0.100/rp_filter'],
    [RP_FILTER, '..a', 'net.ipv4.conf.//a.rp_filter', '/proc/sys/net/ipv4/conf/..a/rp_filter'],
  ])('%s of %s is %s in %s', (pattern, ifname, name, file) => {
    expect(sysctlFile(pattern, ifname)).toEqual({ name, file });
  });

  it.each([undefined, '', '.', '..', 'all', 'default', '../../x', 'a/b', 'a\0', 'a b', 'a:b', 'x'.repeat(16)])(
    'is none for an interface called %j',
    (ifname) => {
      expect(sysctlFile(RP_FILTER, ifname)).toBeUndefined();
    },
  );

  it('stays in its directory whatever an interface is called', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('.', '/', 'a', '\0', '~') })), (ifname) => {
        const found = sysctlFile(RP_FILTER, ifname);
        if (found)
          expect(
            new URL(
              `file://${found.file.replaceAll('%', '%25').replaceAll('?', '%3f').replaceAll('#', '%23').replaceAll('\\', '%5c')}`,
            ).pathname,
          ).toMatch(/^\/proc\/sys\/net\/ipv4\/conf\/[^/]+\/rp_filter$/);
      }),
    );
  });
});

describe('counters', () => {
  it('have the names of nstat', () => {
    const text = [
      'TcpExt: SyncookiesSent ListenOverflows',
      'TcpExt: 1 12',
      'IpExt: InNoRoutes InOctets',
      'IpExt: 3 4 5',
      'Tcp: MaxConn',
      'Tcp: -1',
      'Ip6InNoRoutes                   \t7',
      '',
    ].join('\n');
    expect([...parseCounters(text)]).toEqual([
      ['TcpExtSyncookiesSent', '1'],
      ['TcpExtListenOverflows', '12'],
      ['IpExtInNoRoutes', '3'],
      ['IpExtInOctets', '4'],
      ['TcpMaxConn', '-1'],
      ['Ip6InNoRoutes', '7'],
    ]);
  });

  it('of nonsense are none, or some, but never an error', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseCounters(text)));
  });

  it('of the backlog are the sum over all CPUs, in hexadecimal there', () => {
    expect(softnetDropped('00001c5f 00000002 00000000\n0000abcd 0000000a 00000000\n')).toBe('12');
    expect(softnetDropped('')).toBeUndefined();
    expect(softnetDropped('nonsense\n')).toBeUndefined();
  });
});

/** Files of namespaces by number; what is asked for is written down. */
function filesOf(contents: Record<string, string>): ValueFiles & { asked: string[] } {
  const asked: string[] = [];
  const look = (key: string) => {
    asked.push(key);
    return contents[key];
  };
  return {
    asked,
    read: (netns, file) => look(`${netns} ${file}`),
    readInitial: (file) => look(`initial ${file}`),
    pathTo: (netns) => (netns === 7 ? '/run/netns/blue' : undefined),
  };
}

describe('values', () => {
  it('are those of the namespace and the interface of the packet, in the order of the table', () => {
    const files = filesOf({
      '7 /proc/sys/net/ipv4/conf/eth0/rp_filter': '1\n',
      '7 /proc/sys/net/ipv4/tcp_rmem': '4096\t131072\t6291456\n',
      '7 /proc/thread-self/net/netstat': 'TcpExt: ListenDrops\nTcpExt: 3\n',
    });
    const names = ['nstat:TcpExtListenDrops', RP_FILTER, 'net.ipv4.tcp_rmem', 'nstat:NoSuchCounter', 'net.no.such'];
    expect(new ValueReader(files).read(names, { netns: 7, ifname: 'eth0' })).toEqual([
      { name: 'TcpExtListenDrops', value: '3' },
      { name: 'net.ipv4.conf.eth0.rp_filter', value: '1' },
      { name: 'net.ipv4.tcp_rmem', value: '4096 131072 6291456' },
    ]);
  });

  it('of an interface are what tc and ip say in its namespace, asked once', () => {
    const asked: unknown[] = [];
    const answers: Record<string, string | undefined> = {
      tc: '[{"kind":"tbf","options":{"rate":1},"drops":12,"backlog":4542,"qlen":3},{"kind":"pfifo","options":{"limit":10},"drops":2,"backlog":0,"qlen":0},{"kind":"clsact"}]',
      ip: '[{"ifname":"eth0","txqlen":500}]',
    };
    const reader = new ValueReader(
      filesOf({}),
      () => 0,
      (...call) => {
        asked.push(call);
        return { text: answers[call[1][0]!], complaint: '' };
      },
    );
    const names = ['qdisc:{ifname}', 'txqueuelen:{ifname}'];
    for (let i = 0; i < 2; i++)
      expect(reader.read(names, { netns: 7, ifname: 'eth0' })).toEqual([
        {
          name: 'qdisc of eth0',
          value:
            'tbf (backlog 3 packets, 4542 bytes; 12 dropped), pfifo (limit 10, backlog 0 packets, 0 bytes; 2 dropped)',
        },
        { name: 'txqueuelen of eth0', value: '500' },
      ]);
    expect(asked).toEqual([
      ['/run/netns/blue', ['tc', '-s', '-j', 'qdisc', 'show', 'dev', 'eth0']],
      ['/run/netns/blue', ['ip', '-j', 'link', 'show', 'dev', 'eth0']],
    ]);
    for (const place of [{ netns: 8, ifname: 'eth0' }, { netns: 7, ifname: '../x' }, { netns: 7 }])
      expect(reader.read(names, place)).toEqual([]);
    expect(asked).toHaveLength(2);
  });

  it('of an interface are not asked for again soon where the command fails, or says nothing that can be read', () => {
    let [now, calls] = [0, 0];
    let answer: string | undefined;
    const reader = new ValueReader(
      filesOf({}),
      () => now,
      () => {
        calls++;
        return { text: answer, complaint: '' };
      },
    );
    const read = () => reader.read(['qdisc:{ifname}'], { netns: 7, ifname: 'eth0' });
    for (now of [0, 29_000]) expect(read()).toEqual([]);
    expect(calls).toBe(1);
    for (answer of ['[]', '{', '7']) {
      now += 60_000;
      expect(read()).toEqual([]);
    }
    expect(calls).toBe(4);
  });

  it('of an interface of this machine are there where tc is', (ctx) => {
    if (spawnSync('tc', ['-V']).status !== 0) ctx.skip('no tc here');
    const [qdisc] = new ValueReader().read(['qdisc:{ifname}'], { netns: currentNetnsInode(), ifname: 'lo' });
    expect(qdisc).toEqual({
      name: 'qdisc of lo',
      value: expect.stringMatching(/^\w+ \(.*backlog \d+ packets, \d+ bytes; \d+ dropped\)/),
    });
  });

  it("are the machine's where a namespace has none, but not those of an interface", () => {
    const files = filesOf({
      'initial /proc/sys/net/core/netdev_max_backlog': '1000',
      'initial /proc/sys/net/ipv4/conf/eth0/rp_filter': '2',
    });
    const read = new ValueReader(files).read(['net.core.netdev_max_backlog', RP_FILTER], { netns: 7, ifname: 'eth0' });
    expect(read).toEqual([{ name: 'net.core.netdev_max_backlog', value: '1000' }]);
    // nothing leads there any more, and it may have had its own
    expect(new ValueReader(files).read(['net.core.netdev_max_backlog'], { netns: 8 })).toEqual([]);
  });

  it('of no known namespace are none', () => {
    const files = filesOf({});
    expect(new ValueReader(files).read(['net.core.somaxconn', RP_FILTER, 'nstat:UdpNoPorts'], { ifname: 'x' })).toEqual(
      [],
    );
    expect(files.asked).toEqual([]);
  });

  it('are read once a second', () => {
    const contents = { '7 /proc/sys/net/core/somaxconn': '128' };
    const files = filesOf(contents);
    let now = 0;
    const reader = new ValueReader(files, () => now);
    const read = () => reader.read(['net.core.somaxconn'], { netns: 7 })[0]?.value;
    expect(read()).toBe('128');
    contents['7 /proc/sys/net/core/somaxconn'] = '4096';
    now = 999;
    expect(read()).toBe('128');
    now = 1000;
    expect(read()).toBe('4096');
    expect(files.asked).toHaveLength(2);
  });

  it('do not pile up, however many namespaces there are', () => {
    const files = filesOf({});
    const reader = new ValueReader(files, () => 0);
    for (let netns = 1; netns <= 5000; netns++) reader.read(['net.core.somaxconn'], { netns });
    reader.read(['net.core.somaxconn'], { netns: 1 });
    expect(files.asked.filter((key) => key.startsWith('1 '))).toHaveLength(2);
  });
});

describe("values of this machine's namespaces", () => {
  const netns = currentNetnsInode();

  it('are read of this one without entering it', () => {
    const [value] = new ValueReader().read(['net.core.somaxconn'], { netns });
    expect(value?.value).toBe(readFileSync('/proc/sys/net/core/somaxconn', 'utf8').trim());
  });

  it('are read of the machine as a whole', () => {
    const names = ['vm.min_free_kbytes', 'softnet:dropped'];
    expect(new ValueReader().read(names, {}).map(({ name }) => name)).toEqual([
      'vm.min_free_kbytes',
      'softnet_stat dropped',
    ]);
  });

  it('are none of a namespace that is not there', () => {
    expect(new NetnsFiles().read(1, '/proc/sys/net/core/somaxconn')).toBeUndefined();
  });

  it('are read in another one, that a name or only a process leads to', async (ctx) => {
    const name = `nettrace-test-${process.pid}-values`;
    const ip = (...words: string[]) => spawnSync('ip', words, { encoding: 'utf8' });
    ctx.skip(ip('netns', 'add', name).status !== 0, 'no network namespace can be made here (root needed)');
    try {
      ip('netns', 'exec', name, 'sh', '-c', 'echo 321 >/proc/sys/net/core/somaxconn');
      ip('-n', name, 'link', 'add', 'v.0', 'type', 'veth', 'peer', 'name', 'v.1');
      const other = statSync(`/run/netns/${name}`).ino;
      const hasLink = ip('-n', name, 'link', 'show', 'v.0').status === 0;
      const names = ['net.core.somaxconn', 'net.ipv4.conf.{ifname}.forwarding', 'nstat:UdpNoPorts'];
      expect(new ValueReader().read(names, { netns: other, ifname: 'v.0' })).toEqual([
        { name: 'net.core.somaxconn', value: '321' },
        ...(hasLink ? [{ name: 'net.ipv4.conf.v/0.forwarding', value: expect.stringMatching(/^[01]$/) }] : []),
        { name: 'UdpNoPorts', value: '0' },
      ]);
    } finally {
      ip('netns', 'delete', name);
    }
  });

  it('are read by another way where the one that led there has gone', (ctx) => {
    const names = ['a', 'b'].map((end) => `nettrace-test-${process.pid}-${end}`);
    const run = (...[command = '', ...words]: string[]) => spawnSync(command, words).status;
    const [first = '', second = ''] = names;
    ctx.skip(run('ip', 'netns', 'add', first) !== 0, 'no network namespace can be made here (root needed)');
    try {
      expect(run('touch', `/run/netns/${second}`)).toBe(0);
      expect(run('mount', '--bind', `/run/netns/${first}`, `/run/netns/${second}`)).toBe(0);
      const { ino } = statSync(`/run/netns/${first}`);
      const files = new NetnsFiles();
      const read = () => files.read(ino, '/proc/sys/net/core/somaxconn');
      const before = read();
      expect(before).toMatch(/^\d+\n$/);
      expect(run('ip', 'netns', 'delete', files.pathTo(ino)?.replace('/run/netns/', '') ?? '')).toBe(0);
      // ways are looked for once a second
      const later = performance.now() + 2000;
      vi.spyOn(performance, 'now').mockReturnValue(later);
      expect(read()).toBe(before);
    } finally {
      vi.restoreAllMocks();
      for (const name of names) run('ip', 'netns', 'delete', name);
    }
  });
});
