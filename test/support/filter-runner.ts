import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BpfObject } from '#bpf-loader';
import { linkFunction } from '../../src/filter/link-function.js';

export const FIXTURE = fileURLToPath(new URL('../../build/fixtures/filter-fixture.bpf.o', import.meta.url));
/** struct packet in filter-fixture.bpf.c */
const PACKET = { captured: 0, length: 4, bytes: 8, size: 8 + 2048 } as const;

/** Bytes that were captured of a packet, and how many it had. */
export interface Captured {
  bytes: Uint8Array;
  length: number;
}

function packetValue({ bytes, length }: Captured, window: number): Buffer {
  const value = Buffer.alloc(PACKET.size);
  value.writeUInt32LE(Math.min(bytes.length, window), PACKET.captured);
  value.writeUInt32LE(length, PACKET.length);
  value.set(bytes.subarray(0, window), PACKET.bytes);
  return value;
}

/**
 * Which of the packets a generated function accepts, run by the kernel. It gets no more of them than the first `window`
 * bytes.
 */
export function runFilter(body: Uint8Array, program: number, packets: readonly Captured[], window: number): boolean[] {
  const object = BpfObject.open(linkFunction(readFileSync(FIXTURE), 'generated_filter', body), { name: 'filter' });
  try {
    object.load();
    const map = object.map('packets');
    return packets.map((packet, i) => {
      map.update(Buffer.from(new Uint32Array([i]).buffer), packetValue(packet, window));
      return object.testRun('run_filter', Buffer.from(new BigUint64Array([BigInt(i), BigInt(program)]).buffer)) !== 0;
    });
  } finally {
    object.close();
  }
}

/** The packets as a file of pcap(5); the time of each is its number. */
function pcapFile(packets: readonly Captured[], linkType: number): Buffer {
  const header = Buffer.from(new Uint32Array([0xa1b2c3d4, 0x00040002, 0, 0, 262144, linkType]).buffer);
  const records = packets.flatMap(({ bytes, length }, i) => [
    Buffer.from(new Uint32Array([i, 0, bytes.length, length]).buffer),
    bytes,
  ]);
  return Buffer.concat([header, ...records]);
}

/** Which of the packets tcpdump shows for each expression; its error message where it refuses the expression. */
export function runTcpdump(
  expressions: readonly string[],
  packets: readonly Captured[],
  linkType: number,
): (boolean[] | string)[] {
  const folder = mkdtempSync(join(tmpdir(), 'nettrace-filter-'));
  const file = join(folder, 'packets.pcap');
  try {
    writeFileSync(file, pcapFile(packets, linkType));
    return expressions.map((expression) => {
      const words = ['-Z', 'root', '-n', '-r', file, '-w', '-', '--', expression];
      const { status, stdout, stderr, error } = spawnSync('tcpdump', words, { maxBuffer: 1 << 26 });
      if (error) throw error;
      return status === 0 ? shown(stdout, packets.length) : stderr.toString();
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function shown(file: Buffer, count: number): boolean[] {
  const found = Array.from({ length: count }, () => false);
  for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) found[file.readUInt32LE(at)] = true;
  return found;
}
