import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetText } from '../../../src/sinks/packet-text.js';
import { TextFormatter, type TextOptions } from '../../../src/sinks/text.js';
import type {
  IcmpInfo,
  LatencyEvent,
  OutputRecord,
  PacketEvent,
  Proto,
  SocketEvent,
  TcpInfo,
  TraceEvent,
} from '../../../src/types.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

/** Of skbTrace(). */
const VERDICT = 'verdict: unknown (freed-without-sign): it was freed, and nothing showed why';

const tcp: TcpInfo = { seq: 2754757913, ack: 1579697130, flags: 'R', win: 8192, payload: 0 };

function format(
  events: TraceEvent[],
  options: Partial<TextOptions> = {},
  more: Parameters<typeof skbTrace>[0] = {},
): string {
  const formatter = new TextFormatter({ detail: false, date: false, ret: false, color: false, ...options });
  return formatter.trace(skbTrace({ events, ...more }));
}

/** The lines of the events alone. */
function lines(
  events: TraceEvent[],
  options: Partial<TextOptions> = {},
  more: Parameters<typeof skbTrace>[0] = {},
): string[] {
  return format(events, options, more)
    .split('\n')
    .slice(1, 1 + events.length);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const SGR = /\x1b\[\d+m/g;

describe('a block of text', () => {
  it('is what users of nettrace know', () => {
    const packet = 'TCP: 172.26.137.131:54321 -> 172.26.137.130:8000 seq:2754757913, ack:1579697130, flags:R';
    const events = [
      traceEvent({ t: 4912183.252733, func: 'napi_gro_receive_entry', tcp }),
      traceEvent({
        t: 4912183.252757,
        func: 'nf_hook_slow',
        tcp,
        notes: [{ level: 'info', text: 'ipv4 in chain: PRE_ROUTING' }],
      }),
      traceEvent({
        t: 4912183.252759,
        func: 'nft_do_chain',
        tcp,
        notes: [{ level: 'info', text: 'iptables table:nat, chain:PREROUTING' }],
      }),
      traceEvent({
        t: 4912183.252789,
        func: 'kfree_skb',
        tcp,
        notes: [
          { level: 'error', text: 'tcp_v4_rcv+0x65' },
          { level: 'error', text: 'packet is dropped by kernel' },
        ],
      }),
    ];
    expect(format(events)).toBe(
      [
        '***************** c22c8000,c22c8c00 ***************',
        `[4912183.252733] [napi_gro_receive_entry] ${packet}`,
        `[4912183.252757] [nf_hook_slow        ] ${packet} *ipv4 in chain: PRE_ROUTING*`,
        `[4912183.252759] [nft_do_chain        ] ${packet} *iptables table:nat, chain:PREROUTING*`,
        `[4912183.252789] [kfree_skb           ] ${packet} *tcp_v4_rcv+0x65* *packet is dropped by kernel*`,
        VERDICT,
        '',
        '',
      ].join('\n'),
    );
  });

  it('leaves out the moment a clone joined: its events speak for it', () => {
    const events = [traceEvent({ tcp }), traceEvent({ func: 'skb_clone', skb: 1, parent: 0 })];
    expect(format(events)).not.toContain('skb_clone');
  });

  it('pads microseconds and keeps zeros of addresses', () => {
    const text = format([traceEvent({ t: 7.000001, tcp })], {}, { skbs: ['ffff888000000c00'] });
    expect(text).toMatch(/^\*{17} 00000c00 \*{15}\n\[7\.000001\] /);
  });

  it('says that it is incomplete, and why it was closed', () => {
    const text = format([traceEvent({ tcp })], {}, { complete: false, closed: 'age' });
    expect(text).toContain('*incomplete: events were lost while this trace was open*\n');
    expect(text).toContain('*closed by age: no event and no free was seen for a while*\nverdict: ');
    expect(format([traceEvent({ tcp })], {}, { closed: 'reused' })).toContain('another packet now*\nverdict: ');
    expect(format([traceEvent({ tcp })], {}, { closed: 'end' })).toContain('not freed yet*\nverdict: ');
    expect(format([traceEvent({ tcp })])).not.toContain('*closed');
  });

  it('shows addresses of the event where they differ from those of the trace', () => {
    const tuple = { saddr: '10.0.0.1', sport: 1, daddr: '10.0.0.2', dport: 2 };
    expect(lines([traceEvent({ tuple, tcp })])[0]).toContain('TCP: 10.0.0.1:1 -> 10.0.0.2:2 seq:');
  });
});

describe('a packet', () => {
  const text = (proto: Proto, event: Partial<TraceEvent>, tuple = { saddr: '10.0.0.1', daddr: '10.0.0.2' }) =>
    packetText(skbTrace({ proto, tuple }), traceEvent(event), false);
  const icmp = (type: number, more: Partial<IcmpInfo> = {}) => ({ icmp: { type, code: 0, ...more } });

  it.each([
    ['icmp', icmp(8, { id: 77, seq: 3 }), 'ICMP: 10.0.0.1 -> 10.0.0.2 ping request, seq: 3, id: 77'],
    ['icmp', icmp(0, { id: 77, seq: 3 }), 'ICMP: 10.0.0.1 -> 10.0.0.2 ping reply, seq: 3, id: 77'],
    ['icmp', icmp(3, { code: 3 }), 'ICMP: 10.0.0.1 -> 10.0.0.2 destination unreachable, code: 3'],
    ['icmp', icmp(42), 'ICMP: 10.0.0.1 -> 10.0.0.2 type: 42, code: 0'],
    ['icmpv6', icmp(135), 'ICMPv6: 10.0.0.1 -> 10.0.0.2 neighbour solicitation, code: 0'],
    ['arp', { arpOp: 1 }, 'ARP: 10.0.0.1 -> 10.0.0.2 request'],
    ['arp', { arpOp: 2 }, 'ARP: 10.0.0.1 -> 10.0.0.2 reply'],
    ['arp', { arpOp: 8 }, 'ARP: 10.0.0.1 -> 10.0.0.2 operation 8'],
    ['ip', {}, 'IP: 10.0.0.1 -> 10.0.0.2'],
    ['ipv6', {}, 'IPv6: 10.0.0.1 -> 10.0.0.2'],
    ['ip', { ipProtocol: 132 }, 'IP: 10.0.0.1 -> 10.0.0.2 sctp'],
    ['ip', { ipProtocol: 253 }, 'IP: 10.0.0.1 -> 10.0.0.2 protocol: 253'],
  ] as const)('of %s with %j is %s', (proto, event, expected) => {
    expect(text(proto, event)).toBe(expected);
  });

  it('over IPv6 has its addresses in brackets', () => {
    const tuple = { saddr: 'fd00::1', sport: 5353, daddr: 'fd00::2', dport: 53 };
    expect(packetText(skbTrace({ proto: 'udp', tuple }), traceEvent(), false)).toBe(
      'UDP: [fd00::1]:5353 -> [fd00::2]:53',
    );
  });

  it('without readable headers says so', () => {
    const { tuple: _tuple, ...unknown } = skbTrace({ proto: 'unknown' });
    expect(packetText(unknown, traceEvent(), false)).toBe('packet: headers could not be read');
  });
});

describe('--detail', () => {
  const event = traceEvent({
    tcp: {
      ...tcp,
      flags: 'S',
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      tsval: 5,
      tsecr: 0,
      sack: [{ left: 1, right: 9 }],
    },
    skb: 1,
    cpu: 3,
    ifname: 'eth0',
    comm: 'swapper/3',
    pid: 0,
    owner: { pid: 42, comm: 'nginx' },
    netns: 4026531840,
    mark: 255,
    len: 60,
  });

  it('puts skb, function, CPU, interface, owner, netns, TCP options, length and mark on the line', () => {
    expect(lines([event], { detail: true })[0]).toBe(
      '[4912183.252733] [c22c8c00][ip_rcv              ][cpu:3  ][eth0 ][nginx-42][ns:4026531840] ' +
        'TCP: 172.26.137.131:54321 -> 172.26.137.130:8000 seq:2754757913, ack:1579697130, flags:S, win:8192, ' +
        'mss:1460, wscale:7, sackOK, ts:5, ecr:0, sack:1-9, len:60, mark:0xff',
    );
  });

  it('says that options are malformed', () => {
    expect(lines([traceEvent({ tcp: { ...tcp, malformed: true } })], { detail: true })[0]).toContain(
      'win:8192, options malformed',
    );
  });

  it('names the skb as the head of the block does', () => {
    const [line] = lines([traceEvent({ tcp })], { detail: true }, { skbs: ['ffff888000000c00'] });
    expect(line).toContain('[00000c00]');
  });

  it('is not there without being asked for', () => {
    const [line] = lines([event]);
    expect(line).toBe(
      '[4912183.252733] [ip_rcv              ] TCP: 172.26.137.131:54321 -> 172.26.137.130:8000 seq:2754757913, ack:1579697130, flags:S',
    );
  });
});

describe('--date', () => {
  it('shows the wall clock of this time zone with microseconds', () => {
    const [line] = lines([traceEvent({ tcp })], { date: true });
    const at = new Date('2026-03-01T12:00:00Z');
    const two = (n: number) => String(n).padStart(2, '0');
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    expect(line).toMatch(
      new RegExp(`^\\[${day} ${two(at.getHours())}:${two(at.getMinutes())}:00\\.000100\\] \\[ip_rcv`),
    );
  });

  it('adds what passed since the first event to the microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 70_000_000 }), fc.integer({ min: 0, max: 999_999 }), (later, micros) => {
        const start = 4912183.252733;
        const date = `2026-03-01T12:00:00.${String(micros).padStart(6, '0')}Z`;
        const [line] = lines([traceEvent({ t: start + later / 1e6, tcp })], { date: true }, { start, date });
        const [, seconds, fraction] = /:(\d\d)\.(\d{6})\]/.exec(line!)!;
        expect((Number(seconds) * 1e6 + Number(fraction)) % 60e6).toBe((later + micros) % 60e6);
      }),
    );
  });
});

