import type { PacketBytes } from '../types.js';
import { knownPacket, NotKnown, runClassic } from './classic-interpreter.js';
import type { PcapPrograms } from './pcap-expression.js';

/** Bytes of a packet from one of its headers on. */
export interface RecordedBytes {
  bytes: Uint8Array;
  link: PacketBytes['link'];
  /** Of the whole packet, from there on. */
  length: number;
  /** There are more that were not recorded. */
  isCut: boolean;
  /** How many were recorded of the packet, from its first header on. */
  recorded: number;
}

export function recordedBytes({ hex, link, length, cut = false }: PacketBytes): RecordedBytes {
  const bytes = Buffer.from(hex, 'hex');
  return { bytes, link, length, isCut: cut, recorded: bytes.length };
}

/** What is behind the last recorded byte; thrown where it decides. */
export function behindTheLast({ recorded }: RecordedBytes): NotKnown {
  return new NotKnown(`bytes behind the first ${recorded}`);
}

/** Runs the program for such packets as the kernel side does; what a link type does not have matches nothing of it. */
export function runOnBytes(programs: PcapPrograms, packet: RecordedBytes): boolean {
  const program = programs[packet.link];
  if (!program) return false;
  const { bytes, length, isCut } = packet;
  const nameOf = () => behindTheLast(packet).what;
  return runClassic(program, { ...knownPacket(bytes, length), isWhole: !isCut, nameOf }) > 0;
}
