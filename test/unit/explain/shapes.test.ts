import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { OpenTrace } from '../../../src/assemble/assembler.js';
import { TraceBuilder } from '../../../src/explain/trace-builder.js';
import { EventKind } from '../../../src/generated/layout.js';
import { PROBES } from '../../../src/generated/probes.js';
import { assembleOne } from '../../support/assembled.js';
import { kernelWithSymbols } from '../../support/real-kernel.js';
import { ETH_P_ARP, ETH_P_IP, keptTrace, type RecordInput, TcpFlag, tcpPacket } from '../../support/records.js';
import { attached, probeNamed } from '../../support/traces.js';

/** Functions about which there are rules, and some about which there are none. */
const NAMES = PROBES.filter((probe) => probe.symbols !== undefined).map((probe) => probe.name);
const LOCATIONS = [0xffffffff81a00000n, 0xffffffff81a01010n];
const SYMBOLS = ['ffffffff81a00000 T tcp_v4_rcv', 'ffffffff81a01000 T tcp_v4_do_rcv'];

const flags = fc.constantFrom(TcpFlag.S, TcpFlag.S | TcpFlag.A, TcpFlag.A, TcpFlag.R, TcpFlag.F | TcpFlag.A);
const packet = fc.oneof(
  { weight: 8, arbitrary: fc.record({ tcpFlags: flags, sport: fc.integer({ min: 1, max: 9 }), seq: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ payload: fc.constantFrom(0, 5), daddr: fc.constantFrom([224, 0, 0, 1], [10, 0, 0, 9]) }),
  },
  { weight: 1, arbitrary: fc.record({ l3Proto: fc.constantFrom(0, ETH_P_ARP), arpOp: fc.constantFrom(1, 2) }) },
  { weight: 1, arbitrary: fc.record({ l4Proto: fc.constantFrom(1, 17), icmpType: fc.constantFrom(3, 8) }) },
);
const place = fc.record({ ifname: fc.constantFrom('eth0', 'eth1'), netns: fc.constantFrom(4026531840, 4026532000) });

const parts = {
  packet,
  meta: place,
  ret: fc.constantFrom(0, 1, -1, -12, 0xffff888000001000n, 0x100000001n),
  drop: fc.record({ location: fc.constantFrom(...LOCATIONS), reason: fc.constantFrom(2, 3, 5, undefined) }),
  socket: fc.record({ state: fc.constantFrom(0, 1, 10, 12), newState: fc.constantFrom(0, 1) }),
  bytes: fc.record({ bytes: fc.constantFrom(Uint8Array.of(), Uint8Array.of(1, 2)), length: fc.constantFrom(2, 9) }),
  netfilter: fc.record({ family: fc.constant(2), hook: fc.constantFrom(1, 3), hasState: fc.boolean() }),
};
/** Where flags, states and values decide. */
const TELLING = [
  'tcp_v4_rcv',
  'tcp_rcv_state_process',
  'tcp_v4_send_reset',
  'tcp_conn_request',
  'nf_hook_slow',
  'skb_clone',
];
const probe = fc.oneof(fc.nat(NAMES.length - 1), fc.constantFrom(...TELLING.map((name) => NAMES.indexOf(name))));
const event = fc.record(
  { probe, skb: fc.constantFrom(0xffff888012345600n, 0xffff888012345700n), ...parts },
  { requiredKeys: ['probe', 'packet', 'skb'] },
);
/** One part of one event is another, or there, or not: a trace of almost the same shape. */
const change = fc.record({
  at: fc.nat(3),
  part: fc.oneof(...Object.entries(parts).map(([name, value]) => value.map((one) => ({ [name]: one })))),
});

function recordInput(drawn: Partial<RecordInput>): RecordInput {
  const { drop, ret } = drawn;
  const kind = drop ? EventKind.drop : ret === undefined ? EventKind.visit : EventKind.return;
  return { ...drawn, kind, packet: { ...tcpPacket(), l3Proto: ETH_P_IP, ...drawn.packet } };
}

it('what is kept for a shape is what the rules say of each trace of it', (ctx) => {
  const kernel = kernelWithSymbols(ctx, SYMBOLS);
  const outcomes = NAMES.map((name, i) => attached(probeNamed(name), i, i % 5 ? 'int' : 'struct sk_buff *'));
  const shared = new TraceBuilder(kernel, outcomes, false);
  const asking = new TraceBuilder(kernel, outcomes, false);
  let compared = 0;
  const compare = (open: OpenTrace) => {
    // decoded events have no shape: all rules are asked
    const expected = asking.build(keptTrace(open));
    // each builder has a clock of its own
    expect({ ...shared.build(open), date: '' }).toEqual({ ...expected, date: '' });
    compared++;
  };
  const play = (inputs: readonly RecordInput[]) => assembleOne(inputs, compare);
  const drawnTraces = fc.array(event, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(drawnTraces, fc.array(change, { maxLength: 6 }), (drawn, changes) => {
      play(drawn.map(recordInput));
      play(drawn.map(recordInput));
      for (const { at, part } of changes)
        play(drawn.map((one, i) => recordInput(i === at % drawn.length ? { ...one, ...part } : one)));
    }),
    { numRuns: 1500 },
  );
  expect(compared).toBeGreaterThan(1500);
});