describe('--ret', () => {
  it('shows return values, before the notes', () => {
    const event = traceEvent({ tcp, ret: -13, notes: [{ level: 'error', text: 'EACCES' }] });
    expect(lines([event], { ret: true })[0]).toMatch(/flags:R ret:-13 \*EACCES\*$/);
    expect(lines([event])[0]).toMatch(/flags:R \*EACCES\*$/);
  });
});

const ms = (us: number) => 4912183 + us / 1e6;
const PACKET = 'TCP: 172.26.137.131:54321 -> 172.26.137.130:8000 seq:2754757913, ack:1579697130, flags:R';

describe('--tiny-show', () => {
  const events = [
    traceEvent({ tcp, t: ms(1), notes: [{ level: 'info', text: 'first' }] }),
    traceEvent({ tcp, t: ms(2), func: 'ip_rcv_core', notes: [{ level: 'info', text: 'second' }] }),
    traceEvent({
      tcp,
      t: ms(3),
      func: 'kfree_skb',
      drop: { location: 'tcp_v4_rcv+0x9a' },
      notes: [{ level: 'error', text: 'packet is dropped by kernel' }],
    }),
  ];

  it('shows the packet on the first line alone, and no notes but those of a drop', () => {
    expect(lines(events, { tinyShow: true })).toEqual([
      `[4912183.000001] [ip_rcv              ] ${PACKET}`,
      '[4912183.000002] [ip_rcv_core         ]',
      '[4912183.000003] [kfree_skb           ] *packet is dropped by kernel*',
    ]);
  });

  it('goes with times between functions', () => {
    expect(lines(events, { tinyShow: true, latencyShow: true })[1]).toBe(
      '[4912183.000002] [ip_rcv_core         ] latency: 0.001ms',
    );
  });
});

