import { describe, expect, it } from 'vitest';
import { type SentBefore, SentHistory } from '../../../src/counters/sent-history.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

const TUPLE = { saddr: '10.0.0.1', sport: 41000, daddr: '10.0.0.2', dport: 8000 };
const NOTHING: SentBefore = { repeat: false, probe: false, abort: false, probed: false, recycles: false };

type Sent = [flags: string, seq: number, payload?: number, start?: number];

/** What the last of the segments is; they are sent a second apart, if it is not said when. */
function last(...segments: Sent[]): SentBefore {
  const history = new SentHistory();
  const all = segments.map(([flags, seq, payload = 0, start], i) => {
    const events = [traceEvent({ tcp: { seq, ack: 1, flags, win: 1, payload } })];
    return history.add(skbTrace({ tuple: TUPLE, start: start ?? i, events }));
  });
  return all.at(-1)!;
}

const SYN: Sent = ['S', 99];
const ACK: Sent = ['A', 100];
const PROBE: Sent = ['A', 99];
const RESET: Sent = ['AR', 100];

describe('a segment', () => {
  it('that is sent as before is a repetition; a bare ACK is none', () => {
    expect(last(SYN, SYN)).toEqual({ ...NOTHING, repeat: true });
    expect(last(SYN, ACK, ['AP', 100, 5], ['AP', 100, 5])).toEqual({ ...NOTHING, repeat: true });
    expect(last(SYN, ACK, ACK)).toEqual(NOTHING);
  });

  it('with the number before the next one is a probe', () => {
    expect(last(SYN, ACK, PROBE)).toEqual({ ...NOTHING, probe: true });
    expect(last(SYN, ACK, ['AP', 100, 5], ['A', 104])).toEqual({ ...NOTHING, probe: true });
    expect(last(['AP', 4_294_967_290, 6], ['A', 4_294_967_295])).toEqual({ ...NOTHING, probe: true });
  });

  it('is no probe where it was sent before the byte that follows it, or nothing is known', () => {
    expect(last(SYN, ['AP', 100, 1, 5], ['A', 100, 0, 4])).toEqual(NOTHING);
    expect(last(PROBE)).toEqual(NOTHING);
    expect(last(SYN, ['AR', 99])).toEqual(NOTHING);
  });

  it('is of another connection behind another SYN, whose numbers are lower', () => {
    expect(last(['AP', 1000, 5], SYN, ACK, PROBE)).toEqual({ ...NOTHING, probe: true });
  });

  it('that takes over a port in TIME_WAIT is a SYN 65537 behind the last number', () => {
    const closed: Sent[] = [SYN, ACK, ['AF', 100], ['A', 101]];
    expect(last(...closed, ['S', 65_638])).toEqual({ ...NOTHING, recycles: true });
    expect(last(...closed, ['S', 65_639])).toEqual(NOTHING);
    expect(last(['AF', 4_294_967_295], ['S', 65_537])).toEqual({ ...NOTHING, recycles: true });
    // sent again it is no second one, and a connection that was not closed is not in TIME_WAIT
    expect(last(...closed, ['S', 65_638], ['S', 65_638])).toEqual({ ...NOTHING, repeat: true });
    expect(last(SYN, ACK, ['S', 65_637])).toEqual(NOTHING);
  });

  it('by which a socket ends its connection is an RST with the next number', () => {
    expect(last(SYN, ACK, RESET)).toEqual({ ...NOTHING, abort: true });
    // an answer to what no socket wants has no ACK, and behind a FIN the connection was closed
    expect(last(SYN, ACK, ['R', 100])).toEqual(NOTHING);
    expect(last(SYN, ACK, ['AR', 0])).toEqual(NOTHING);
    expect(last(SYN, ['AF', 100], ['AR', 101])).toEqual(NOTHING);
  });

  it('may be an RST that nothing but probes was sent before', () => {
    expect(last(SYN, ACK, PROBE, PROBE, RESET)).toEqual({ ...NOTHING, abort: true, probed: true });
    expect(last(SYN, ACK, PROBE, ACK, RESET)).toEqual({ ...NOTHING, abort: true });
    expect(last(SYN, ACK, PROBE, ['AP', 100, 5], ['AR', 105])).toEqual({ ...NOTHING, abort: true });
  });
});
