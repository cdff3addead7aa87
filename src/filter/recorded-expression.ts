import { UsageError } from '../errors.js';
import { NotKnown, runClassic } from './classic-interpreter.js';
import type { PcapPrograms } from './pcap-expression.js';
import { type RecordedPacket, rebuildPacket } from './rebuilt-packet.js';

const WHAT = 'filter expression';
/** Tags are none of what is recorded: each packet would look as if it had none. */
const TAGS = /(?<![\w.-])vlan(?![\w.-])/;

export function notRecorded(what: string): UsageError {
  return new UsageError(`${WHAT}: whether packets match depends on ${what}, which traces do not record`, {
    advice: 'give it when tracing, or ask for addresses, ports, protocols, TCP flags, ICMP types or lengths',
  });
}

/**
 * An expression of pcap-filter(7), compiled, as a test of what traces hold of a packet: it runs on headers that are rebuilt
 * from that. `len` is the skb's length where it was seen. The test throws UsageError where something decides that
 * is not recorded; so does this for VLAN tags.
 */
export function recordedExpression(expression: string, programs: PcapPrograms): (packet: RecordedPacket) => boolean {
  if (TAGS.test(expression)) throw notRecorded('VLAN tags');
  return (packet) => {
    const results: boolean[] = [];
    for (const link of ['ethernet', 'raw'] as const) {
      const program = programs[link];
      const rebuilt = program && rebuildPacket(packet, link);
      if (!rebuilt) continue;
      try {
        results.push(runClassic(program, rebuilt) > 0);
      } catch (error) {
        if (error instanceof NotKnown) throw notRecorded(error.what);
        throw error;
      }
    }
    // whether there was an Ethernet header is not recorded: it must not matter
    if (results.length === 2 && results[0] !== results[1]) throw notRecorded("the link layer's header");
    return results[0] ?? false;
  };
}