describe('--latency-show', () => {
  const events = [
    traceEvent({ tcp, t: ms(0) }),
    traceEvent({ func: 'skb_clone', t: ms(500), skb: 1, parent: 0 }),
    traceEvent({ tcp, t: ms(1148), func: 'nf_hook_slow', notes: [{ level: 'info', text: 'ipv4 in chain: INPUT' }] }),
    traceEvent({ tcp, t: ms(10817), func: 'icmp_reply', ret: 0 }),
    traceEvent({ tcp, t: ms(13187), func: 'consume_skb' }),
  ];

  it('puts the time since the line before in front of the notes, and the whole time under the block', () => {
    const text = format(events, { latencyShow: true, ret: true });
    expect(text.split('\n').slice(1)).toEqual([
      `[4912183.000000] [ip_rcv              ] ${PACKET}`,
      `[4912183.001148] [nf_hook_slow        ] ${PACKET} latency: 1.148ms *ipv4 in chain: INPUT*`,
      `[4912183.010817] [icmp_reply          ] ${PACKET} ret:0 latency: 9.669ms`,
      `[4912183.013187] [consume_skb         ] ${PACKET} latency: 2.370ms`,
      'total latency: 10.817ms',
      VERDICT,
      '',
      '',
    ]);
  });

  it('is not there without being asked for', () => {
    expect(format(events)).not.toContain('latency');
  });
});

