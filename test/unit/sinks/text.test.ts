import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetText, TextFormatter, type TextOptions } from '../../../src/sinks/text.js';
import type { IcmpInfo, Proto, TcpInfo, TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

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
    expect(text).toContain('*closed by age: no event and no free was seen for a while*\n\n');
    expect(format([traceEvent({ tcp })], {}, { closed: 'reused' })).toContain('another packet now*\n\n');
    expect(format([traceEvent({ tcp })], {}, { closed: 'end' })).toContain('not freed yet*\n\n');
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
    comm: 'nginx',
    pid: 42,
    netns: 4026531840,
    mark: 255,
    len: 60,
  });

  it('puts skb, function, CPU, interface, process, netns, TCP options, length and mark on the line', () => {
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
      comm: 'evil\x1b[2J',
      ifname: 'a\nb',
      notes: [{ level: 'info', text: 'iptables table:\x1b]0;title\x07, chain:\u202egnp' }],
    });
    const text = format([event], { detail: true });
    expect(text).toContain('[evil\\x1b[2J-0]');
    expect(text).toContain('[a\\x0ab]');
    expect(text).toContain('*iptables table:\\x1b]0;title\\x07, chain:\\u202egnp*');
  });

  it('of any kind leave the block a block: as many lines, and no control character', () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 16 });
    fc.assert(
      fc.property(hostile, hostile, hostile, (comm, ifname, note) => {
        const text = format([traceEvent({ tcp, comm, ifname, notes: [{ level: 'error', text: note }] })], {
          detail: true,
        });
        expect(text.split('\n')).toHaveLength(4);
        expect([...text].filter((c) => c !== '\n' && /\p{Cc}/u.test(c))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
