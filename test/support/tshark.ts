import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pcapFile } from '../../src/repro/packet/index.js';
import { hasProgram } from './shells.js';

export const missingTshark = hasProgram('tshark') ? null : 'tshark is missing';

/** A protocol's fields of one packet, in order; subtrees are flat. */
export type DissectedFields = Map<string, string[]>;
/** What tshark made of one packet: for each protocol, from the outside, its fields. */
export type Dissected = Map<string, DissectedFields[]>;

const PROTOCOLS = [
  ...['frame', 'eth', 'ethertype', 'vlan', 'ieee8021ad', 'arp', 'ip', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6'],
  ...['ipv6.hopopts', 'ipv6.dstopts', 'ipv6.routing', 'ipv6.fraghdr', 'vxlan', 'gre', 'data'],
];
const PREFERENCES = [
  ...['ip.check_checksum:TRUE', 'tcp.check_checksum:TRUE', 'udp.check_checksum:TRUE'],
  ...['tcp.desegment_tcp_streams:FALSE', 'tcp.analyze_sequence_numbers:FALSE', 'eth.fcs:Never'],
];

/** Asked once for a file of tests. */
let otherProtocols: string[] | undefined;

function run(words: string[], folder: string): string {
  const env = { ...process.env, WIRESHARK_CONFIG_DIR: folder };
  const result = spawnSync('tshark', words, { encoding: 'utf8', env, maxBuffer: 1 << 30 });
  if (result.status !== 0) throw new Error(`tshark ${words.join(' ')}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

/**
 * Dissects all packets in one run of tshark, with the protocols alone that are crafted here: what others guess from
 * ports and contents stays out. Fragments are put together only with `reassemble`. `folder` is for files of the run.
 */
export function dissect(
  folder: string,
  packets: readonly Uint8Array[],
  options: { reassemble?: boolean } = {},
): Dissected[] {
  const file = join(folder, 'packets.pcap');
  writeFileSync(file, pcapFile(packets.map((bytes, i) => ({ bytes, time: BigInt(i) * 1000n }))));
  return dissectFile(folder, file, options);
}

export function dissectFile(folder: string, file: string, { reassemble = false } = {}): Dissected[] {
  otherProtocols ??= run(['-G', 'protocols'], folder)
    .split('\n')
    .map((line) => line.split('\t')[2] ?? '')
    .filter((name) => name && !PROTOCOLS.includes(name) && !/^(tcp|ip|eth)[._]/.test(name));
  writeFileSync(join(folder, 'disabled_protos'), `${otherProtocols.join('\n')}\n`);
  const preferences = [...PREFERENCES, `ip.defragment:${reassemble}`, `ipv6.defragment:${reassemble}`];
  const words = ['-n', '-r', file, ...preferences.flatMap((one) => ['-o', one]), '-T', 'json', '--no-duplicate-keys'];
  const packets = JSON.parse(run(words, folder)) as { _source: { layers: Record<string, unknown> } }[];
  return packets.map(({ _source }) => dissectedOf(_source.layers));
}

type Tree = Record<string, unknown>;

function dissectedOf(layers: Record<string, unknown>): Dissected {
  const result: Dissected = new Map();
  for (const [name, trees] of Object.entries(layers)) {
    const list = [trees].flat().filter((tree): tree is Tree => typeof tree === 'object' && tree !== null);
    result.set(
      name,
      list.map((tree) => {
        const fields: DissectedFields = new Map();
        flatten(tree, fields);
        return fields;
      }),
    );
  }
  return result;
}

/** What is quoted in an ICMP error is a protocol of its own below the error's, and is left out. */
const QUOTED = ['ip', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6'];

function flatten(tree: Tree, fields: DissectedFields): void {
  for (const [name, values] of Object.entries(tree)) {
    for (const value of [values].flat()) {
      if (typeof value === 'string') fields.set(name, [...(fields.get(name) ?? []), value]);
      else if (typeof value === 'object' && value !== null && !QUOTED.includes(name)) flatten(value as Tree, fields);
    }
  }
}