describe('call stacks', () => {
  const stack = [
    { address: 'ffffffff81b4a0b5', symbol: 'icmp_rcv+0x5' },
    { address: 'ffffffffc0001000', symbol: 'nf_nat_fn+0x20 [nf_nat]' },
  ];
  const block =
    'Call Stack:\n    -> [ffffffff81b4a0b5]icmp_rcv+0x5\n    -> [ffffffffc0001000]nf_nat_fn+0x20 [nf_nat]\n\n';

  it('stand below their line, with a blank line behind', () => {
    const text = format([traceEvent({ tcp, stack }), traceEvent({ tcp, func: 'icmp_echo' })]);
    expect(text).toContain(`${PACKET}\n${block}[4912183.252733] [icmp_echo`);
  });

  it('stand below single events and sockets too', () => {
    expect(oneLine({ ...DROP, event: { ...DROP.event, stack } }).endsWith(` owner:nginx-42\n${block}`)).toBe(true);
    expect(oneLine({ ...SOCKET, stack }).endsWith(`\n${block}`)).toBe(true);
  });
});

describe('--hooks', () => {
  it('names the functions of the hook, and the one that is to blame', () => {
    const netfilter = { hooks: [{ name: 'nf_nat_fn' }, { name: 'nft_do_chain_ipv4', blamed: true }] };
    expect(lines([traceEvent({ tcp, netfilter })])[0]).toMatch(
      / flags:R \*hooks: nf_nat_fn, nft_do_chain_ipv4 \(blamed\)\*$/,
    );
    expect(lines([traceEvent({ tcp, netfilter: { hooks: [] } })])[0]).not.toContain('hooks');
  });
});

const DATE = '2026-03-01T12:00:00.000100Z';
const TUPLE = { saddr: '172.26.137.131', sport: 54321, daddr: '172.26.137.130', dport: 8000 };
const OWNER = { pid: 42, comm: 'nginx' };

function oneLine(record: OutputRecord, options: Partial<TextOptions> = {}): string {
  return new TextFormatter({ detail: false, date: false, ret: false, color: false, ...options }).record(record);
}

const BASIC: PacketEvent = {
  v: 1,
  type: 'packet',
  mode: 'basic',
  skbAddress: 'ffff888000980300',
  proto: 'tcp',
  tuple: TUPLE,
  date: DATE,
  event: traceEvent({ tcp, cpu: 1, ifname: 'lo', owner: OWNER, netns: 4026531840, len: 40 }),
};
const DROP: PacketEvent = {
  ...BASIC,
  mode: 'drop',
  event: traceEvent({
    ...BASIC.event,
    func: 'kfree_skb',
    drop: { location: 'tcp_v4_rcv+0x9a', reason: 'NO_SOCKET' },
    notes: [
      { level: 'error', text: 'reason: NO_SOCKET, tcp_v4_rcv+0x9a' },
      { level: 'error', text: 'packet is dropped by kernel' },
    ],
  }),
};

