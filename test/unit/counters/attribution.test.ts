import { describe, expect, it } from 'vitest';
import { Attribution } from '../../../src/counters/attribution.js';
import type { SkbTrace, TraceEvent } from '../../../src/types.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const NS = 42;
const OTHER = 43;
const READINGS = {
  since: (netns: number) => (netns === NS || netns === OTHER ? 100 : undefined),
  start: 100,
  end: 200,
  until: () => 200,
};
const tcp = (flags: string, more: object = {}) => ({ seq: 1, ack: 2, flags, win: 100, payload: 0, ...more });

let ids = 0;
function traceOf(events: Partial<TraceEvent>[], more: Partial<SkbTrace> = {}): SkbTrace {
  ids++;
  return skbTrace({
    id: `t${ids}`,
    verdict: { outcome: 'dropped', cause: 'drop-not-specified', facts: [], text: '', advice: [], evidence: [] },
    events: events.map((event) => traceEvent({ t: 150, netns: NS, ...event })),
    ...more,
  });
}

function attribute(...traces: SkbTrace[]): Attribution {
  const attribution = new Attribution(READINGS);
  for (const trace of traces) attribution.add(trace);
  return attribution;
}

/** An RST at a request, which PAWS refuses. */
const refused = (more: Partial<TraceEvent> = {}) =>
  traceOf([
    { func: 'tcp_v4_rcv', stage: 'tcp-in', tcp: tcp('R', { tsval: 0 }) },
    { func: 'tcp_check_req', stage: 'tcp-in', tcp: tcp('R', { tsval: 1 }), socket: { tsRecent: 100 }, ret: 0, ...more },
  ]);

