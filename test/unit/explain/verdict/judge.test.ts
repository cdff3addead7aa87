import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_CAUSES, packetCause } from '../../../../src/explain/causes/index.js';
import { dropReason } from '../../../../src/explain/drop-reasons.js';
import { judge } from '../../../../src/explain/verdict/judge.js';
import { NO_LOSS, REASONS } from '../../../../src/generated/drop-reasons.js';
import { PROBES, STAGES } from '../../../../src/generated/probes.js';
import type { Note, SkbTrace, TraceEvent } from '../../../../src/types.js';
import { probeNamed, skbTrace, traceEvent } from '../../../support/traces.js';

const at = (func: string, more: Partial<TraceEvent> = {}) => {
  const { stage } = probeNamed(func);
  return traceEvent({ func, stage, ...more });
};
const freed = at('consume_skb', { notes: [{ level: 'info', text: 'packet is freed (normally)' }] });
const drop = (location: string, reason?: string, noLoss?: string) =>
  at('kfree_skb', { drop: { location, ...(reason ? { reason } : {}), ...(noLoss ? { noLoss } : {}) } });

/** The note that the probe table has for this function and cause. */
function noted(func: string, cause: string, more: Partial<TraceEvent> = {}): TraceEvent {
  const { note, returns } = probeNamed(func);
  const found = [note, ...returns.map((rule) => rule.note)].find((one) => one?.cause === cause);
  if (!found) throw new Error(`${func} has no note that says ${cause}`);
  return at(func, { notes: [{ level: found.level, text: found.text, cause }], ...more });
}

function said(events: TraceEvent[], more: Partial<SkbTrace> = {}): string[] {
  const { outcome, cause, facts } = judge(skbTrace({ events, ...more }));
  return [outcome, cause, ...facts];
}

