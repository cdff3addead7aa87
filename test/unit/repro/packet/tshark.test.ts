import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AnyLayer, build, parse } from '../../../../src/repro/packet/index.js';
import { useFolder } from '../../../support/folder.js';
import { anyFrame } from '../../../support/packet-arbitraries.js';
import { dissect, missingTshark } from '../../../support/tshark.js';
import { checksumsShown, disagreements } from '../../../support/tshark-compare.js';

/** Packets of a run: tshark starts slowly, and is quick then. */
const PACKETS = 1500;

const folder = useFolder();

/** Random packets, and the seed that makes the same again. */
function randomPackets(): { seed: number; packets: AnyLayer[][] } {
  const seed = Number(process.env.PACKET_SEED ?? Date.now() % 2 ** 31);
  return { seed, packets: fc.sample(anyFrame, { seed, numRuns: PACKETS }) };
}

/** A packet in one line, for complaints. */
function text(layers: readonly AnyLayer[]): string {
  const short = (_: string, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  return JSON.stringify(layers, short);
}

/** Of what was asked for, what is not in the layers that were parsed. */
function lostFields(asked: readonly AnyLayer[], parsed: readonly AnyLayer[]): string[] {
  return asked.flatMap((layer, at) =>
    Object.entries(layer).flatMap(([name, value]) => {
      const found = (parsed[at] as unknown as Record<string, unknown> | undefined)?.[name];
      const same =
        value === undefined ||
        ['checksum', 'options', 'flags'].includes(name) ||
        text([found as AnyLayer]) === text([value]);
      return same ? [] : [`${layer.kind}.${name}: ${value}, parsed ${found}`];
    }),
  );
}

/** What a checksum that was asked for is to a dissector. */
function expectedStatus(layer: AnyLayer): string | undefined {
  if (!['ipv4', 'tcp', 'udp', 'icmp', 'icmpv6', 'gre'].includes(layer.kind)) return undefined;
  const asked = 'checksum' in layer ? layer.checksum : undefined;
  if (asked === 0 || (layer.kind === 'gre' && asked === undefined)) return 'none';
  return asked === 'wrong' ? 'bad' : 'good';
}

describe.skipIf(missingTshark)('random packets of all kinds', () => {
  it('are to tshark, field by field, what was asked for', () => {
    const { seed, packets } = randomPackets();
    const built = packets.map((layers) => build(layers));
    const complaints = dissect(folder(), built).flatMap((dissected, i) => {
      const { layers } = parse(built[i]!);
      const found = [...lostFields(packets[i]!, layers), ...disagreements(layers, dissected)];
      return found.length ? [`${found.join('; ')} in ${text(packets[i]!)}`] : [];
    });
    expect(complaints.slice(0, 3), `PACKET_SEED=${seed}`).toEqual([]);
  }, 60_000);

  it('have checksums that are right to tshark, and wrong only where that was asked for', () => {
    const { seed, packets } = randomPackets();
    const built = packets.map((layers) => build(layers));
    const complaints = dissect(folder(), built).flatMap((dissected, i) => {
      const layers = packets[i]!;
      const [expected, shown] = [layers.map(expectedStatus), checksumsShown(layers, dissected)];
      const { problems } = parse(built[i]!);
      const bad = expected.flatMap((status, at) => (status === 'bad' ? [at] : []));
      const same = expected.join() === shown.join() && problems.map(({ at }) => at).join() === bad.join();
      return same ? [] : [`${expected}, to tshark ${shown}, problems ${JSON.stringify(problems)} in ${text(layers)}`];
    });
    expect(complaints.slice(0, 3), `PACKET_SEED=${seed}`).toEqual([]);
  }, 60_000);
});