describe('an event of a packet by itself', () => {
  it('is a line with its function', () => {
    expect(oneLine(BASIC)).toBe(`[4912183.252733] [ip_rcv              ] ${PACKET}\n`);
    expect(oneLine({ ...BASIC, mode: 'monitor' })).toBe(`[4912183.252733] [ip_rcv              ] ${PACKET}\n`);
  });

  it('that is a drop is a line without it, but with its owner', () => {
    const notes = '*reason: NO_SOCKET, tcp_v4_rcv+0x9a* *packet is dropped by kernel*';
    expect(oneLine(DROP)).toBe(`[4912183.252733] ${PACKET} ${notes} owner:nginx-42\n`);
    const { owner: _owner, ...orphan } = DROP.event;
    expect(oneLine({ ...DROP, event: orphan })).toBe(`[4912183.252733] ${PACKET} ${notes} owner:no owner\n`);
  });

  it('with --detail says where and whose it was, each thing once', () => {
    const head = '[4912183.252733] [00980300][ip_rcv              ][cpu:1  ][lo   ][nginx-42][ns:4026531840]';
    expect(oneLine(BASIC, { detail: true })).toBe(`${head} ${PACKET}, win:8192, len:40\n`);
    const drop = oneLine(DROP, { detail: true });
    expect(drop).toContain('[kfree_skb           ][cpu:1  ][lo   ][nginx-42][ns:4026531840] TCP: ');
    expect(drop.match(/nginx-42/g)).toHaveLength(1);
  });

  it('has the date of its own time', () => {
    expect(oneLine(BASIC, { date: true })).toMatch(/^\[2026-0\d-\d\d \d\d:\d\d:00\.000100\] \[ip_rcv/);
    expect(oneLine(DROP, { date: true })).toMatch(/^\[2026-0\d-\d\d \d\d:\d\d:00\.000100\] TCP: /);
  });

  it('of a device, not of a packet, names the device and speaks of no headers', () => {
    const { skbAddress: _skb, tuple: _tuple, ...device } = BASIC;
    const event = traceEvent({
      func: 'net_dev_xmit_timeout',
      ifname: 'eth0',
      notes: [{ level: 'error', text: 'its queue is stuck' }],
    });
    expect(oneLine({ ...device, mode: 'monitor', proto: 'unknown', event })).toBe(
      '[4912183.252733] [net_dev_xmit_timeout] eth0 *its queue is stuck*\n',
    );
    expect(oneLine({ ...device, mode: 'monitor', proto: 'unknown', event }, { detail: true })).toBe(
      '[4912183.252733] [net_dev_xmit_timeout][cpu:1  ][eth0 ][no owner][ns:] *its queue is stuck*\n',
    );
  });
});

const SOCKET: SocketEvent = {
  v: 1,
  type: 'socket',
  mode: 'rtt',
  t: 621.732468,
  date: DATE,
  func: 'tcp_ack_update_rtt',
  stage: 'tcp-rtt',
  cpu: 0,
  proto: 'tcp',
  tuple: { saddr: '127.0.0.1', sport: 52986, daddr: '127.0.0.1', dport: 5201 },
  socket: {
    state: 'SYN_SENT',
    caState: 'CA_Open',
    packetsOut: 0,
    retransOut: 0,
    unacked: 2154128783,
    wmem: 0,
    rmem: 0,
    timer: { kind: 'retrans', left: 0.996 },
  },
  notes: [{ level: 'info', text: 'rtt:8.241ms, rtt_min:8.241ms' }],
};

describe('an event of a socket', () => {
  const doing = 'SYN_SENT CA_Open out:(p0 r0) unack:2154128783 mem:(w0 r0) timer:(retrans, 0.996s)';

  it('is the line that users of nettrace know', () => {
    expect(oneLine(SOCKET)).toBe(
      `[621.732468] [tcp_ack_update_rtt  ] TCP: 127.0.0.1:52986 -> 127.0.0.1:5201 ${doing} *rtt:8.241ms, rtt_min:8.241ms*\n`,
    );
  });

  it('of --sock ends with its owner', () => {
    expect(oneLine({ ...SOCKET, mode: 'sock', owner: OWNER, notes: [] })).toBe(
      `[621.732468] [tcp_ack_update_rtt  ] TCP: 127.0.0.1:52986 -> 127.0.0.1:5201 ${doing} owner:nginx-42\n`,
    );
    expect(oneLine({ ...SOCKET, mode: 'sock', notes: [] })).toMatch(/ owner:no owner\n$/);
    const detailed = oneLine({ ...SOCKET, mode: 'sock', owner: OWNER, netns: 5, notes: [] }, { detail: true });
    expect(detailed).toMatch(
      /^\[621\.732468\] \[tcp_ack_update_rtt {2}\]\[cpu:0 {2}\]\[ {5}\]\[nginx-42\]\[ns:5\] TCP: /,
    );
    expect(detailed.match(/nginx-42/g)).toHaveLength(1);
  });

  it('over IPv6 has its addresses, and a listening one its queue', () => {
    const tuple = { saddr: '::1', sport: 5201, daddr: '::', dport: 0 };
    const socket = { state: 'LISTEN', wmem: 0, rmem: 0, acceptQueue: 1, acceptLimit: 128 };
    expect(oneLine({ ...SOCKET, tuple, socket, notes: [] })).toBe(
      '[621.732468] [tcp_ack_update_rtt  ] TCP: [::1]:5201 -> [::]:0 LISTEN mem:(w0 r0) accept:(1 of 128)\n',
    );
  });

  it('of which only the state is known shows nothing else', () => {
    const text = oneLine({ ...SOCKET, proto: 'udp', socket: { state: 'CLOSE' }, notes: [] });
    expect(text).toBe('[621.732468] [tcp_ack_update_rtt  ] UDP: 127.0.0.1:52986 -> 127.0.0.1:5201 CLOSE\n');
  });
});

describe('a latency', () => {
  const latency: LatencyEvent = {
    v: 1,
    type: 'latency',
    skbAddress: 'ffff888000980300',
    proto: 'tcp',
    tuple: TUPLE,
    date: DATE,
    event: traceEvent({ tcp, func: 'kfree_skb_partial' }),
    from: 'tcp_queue_rcv',
    to: 'kfree_skb_partial',
    latencyUs: 366,
  };

  it('is a line with both functions and the time between them', () => {
    expect(oneLine(latency)).toBe(
      `[4912183.252733] [kfree_skb_partial   ][tcp_queue_rcv -> kfree_skb_partial  ] ${PACKET} latency: 0.366ms\n`,
    );
    expect(oneLine({ ...latency, to: 'skb_attempt_defer_free', latencyUs: 23582 })).toContain(
      '[tcp_queue_rcv -> skb_attempt_defer_free] TCP: ',
    );
  });

  it('with --detail and --date has both', () => {
    expect(oneLine(latency, { detail: true, date: true })).toMatch(
      /^\[2026-\S+ \d\d:\d\d:00\.000100\] \[00980300\]\[kfree_skb_partial {3}\]\[cpu:1 {2}\]\[ {5}\]\[no owner\]\[ns:\]\[tcp_queue_rcv -> /,
    );
  });
});

describe('counts', () => {
  it('of functions are a table, the longest name not cut', () => {
    const functions = [
      { func: 'ip_rcv', stage: 'ip-in', hits: 123456 },
      { func: '__netif_receive_skb_core', stage: 'device-in', hits: 9 },
    ];
    expect(oneLine({ v: 1, type: 'functions', t: 1, date: DATE, functions })).toBe(
      'ip_rcv                         123456\n__netif_receive_skb_core            9\n',
    );
  });

  it('of no function say so', () => {
    expect(oneLine({ v: 1, type: 'functions', t: 1, date: DATE, functions: [] })).toBe('no function was called\n');
  });

  it('of packets that were not followed are a warning', () => {
    const sampled: OutputRecord = { v: 1, type: 'sampled', t: 1, date: DATE, sampled: 3, of: 40 };
    expect(oneLine(sampled)).toBe(
      '*more packets than can be shown: followed 3 of about 40 (--sample off: all, with losses)*\n',
    );
  });

  it('of what --rate-limit left out are a warning', () => {
    const omitted: OutputRecord = { v: 1, type: 'omitted', t: 1, date: DATE, count: 12 };
    expect(oneLine(omitted)).toBe('*left out by --rate-limit: 12*\n');
    expect(oneLine(omitted, { color: true })).toBe('\x1b[33m*left out by --rate-limit: 12*\x1b[0m\n');
  });
});

describe('every kind of record', () => {
  it.each(RECORDS.map((record) => [record.type, record] as const))(
    'is whole lines: %s, with any options, and never a value that is not there',
    (_type, record) => {
      const flags = ['detail', 'date', 'ret', 'color', 'tinyShow', 'latencyShow'] as const;
      for (let bits = 0; bits < 2 ** flags.length; bits++) {
        const options = Object.fromEntries(flags.map((flag, i) => [flag, Boolean(bits & (1 << i))]));
        const text = oneLine(record, options);
        expect(text.endsWith('\n')).toBe(true);
        expect(text).not.toMatch(/undefined|NaN|null|\[object/);
        expect(text.includes('\x1b')).toBe(Boolean(options.color) && text !== text.replace(SGR, ''));
        expect(text.replace(SGR, '')).toBe(oneLine(record, { ...options, color: false }));
      }
    },
  );
});

describe('colour', () => {
  const events = (['info', 'warning', 'error'] as const).map((level) =>
    traceEvent({ tcp, notes: [{ level, text: level }] }),
  );

  it('differs by the level of a note', () => {
    const coloured = lines(events, { color: true });
    expect(coloured[0]).toContain(' \x1b[32m*info*\x1b[0m');
    expect(coloured[1]).toContain(' \x1b[33m*warning*\x1b[0m');
    expect(coloured[2]).toContain(' \x1b[31m*error*\x1b[0m');
  });

  it('is all that it adds, and each colour is taken back', () => {
    const coloured = format(events, { color: true });
    expect(coloured.replace(SGR, '')).toBe(format(events));
    const codes = coloured.match(SGR) ?? [];
    expect(codes.filter((_, i) => i % 2 === 1)).toEqual(codes.filter((_, i) => i % 2 === 1).map(() => '\x1b[0m'));
    expect(codes).toHaveLength(2 * (events.length + 1));
  });

  it('is not there without being asked for', () => {
    expect(format(events)).not.toContain('\x1b');
  });
});

describe('names from outside', () => {
  it('have their control characters made visible: no process can paint the terminal', () => {
    const event = traceEvent({
      tcp,
      owner: { pid: 7, comm: 'evil\x1b[2J' },
      ifname: 'a\nb',
      notes: [{ level: 'info', text: 'iptables table:\x1b]0;title\x07, chain:\u202egnp' }],
    });
    const text = format([event], { detail: true });
    expect(text).toContain('[evil\\x1b[2J-7]');
    expect(text).toContain('[a\\x0ab]');
    expect(text).toContain('*iptables table:\\x1b]0;title\\x07, chain:\\u202egnp*');
  });

  it('of any kind leave the block a block: as many lines, and no control character', () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 16 });
    fc.assert(
      fc.property(hostile, hostile, hostile, (comm, ifname, note) => {
        const text = format(
          [traceEvent({ tcp, owner: { pid: 7, comm }, ifname, notes: [{ level: 'error', text: note }] })],
          {
            detail: true,
          },
        );
        expect(text.split('\n')).toHaveLength(5);
        expect([...text].filter((c) => c !== '\n' && /\p{Cc}/u.test(c))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