describe('a packet that nothing was lost of', () => {
  it.each([
    ['taken by TCP', [at('ip_rcv'), at('tcp_v4_rcv'), freed], ['delivered', 'taken-by-socket']],
    ['held in a receive queue', [at('udp_queue_rcv_skb')], ['delivered', 'taken-by-socket'], 'end'],
    ['of ARP', [at('arp_rcv'), freed], ['delivered', 'taken-by-kernel']],
    ['for a sniffer', [at('packet_rcv'), freed], ['delivered', 'taken-by-packet-socket']],
    ['given to the driver', [at('ip_output'), at('dev_hard_start_xmit'), freed], ['sent', 'handed-to-driver']],
    ['that a tap saw', [at('packet_rcv'), at('dev_hard_start_xmit')], ['sent', 'handed-to-driver'], 'age'],
    [
      'routed on',
      [at('__netif_receive_skb_core'), at('ip_forward'), at('dev_hard_start_xmit'), freed],
      ['forwarded', 'routed-on'],
    ],
    [
      'routed on, as tracepoints show it',
      [at('netif_receive_skb'), at('net_dev_queue'), at('net_dev_xmit'), freed],
      ['forwarded', 'routed-on'],
    ],
    ['merged by GRO', [at('dev_gro_receive'), at('napi_skb_free_stolen_head')], ['merged', 'gro-merged']],
    ['a clone merged by GRO', [at('dev_gro_receive'), at('__kfree_skb')], ['merged', 'gro-merged']],
    ['that was a fragment', [at('ip_defrag'), freed], ['merged', 'fragments-reassembled']],
    ['freed on its way', [at('ip_rcv'), freed], ['unknown', 'freed-without-sign']],
    ['silent on its way', [at('ip_rcv')], ['unknown', 'still-on-its-way'], 'age'],
    ['whose address is in use again', [at('ip_rcv')], ['unknown', 'end-not-seen'], 'reused'],
    ['of which nothing was seen', [], ['unknown', 'still-on-its-way'], 'end'],
  ] as const)('%s', (_what, events, expected, closed?: SkbTrace['closed']) => {
    expect(said([...events], { closed: closed ?? 'freed' })).toEqual(expected);
  });

  it('is unknown where events of it were lost before its end', () => {
    expect(said([at('ip_rcv')], { closed: 'age', complete: false })).toEqual(['unknown', 'events-lost']);
  });

  it('is what the place says, freed by kfree_skb or not', () => {
    const multicast = { tuple: { saddr: '10.0.0.1', daddr: '224.0.0.251', sport: 1, dport: 2 }, proto: 'udp' } as const;
    expect(said([at('ip_rcv'), drop('ip_rcv_finish+0x1', 'NOT_SPECIFIED', 'x')], multicast)).toEqual([
      'worked',
      'not-for-this-host',
    ]);
    expect(said([at('tcp_v4_rcv'), drop('sk_stream_kill_queues+0x1', undefined, 'x')])).toEqual([
      'delivered',
      'unread-at-close',
    ]);
    expect(said([at('__tcp_transmit_skb'), drop('sk_stream_kill_queues+0x1', undefined, 'x')])).toEqual([
      'unknown',
      'unread-at-close',
    ]);
  });

  it('is not what a packet socket hands to its program', () => {
    const clone = at('skb_clone', { skb: 1, parent: 0 });
    const copied = at('skb_copy_datagram_iovec', { skb: 1 });
    const stolen = noted('tcf_classify', 'tc-took');
    expect(said([at('packet_rcv'), clone, stolen, freed, copied])).toEqual(['unknown', 'tc-took']);
    // on the way out the clone is made first
    const sent = [at('__dev_queue_xmit'), clone, at('packet_rcv', { skb: 1 }), at('dev_hard_start_xmit'), copied];
    expect(said(sent)).toEqual(['sent', 'handed-to-driver']);
    // a datagram for several sockets is cloned too
    const multicast = [at('packet_rcv'), at('__udp4_lib_rcv'), clone, copied];
    expect(said(multicast)).toEqual(['delivered', 'taken-by-socket']);
    expect(said([at('netif_receive_skb'), at('skb_copy_datagram_iovec')])).toEqual(['delivered', 'taken-by-socket']);
  });

  it('is what became of it before a retransmission that was not made', () => {
    const [sent, again] = [at('__tcp_transmit_skb'), at('__tcp_retransmit_skb')];
    const lost = at('kfree_skb', { skb: 1, drop: { location: 'nft_do_chain+0x1', reason: 'NETFILTER_DROP' } });
    const gone = at('__kfree_skb');
    expect(said([sent, lost, again, gone])).toEqual(['dropped', 'netfilter-drop']);
    const arrived = at('tcp_v4_rcv', { skb: 2 });
    expect(said([sent, lost, again, { ...sent }, arrived, gone])).toEqual(['delivered', 'taken-by-socket']);
  });

  it('names the rule of nftables that dropped it, where it can only be one', () => {
    const rule = { handle: 4, chain: 'input', text: 'tcp dport 8000 drop' };
    const judged = (netfilter: object) =>
      judge(
        skbTrace({
          events: [
            at('nft_do_chain', { netfilter: { table: 'filter', chain: 'input', ...netfilter } }),
            drop('nft_do_chain+0x1', 'NETFILTER_DROP'),
          ],
        }),
      );
    const named = judged({ suspects: [rule] });
    expect(named.text).toContain('dropped it: handle 4: tcp dport 8000 drop');
    expect(named.advice[0]).toContain('table filter');
    expect(judged({ rule: { ...rule, verdict: 'NF_DROP' } }).text).toContain('handle 4');
    const { text, advice } = judged({ suspects: [rule, { ...rule, handle: 5 }] });
    expect(text).not.toContain('handle');
    expect(advice[0]).toBe(packetCause('netfilter-drop').advice);
    expect(judged({ rule: { ...rule, verdict: 'NFT_JUMP' } }).text).not.toContain('handle');
  });

  it('is that a tc action threw it away, where nothing but its free follows', () => {
    const stolen = noted('tcf_classify', 'tc-took', { ret: 4 });
    const clone = at('skb_clone', { skb: 1, parent: 0 });
    expect(said([at('netif_receive_skb'), stolen, freed])).toEqual(['dropped', 'tc-took']);
    // sent elsewhere, as a copy or itself; redirected; seen by a packet socket, which may be whom it was for
    expect(said([at('netif_receive_skb'), stolen, clone, freed])).toEqual(['unknown', 'tc-took']);
    expect(said([at('netif_receive_skb'), stolen, at('ip_rcv'), freed])).toEqual(['unknown', 'tc-took']);
    expect(said([noted('tcf_classify', 'tc-took', { ret: 7 }), freed])).toEqual(['unknown', 'tc-took']);
    expect(said([at('packet_rcv'), stolen, freed])).toEqual(['unknown', 'tc-took']);
    // kept in a queue
    expect(said([stolen], { closed: 'age' })).toEqual(['unknown', 'tc-took']);
  });

  it('has been read with its FIN, where it has no data', () => {
    const unread = drop('sk_stream_kill_queues+0x1', undefined, 'x');
    const segment = (payload: number) => at('tcp_v4_rcv', { tcp: { seq: 1, ack: 1, flags: 'AF', win: 1, payload } });
    expect(said([segment(0), unread])).toEqual(['delivered', 'taken-by-socket']);
    expect(said([segment(5), unread])).toEqual(['delivered', 'unread-at-close']);
  });

  it('has what else is true as facts', () => {
    const rewritten: Note = { level: 'info', text: 'packet is rewritten', cause: 'nat-rewritten' };
    const events = [
      noted('__tcp_retransmit_skb', 'retransmission'),
      at('ip_rcv', { notes: [rewritten] }),
      at('tcp_v4_rcv'),
    ];
    expect(said(events)).toEqual(['delivered', 'taken-by-socket', 'retransmission', 'nat-rewritten']);
  });

  it('is judged by what became of it when it was sent for the last time', () => {
    const again = noted('__tcp_retransmit_skb', 'retransmission');
    const events = [
      at('__tcp_transmit_skb'),
      drop('nf_hook_slow+0x1', 'NETFILTER_DROP'),
      again,
      at('__tcp_transmit_skb'),
      at('tcp_v4_rcv'),
      freed,
    ];
    expect(said(events)).toEqual(['delivered', 'taken-by-socket', 'retransmission']);
  });

  it('is not lost with a copy for a sniffer', () => {
    const ring = noted('tpacket_rcv', 'packet-ring-full');
    expect(said([ring, at('tcp_v4_rcv'), freed])).toEqual(['delivered', 'taken-by-socket', 'packet-ring-full']);
  });
});