describe('a counter is moved', () => {
  it('by the trace whose timestamp is older than what the request remembers', () => {
    const one = refused();
    const moved = attribute(one).explain('TcpExtPAWSEstab', 1n, { netns: NS });
    expect(moved).toMatchObject({
      delta: 1,
      explained: 1,
      unexplained: 0,
      evidence: 1,
      traces: { count: 1, ids: [one.id] },
    });
    expect(moved?.traces.verdicts).toEqual([{ outcome: 'dropped', cause: 'drop-not-specified', count: 1 }]);
  });

  it('not by one whose timestamp passes: that removes the request', () => {
    const passes = refused({ tcp: tcp('R', { tsval: 100 }) });
    const attribution = attribute(passes);
    expect(attribution.explain('TcpExtPAWSEstab', 1n, { netns: NS })).toMatchObject({ explained: 0, unexplained: 1 });
    expect(attribution.explain('TcpExtEmbryonicRsts', 1n, { netns: NS })).toMatchObject({ explained: 1 });
  });

  it('not by one that leaves the request, or that ended TIME_WAIT', () => {
    const outside = refused({ tcp: tcp('R', { tsval: 100 }), socket: { tsRecent: 100, requestLeft: true } });
    const verdict = { ...outside.verdict, outcome: 'worked' as const, cause: 'rst-did-its-work' };
    const freed = { func: 'kfree_skb', tcp: tcp('R'), drop: { location: 'tcp_v4_rcv+0x1', noLoss: 'it worked' } };
    const ofTimeWait = traceOf([{ func: 'tcp_timewait_state_process', tcp: tcp('R') }, freed], { verdict });
    const ofRequest = traceOf([freed], { verdict });
    const attribution = attribute(outside, ofTimeWait, ofRequest);
    for (const name of ['TcpExtEmbryonicRsts', 'TcpAttemptFails'])
      expect(attribution.explain(name, 1n, { netns: NS })?.traces.ids).toEqual([ofRequest.id]);
  });

  it('only in the namespace where it happened, and only between the readings', () => {
    const attribution = attribute(refused(), refused({ t: 99 }), refused({ t: 201 }), refused({ netns: 44 }));
    expect(attribution.explain('TcpExtPAWSEstab', 3n, { netns: NS })).toMatchObject({ explained: 1, unexplained: 2 });
    expect(attribution.explain('TcpExtPAWSEstab', 1n, { netns: OTHER })).toMatchObject({
      explained: 0,
      unexplained: 1,
    });
    expect(attribution.explain('TcpExtPAWSEstab', 1n, { netns: 44 })).toMatchObject({ explained: 0 });
  });

  it('once by a trace that two rules fit', () => {
    const one = refused();
    one.verdict.cause = 'paws-reject-in-handshake';
    expect(attribute(one).explain('TcpExtPAWSEstab', 2n, { netns: NS })).toMatchObject({
      explained: 1,
      unexplained: 1,
    });
  });

  it('as often as it was sent again', () => {
    const note = { level: 'warning' as const, text: 'packet is retransmitted' };
    const syn = { stage: 'tcp-out', tcp: tcp('S') };
    const sent = { ...syn, func: '__tcp_transmit_skb' };
    const again = { ...syn, func: '__tcp_retransmit_skb', notes: [note] };
    const attribution = attribute(traceOf([sent, again, sent, again, sent]));
    for (const name of ['TcpExtTCPSynRetrans', 'TcpRetransSegs'])
      expect(attribution.explain(name, 2n, { netns: NS })).toMatchObject({ explained: 2, traces: { count: 1 } });
  });

  it('not by what was to be sent again, and was not', () => {
    const note = { level: 'warning' as const, text: 'packet is retransmitted' };
    const data = { stage: 'tcp-out', tcp: tcp('AP', { payload: 5 }) };
    const [sent, again] = [
      { ...data, func: '__tcp_transmit_skb' },
      { ...data, func: '__tcp_retransmit_skb', notes: [note] },
    ];
    const clone = { ...data, func: 'net_dev_queue', skb: 1 };
    const attribution = attribute(traceOf([again, again, clone, sent, again, { ...data, func: '__kfree_skb' }]));
    for (const name of ['TcpRetransSegs', 'TcpExtTCPSlowStartRetrans', 'TcpExtTCPLossProbes'])
      expect(attribution.explain(name, 3n, { netns: NS })).toMatchObject({ explained: 1 });
    // the timer ran out nevertheless
    expect(attribution.explain('TcpExtTCPTimeouts', 3n, { netns: NS })).toMatchObject({ explained: 3 });
    const told = traceOf([{ ...data, func: 'tcp_retransmit_skb', notes: [note] }]);
    expect(attribute(told).explain('TcpRetransSegs', 1n, { netns: NS })).toMatchObject({ explained: 1 });
  });

  it('as often as it was sent again, also where the function that does so is inlined', () => {
    const sent = { stage: 'tcp-out', tcp: tcp('S'), func: '__tcp_transmit_skb' };
    const attribution = attribute(traceOf([sent, sent, sent]), traceOf([sent]));
    for (const name of ['TcpExtTCPSynRetrans', 'TcpRetransSegs', 'TcpExtTCPTimeouts'])
      expect(attribution.explain(name, 3n, { netns: NS })).toMatchObject({ explained: 2, traces: { count: 1 } });
  });

  it('by a trace that could have moved it far more often, where nothing else comes nearer', () => {
    const note = { level: 'warning' as const, text: 'packet is retransmitted' };
    const again = { stage: 'tcp-out', tcp: tcp('AP', { payload: 5 }), func: '__tcp_retransmit_skb', notes: [note] };
    const sent = { ...again, func: '__tcp_transmit_skb', notes: [] };
    const moved = attribute(traceOf([again, sent, again, sent, again, sent])).explain('TcpExtTCPLossProbes', 1n, {
      netns: NS,
    });
    expect(moved).toMatchObject({ explained: 1, evidence: 3, traces: { count: 1 } });
  });

  it('by each time that conntrack takes a packet for invalid', () => {
    const invalid = {
      func: 'nf_conntrack_tcp_packet',
      notes: [{ level: 'warning' as const, text: 'conntrack takes the packet for INVALID' }],
    };
    expect(attribute(traceOf([invalid, invalid])).explain('conntrack:invalid', 2n, { netns: NS })).toMatchObject({
      explained: 2,
    });
  });

  it('by keepalive: the probes, and the RST that gives the connection up', () => {
    const sent = (flags: string, seq: number, start: number) =>
      traceOf([{ func: 'net_dev_queue', stage: 'device-out', tcp: tcp(flags, { seq }) }], { start });
    const [syn, probe, again, reset] = [sent('S', 0, 1), sent('A', 0, 2), sent('A', 0, 3), sent('AR', 1, 4)];
    const attribution = attribute(syn, probe, again, reset);
    const ids = (name: string, delta: bigint) => attribution.explain(name, delta, { netns: NS })?.traces.ids;
    expect(ids('TcpExtTCPKeepAlive', 2n)).toEqual([probe.id, again.id]);
    expect(ids('TcpExtTCPAbortOnTimeout', 1n)).toEqual([reset.id]);
    expect(ids('TcpEstabResets', 1n)).toEqual([reset.id]);
    expect(attribute(syn, sent('AR', 1, 2)).explain('TcpExtTCPAbortOnTimeout', 1n, { netns: NS })?.explained).toBe(0);
  });

  it('by a SYN that this host answers itself with an ICMP error; by none that is too large, or comes from elsewhere', () => {
    const answered = (text: string, stage = 'tcp-out') =>
      traceOf([
        { func: '__tcp_transmit_skb', stage, tcp: tcp('S') },
        { func: '__icmp_send', stage: 'icmp', tcp: tcp('S'), notes: [{ level: 'warning', text }] },
      ]);
    const [refused, large] = ['destination unreachable', 'fragmentation needed'].map((what) =>
      answered(`ICMP error: ${what}`),
    );
    const forwarded = answered('ICMP error: destination unreachable', 'ip-in');
    const moved = attribute(refused!, large!, forwarded).explain('TcpAttemptFails', 1n, { netns: NS });
    expect(moved?.traces.ids).toEqual([refused!.id]);
  });

  it('by what was sent again in vain: each timer, the last one too, and the end of the connection', () => {
    const vain = (flags: string, ...closing: SkbTrace[]) => {
      const again = [
        { t: 151.01, func: '__tcp_retransmit_skb' },
        { t: 151.01, func: '__tcp_transmit_skb' },
        { t: 153.03, func: '__tcp_retransmit_skb' },
        { t: 153.03, func: '__tcp_transmit_skb' },
      ].map((event) => ({ ...event, notes: [{ level: 'warning' as const, text: 'packet is retransmitted' }] }));
      const segment = traceOf(
        [{ func: '__tcp_transmit_skb' }, ...again, { t: 157.04, func: '__kfree_skb' }].map((event) => ({
          ...event,
          stage: 'tcp-out',
          tcp: tcp(flags, { payload: flags === 'S' ? 0 : 5 }),
        })),
        { start: 150 },
      );
      const attribution = attribute(segment, ...closing);
      const names = ['TcpExtTCPTimeouts', 'TcpExtTCPLostRetransmit', 'TcpExtTCPAbortOnTimeout'];
      const all = [...names, 'TcpAttemptFails', 'TcpEstabResets'];
      return all.map((name) => attribution.explain(name, 9n, { netns: NS })?.explained);
    };
    expect(vain('S')).toEqual([3, 1, 1, 1, 0]);
    expect(vain('AP')).toEqual([3, 1, 1, 0, 1]);
    const fin = traceOf([{ t: 150.5, func: '__tcp_transmit_skb', stage: 'tcp-out', tcp: tcp('AF', { seq: 6 }) }], {
      start: 150.5,
    });
    expect(vain('AP', fin)).toEqual([3, 1, 1, 0, 0]);
  });

  it('by the segments that close and open the window, where that is between the readings', () => {
    const wins = [9, 0, 4].map((win, i) =>
      traceOf([{ t: 199 + i, func: 'net_dev_queue', stage: 'device-out', tcp: tcp('A', { win }) }]),
    );
    const attribution = attribute(...wins);
    const ids = (name: string) => attribution.explain(name, 1n, { netns: NS })?.traces.ids;
    expect(ids('TcpExtTCPToZeroWindowAdv')).toEqual([wins[1]!.id]);
    expect(ids('TcpExtTCPFromZeroWindowAdv')).toEqual([]);
  });

  it('by what is queued out of order: data, or a FIN, behind the next number', () => {
    const queued = (flags: string, seq: number, payload: number) =>
      traceOf([{ func: 'tcp_data_queue', stage: 'tcp-in', tcp: tcp(flags, { seq, payload }), socket: { rcvNxt: 10 } }]);
    const [data, fin, next, ack] = [queued('AP', 11, 5), queued('AF', 11, 0), queued('AP', 10, 5), queued('A', 11, 0)];
    const moved = attribute(data!, fin!, next!, ack!).explain('TcpExtTCPOFOQueue', 2n, { netns: NS });
    expect(moved?.traces.ids).toEqual([data!.id, fin!.id]);
    const note = { level: 'error' as const, text: 'there is no room in the receive buffer for this segment' };
    const dropped = queued('AP', 11, 5);
    dropped.events.push(traceEvent({ t: 150, netns: NS, func: 'tcp_try_rmem_schedule', notes: [note] }));
    const others = attribute(dropped, data!);
    expect(others.explain('TcpExtTCPOFODrop', 1n, { netns: NS })?.traces.ids).toEqual([dropped.id]);
    expect(others.explain('TcpExtTCPOFOQueue', 1n, { netns: NS })?.traces.ids).toEqual([data!.id]);
  });

  it('by the one of two MD5 mismatches that its reason names, where there is one', () => {
    const refusal = (reason?: string) =>
      traceOf([{ func: 'kfree_skb', drop: { location: 'tcp_v4_rcv+0x1', ...(reason ? { reason } : {}) } }], {
        verdict: { outcome: 'dropped', cause: 'tcp-md5-mismatch', facts: [], text: '', advice: [], evidence: [] },
      });
    const [missing, wrong, unnamed] = [refusal('TCP_MD5NOTFOUND'), refusal('TCP_MD5FAILURE'), refusal()];
    const named = attribute(missing, wrong);
    expect(named.explain('TcpExtTCPMD5NotFound', 1n, { netns: NS })?.traces.ids).toEqual([missing.id]);
    expect(named.explain('TcpExtTCPMD5Failure', 1n, { netns: NS })?.traces.ids).toEqual([wrong.id]);
    expect(attribute(unnamed).explain('TcpExtTCPMD5Failure', 1n, { netns: NS })?.traces.ids).toEqual([unnamed.id]);
  });

  it('by a SYN at a connection in TIME_WAIT whose timestamp is older', () => {
    const syn = (tsval: number) =>
      traceOf([{ func: 'tcp_timewait_state_process', tcp: tcp('S', { tsval }), socket: { tsRecent: 100 }, ret: 2 }]);
    const [old, fresh] = [syn(1), syn(200)];
    expect(attribute(old, fresh).explain('TcpExtPAWSEstab', 1n, { netns: NS })?.traces.ids).toEqual([old.id]);
  });

  it('by no ACK, though the application closed its socket as if that had done it', () => {
    const socket = { state: 'ESTABLISHED', newState: 'CLOSE' };
    const told = (flags: string) => traceOf([{ func: 'inet_sock_set_state', tcp: tcp(flags), socket }]);
    const [ack, reset] = [told('A'), told('R')];
    expect(attribute(ack, reset).explain('TcpEstabResets', 1n, { netns: NS })?.traces.ids).toEqual([reset.id]);
  });

  it('by the ACK that would have begun TIME_WAIT', () => {
    const ends = (state: string) =>
      traceOf([{ func: 'tcp_rcv_state_process', stage: 'ip-in', tcp: tcp('A'), socket: { state, newState: 'CLOSE' } }]);
    const [closing, closed] = [ends('FIN_WAIT1'), ends('LAST_ACK')];
    const moved = attribute(closing, closed).explain('TcpExtTCPTimeWaitOverflow', 1n, { netns: NS });
    expect(moved?.traces.ids).toEqual([closing.id]);
  });

  it('by a SYN-ACK that was sent before', () => {
    const synAck = () => traceOf([{ func: '__ip_local_out', stage: 'ip-out', tcp: tcp('SA') }]);
    const [first, second] = [synAck(), synAck()];
    const moved = attribute(first, second).explain('TcpExtTCPSynRetrans', 1n, { netns: NS });
    expect(moved).toMatchObject({ explained: 1, traces: { ids: [second.id] } });
  });

  it('by the answer, or where that was not traced by what is answered', () => {
    const answered = () =>
      traceOf([
        { func: 'tcp_v4_rcv', stage: 'tcp-in', tcp: tcp('S') },
        {
          func: 'tcp_v4_send_reset',
          stage: 'tcp-out',
          tcp: tcp('S'),
          notes: [{ level: 'error', text: 'connection reset initiated by the TCP stack' }],
        },
      ]);
    const reset = traceOf([{ func: '__ip_local_out', stage: 'ip-out', tcp: tcp('AR') }]);
    const [a, b] = [answered(), answered()];
    expect(attribute(a, b).explain('TcpOutRsts', 2n, { netns: NS })?.traces.ids).toEqual([a.id, b.id]);
    expect(attribute(a, reset).explain('TcpOutRsts', 1n, { netns: NS })?.traces.ids).toEqual([reset.id]);
  });

  it('by some of the traces where it moved less than they could have moved it', () => {
    const attribution = attribute(refused(), refused(), refused());
    expect(attribution.explain('TcpExtPAWSEstab', 2n, { netns: NS })).toMatchObject({
      explained: 2,
      unexplained: 0,
      evidence: 3,
    });
  });

  it('by a drop of its interface', () => {
    const drop = { location: '__netif_receive_skb_core.constprop.0+0x12', reason: 'UNHANDLED_PROTO' };
    const attribution = attribute(
      traceOf([{ func: 'kfree_skb', stage: 'life', ifname: 'eth0', drop }], { proto: 'unknown' }),
    );
    const of = (ifname: string) => attribution.explain('link:rx_dropped', 1n, { netns: NS, ifname });
    expect(of('eth0')).toMatchObject({ name: 'rx_dropped', ifname: 'eth0', explained: 1 });
    expect(of('eth1')).toMatchObject({ explained: 0, unexplained: 1 });
  });

  it('of the machine by drops in any namespace', () => {
    const drop = { location: 'enqueue_to_backlog+0x1', reason: 'CPU_BACKLOG' };
    const attribution = attribute(traceOf([{ func: 'kfree_skb', netns: 99, drop }]));
    expect(attribution.explain('softnet:dropped', 1n, {})).toMatchObject({ explained: 1 });
  });
});

describe('a counter', () => {
  it('that no trace moved is unexplained, also one that is not known', () => {
    const attribution = attribute();
    expect(attribution.explain('TcpExtListenDrops', 3n, { netns: NS })).toMatchObject({ explained: 0, unexplained: 3 });
    const unknown = attribution.explain('TcpExtOfTomorrow', 1n, { netns: NS });
    expect(unknown).toMatchObject({ delta: 1, unexplained: 1 });
    expect(unknown).not.toHaveProperty('meaning');
  });

  it('of plain traffic, or that is a setting, is not explained', () => {
    for (const name of ['TcpInSegs', 'IpForwarding', 'Icmp6OutType135'])
      expect(attribute().explain(name, 1n, { netns: NS })).toBeUndefined();
  });

  it('that a double cannot hold is a string', () => {
    expect(attribute().explain('TcpExtListenDrops', 2n ** 60n, { netns: NS })?.delta).toBe('1152921504606846976');
  });
});