describe('a loss', () => {
  it.each([
    [
      'a rule of netfilter',
      [noted('nf_hook_slow', 'netfilter-drop'), drop('nf_hook_slow+0x1')],
      'dropped',
      'netfilter-drop',
    ],
    [
      'a rule that rejects',
      [
        noted('nf_hook_slow', 'netfilter-drop'),
        noted('nf_send_reset', 'netfilter-reject'),
        drop('nf_hook_slow+0x1', 'NETFILTER_DROP'),
      ],
      'rejected',
      'netfilter-reject',
    ],
    [
      'a full table of connections',
      [
        noted('nf_hook_slow', 'netfilter-drop'),
        noted('nf_conntrack_in', 'conntrack-table-full'),
        drop('nf_hook_slow+0x1', 'NETFILTER_DROP'),
      ],
      'dropped',
      'conntrack-table-full',
    ],
    [
      'a rule for what is invalid',
      [
        noted('nf_conntrack_tcp_packet', 'conntrack-invalid'),
        noted('nf_hook_slow', 'netfilter-drop'),
        drop('nf_hook_slow+0x1', 'NETFILTER_DROP'),
      ],
      'dropped',
      'conntrack-invalid',
    ],
    [
      'the reverse path filter',
      [
        noted('ip_route_input_slow', 'reverse-path-filter'),
        noted('fib_validate_source', 'reverse-path-filter'),
        drop('ip_rcv_finish_core+0x1', 'IP_RPFILTER'),
      ],
      'dropped',
      'reverse-path-filter',
    ],
    [
      'the same without reasons',
      [noted('fib_validate_source', 'reverse-path-filter'), drop('ip_rcv_finish_core+0x1')],
      'dropped',
      'reverse-path-filter',
    ],
    [
      'a blackhole',
      [noted('ip_error', 'blackhole-route'), drop('ip_error+0x1', 'NOT_SPECIFIED')],
      'dropped',
      'blackhole-route',
    ],
    [
      'a host that does not forward',
      [at('ip_error', { ret: 113 }), drop('ip_error+0x1', 'IP_INADDRERRORS')],
      'dropped',
      'not-forwarding',
    ],
    [
      'no route',
      [noted('ip_error', 'no-route'), noted('__icmp_send', 'no-route'), drop('ip_error+0x1')],
      'rejected',
      'no-route',
    ],
    [
      'a TTL of one',
      [
        at('ip_forward', { notes: [{ level: 'error', text: 'x' }] }),
        noted('__icmp_send', 'ttl-expired'),
        drop('ip_forward+0x1', 'IP_INHDR'),
      ],
      'rejected',
      'ttl-expired',
    ],
    ['a TTL of one, as tracepoints show it', [drop('ip_forward+0x1', 'IP_INHDR')], 'dropped', 'ttl-expired'],
    ['a small MTU', [noted('__icmp_send', 'mtu-exceeded'), drop('ip_forward+0x1')], 'rejected', 'mtu-exceeded'],
    [
      'a neighbour that does not answer',
      [noted('arp_error_report', 'neighbour-failed'), drop('arp_error_report+0x1')],
      'dropped',
      'neighbour-failed',
    ],
    ['too many that wait for a neighbour', [drop('__neigh_event_send+0x1')], 'dropped', 'neighbour-queue-full'],
    ['a neighbour that is silent, by the place alone', [drop('neigh_invalidate+0x1')], 'dropped', 'neighbour-failed'],
    [
      'a wrong IP checksum',
      [noted('ip_rcv_core', 'ip-input-refused'), drop('ip_rcv_core+0x1', 'IP_CSUM')],
      'dropped',
      'bad-ip-checksum',
    ],
    [
      'a wrong TCP checksum, without reasons',
      [noted('tcp_bad_csum', 'bad-tcp-checksum'), drop('tcp_v4_rcv+0x1')],
      'dropped',
      'bad-tcp-checksum',
    ],
    [
      'a wrong checksum of TCP',
      [noted('__skb_checksum_complete', 'bad-checksum'), drop('tcp_v4_rcv+0x1')],
      'dropped',
      'bad-tcp-checksum',
    ],
    [
      'a tc filter',
      [noted('__dev_queue_xmit', 'device-drop'), noted('tcf_classify', 'tc-drop'), drop('__dev_queue_xmit+0x1')],
      'dropped',
      'tc-drop',
    ],
    ['XDP', [drop('do_xdp_generic+0x1', 'XDP')], 'dropped', 'xdp-drop'],
    [
      'the limit of a qdisc',
      [
        noted('__dev_queue_xmit', 'device-drop'),
        noted('dev_qdisc_enqueue', 'qdisc-drop'),
        at('pfifo_enqueue'),
        drop('__dev_queue_xmit+0x1', 'QDISC_DROP'),
      ],
      'dropped',
      'qdisc-limit',
    ],
    [
      'netem',
      [noted('dev_qdisc_enqueue', 'qdisc-drop'), at('netem_enqueue'), drop('__dev_queue_xmit+0x1')],
      'dropped',
      'qdisc-drop',
    ],
    [
      'a TCP MD5 key',
      [noted('tcp_v4_inbound_md5_hash', 'tcp-md5-mismatch'), drop('tcp_v4_rcv+0x1')],
      'dropped',
      'tcp-md5-mismatch',
    ],
    [
      'a full receive buffer',
      [noted('__udp_enqueue_schedule_skb', 'socket-receive-buffer-full'), drop('udp_queue_rcv_one_skb+0x1')],
      'dropped',
      'socket-receive-buffer-full',
    ],
    [
      'a full backlog',
      [noted('tcp_add_backlog', 'socket-backlog-full'), drop('tcp_v4_rcv+0x1')],
      'dropped',
      'socket-backlog-full',
    ],
    ['fragments that did not come', [drop('ip_expire+0x1', 'FRAG_REASM_TIMEOUT')], 'dropped', 'fragments-missing'],
    ['a reason that the table has not', [drop('a+0x1', 'BRAND_NEW')], 'dropped', 'drop-other-reason'],
    ['no reason at all', [drop('a+0x1')], 'dropped', 'drop-not-specified'],
    ['a note alone', [noted('tcp_filter', 'socket-filter-drop'), freed], 'dropped', 'socket-filter-drop'],
  ] as const)('by %s', (_what, events, outcome, cause) => {
    expect(said([...events]).slice(0, 2)).toEqual([outcome, cause]);
  });

  it('by TCP MD5 says which mismatch it was, where the reason does', () => {
    const textOf = (reason?: string) => judge(skbTrace({ events: [drop('tcp_v4_rcv+0x1', reason)] })).text;
    expect(textOf('TCP_MD5NOTFOUND')).toContain('a segment without TCP MD5 signature came');
    expect(textOf('TCP_MD5FAILURE')).toContain('the TCP MD5 signature is wrong');
  });

  it('by an unreachable route is told from a host that does not forward where the kernel would name that', () => {
    const events = [noted('ip_error', 'no-route'), at('ip_error', { ret: 113 }), drop('ip_error+0x1', 'NOT_SPECIFIED')];
    const facts = (namesNotForwarding: boolean) => ({
      namesRequestRefusals: false,
      namesNotForwarding,
      sees: () => true,
    });
    expect(judge(skbTrace({ events }), { facts: facts(true) })).toMatchObject({
      outcome: 'dropped',
      cause: 'unreachable-route',
    });
    expect(judge(skbTrace({ events }), { facts: facts(false) })).toMatchObject({
      outcome: 'dropped',
      cause: 'no-route',
    });
  });

  const tcp = (flags: string, payload = 0) => ({ seq: 1, ack: 1, flags, win: 1, payload });

  it.each([
    ['S', 'no-listener'],
    ['A', 'no-connection'],
    ['AP', 'no-connection'],
    ['R', 'rst-without-connection'],
  ])('for which there is no socket depends on the flags: %s is %s', (flags, cause) => {
    const event = at('tcp_v4_rcv', { tcp: tcp(flags) });
    const lookup = noted('__inet_lookup_listener', 'no-listener');
    expect(said([event, lookup, drop('tcp_v4_rcv+0x1', 'NO_SOCKET')])[1]).toBe(cause);
  });

  it('of an ACK at a listener is one for no connection, and the reset answers it', () => {
    const reset = at('tcp_v4_send_reset', { tcp: tcp('A'), socket: { state: 'LISTEN' } });
    expect(said([reset, drop('tcp_v4_do_rcv+0x1', 'TCP_FLAGS')])).toEqual(['rejected', 'no-connection']);
    expect(said([reset, drop('tcp_v4_do_rcv+0x1')])).toEqual(['rejected', 'no-connection']);
  });

  it('of data behind a close is named so', () => {
    const reset = at('tcp_v4_send_reset', { tcp: tcp('A', 10), socket: { state: 'FIN_WAIT2' } });
    expect(said([reset, drop('tcp_v4_do_rcv+0x1')])).toEqual(['rejected', 'data-after-close']);
  });

  it('has the sentence, the reason and the place as text, and what to do with its settings', () => {
    const read = (names: readonly string[]) => names.map((name) => ({ name: name.replace('nstat:', ''), value: '7' }));
    const verdict = judge(skbTrace({ events: [drop('udp_queue_rcv_one_skb+0x1', 'SOCKET_RCVBUFF')] }), { read });
    expect(verdict.text).toBe('the receive buffer of the socket is full (SOCKET_RCVBUFF in udp_queue_rcv_one_skb+0x1)');
    expect(verdict.advice[0]).toMatch(/^the reader is too slow .*; net\.core\.rmem_max is 7; UdpRcvbufErrors is 7/);
    expect(verdict.evidence).toContain(
      'kfree_skb: freed as dropped in udp_queue_rcv_one_skb+0x1, reason SOCKET_RCVBUFF',
    );
  });
});

describe('the list of causes', () => {
  it('has an id once, a sentence, and an outcome unless it is a fact', () => {
    expect(new Set(PACKET_CAUSES.map(({ id }) => id)).size).toBe(PACKET_CAUSES.length);
    for (const { id, sentence, outcomes, isFact } of PACKET_CAUSES) {
      expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(sentence.length, id).toBeGreaterThan(10);
      expect(outcomes.length > 0 || isFact === true, id).toBe(true);
    }
  });

  it('has what the tables name', () => {
    for (const { cause } of [...REASONS, ...NO_LOSS]) expect(packetCause(cause)).toBeDefined();
    for (const { note, returns } of PROBES)
      for (const one of [note, ...returns.map((rule) => rule.note)]) if (one?.cause) packetCause(one.cause);
  });

  it('gives every reason of every kernel a cause that may be a loss', () => {
    for (const { names, noLoss } of REASONS) {
      const name = names[0]!.replace('*', 'X');
      const { outcome, cause } = judge(skbTrace({ events: [drop('somewhere+0x1', name)] }));
      expect(packetCause(cause).outcomes, name).toContain(outcome);
      if (noLoss === undefined && dropReason(name)?.group !== 'unix') expect(cause, name).not.toBe('drop-other-reason');
    }
  });
});

describe('any trace', () => {
  const word = fc.constantFrom(...PACKET_CAUSES.map(({ id }) => id), 'not-in-the-list');
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const note = fc.record(
    { level: fc.constantFrom('info', 'warning', 'error'), text: fc.string({ maxLength: 8 }), cause: word },
    { requiredKeys: ['level', 'text'] },
  ) as fc.Arbitrary<Note>;
  const socket = fc.record(
    {
      state: fc.constantFrom('LISTEN', 'ESTABLISHED', 'NEW_SYN_RECV', 'TIME_WAIT', 'FIN_WAIT2'),
      newState: fc.constantFrom('CLOSE', 'ESTABLISHED'),
      tsRecent: u32,
      tsRecentAge: u32,
      rcvNxt: u32,
      windowStart: u32,
      windowEnd: u32,
      requestLeft: fc.boolean(),
      acceptQueue: u32,
      acceptLimit: u32,
      synQueue: u32,
      synQueueAfter: u32,
      maxSynBacklog: u32,
      syncookies: fc.integer({ min: 0, max: 2 }),
    },
    { requiredKeys: [] },
  );
  const segment = fc.record(
    {
      seq: u32,
      ack: u32,
      flags: fc.constantFrom('S', 'SA', 'A', 'AP', 'AF', 'R', 'RA', ''),
      win: u32,
      payload: u32,
      tsval: u32,
    },
    { requiredKeys: ['seq', 'ack', 'flags', 'win', 'payload'] },
  );
  const dropped = fc.record(
    {
      location: fc.constantFrom('tcp_v4_rcv+0x1', 'ip_error+0x2', 'nf_hook_slow+0x3', '0xffff', ''),
      reason: fc.constantFrom(...REASONS.map(({ names }) => names[0]!), 'UNHEARD_OF'),
      noLoss: fc.constant('why'),
    },
    { requiredKeys: ['location'] },
  );
  const probe = fc.constantFrom(...PROBES.map(({ name, stage }) => ({ func: name, stage })), {
    func: 'x',
    stage: 'other',
  });
  const event = fc
    .tuple(
      probe,
      fc.record(
        {
          t: fc.double({ min: 0, max: 100, noNaN: true }),
          skb: fc.integer({ min: 0, max: 2 }),
          notes: fc.array(note, { maxLength: 2 }),
          tcp: segment,
          socket,
          drop: dropped,
          ret: fc.oneof(fc.constantFrom(0, 1, 2, 3, 113), fc.constant('0xffff888000000000')),
        },
        { requiredKeys: ['t', 'skb', 'notes'] },
      ),
    )
    .map(([place, more]) => traceEvent({ ...place, ...more } as Partial<TraceEvent>));

  it('gets a verdict whose cause is in the list, with an outcome that the cause may have', () => {
    expect(STAGES.length).toBeGreaterThan(10);
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 12 }),
        fc.constantFrom('freed', 'reused', 'age', 'end'),
        fc.boolean(),
        fc.boolean(),
        (events, closed, complete, sees) => {
          const facts = { namesRequestRefusals: complete, namesNotForwarding: true, sees: () => sees };
          const verdict = judge(skbTrace({ events, closed, complete } as Partial<SkbTrace>), { facts });
          const cause = packetCause(verdict.cause);
          expect(cause.outcomes).toContain(verdict.outcome);
          for (const fact of verdict.facts) expect(packetCause(fact).isFact).toBe(true);
          expect(verdict.text.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
