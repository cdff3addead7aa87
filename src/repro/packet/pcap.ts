import { inspect } from 'node:util';
import { bytesOf, concat, Fields } from './fields.js';

/** LINKTYPE_ETHERNET, libpcap's DLT_EN10MB: packets begin with an Ethernet header. */
export const LINKTYPE_ETHERNET = 1;

export interface PcapOptions {
  /** Timestamps in nanoseconds; default microseconds. */
  nanoseconds?: boolean;
  /** LINKTYPE_ number of libpcap; default 1, Ethernet. */
  linkType?: number;
}

export interface PcapRecord {
  bytes: Uint8Array;
  /** Nanoseconds since 1970. */
  time: bigint;
  /** Bytes that the packet had, where the end is missing in `bytes`. */
  originalLength?: number;
}

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const SNAP_LENGTH = 262_144;

/** A file's head (24 bytes, big-endian), which comes once, before all records. */
export function pcapHead({ nanoseconds = false, linkType = LINKTYPE_ETHERNET }: PcapOptions = {}): Uint8Array {
  const fields = new Fields(24);
  fields.u32(0, nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, 'magic');
  fields.u16(4, 2, 'version');
  fields.u16(6, 4, 'version');
  fields.u32(16, SNAP_LENGTH, 'snap length');
  fields.u32(20, linkType, 'linkType');
  return fields.bytes;
}

/** One packet of a file with the same options. Seconds from 1970 to 2106; a time outside is a RangeError, what is no record a TypeError. */
export function pcapRecord(record: PcapRecord, { nanoseconds = false }: PcapOptions = {}): Uint8Array {
  const { time } = record;
  const bytes = bytesOf(record.bytes, 'bytes');
  const { originalLength = bytes.length } = record;
  if (typeof time !== 'bigint') throw new TypeError(`time must be a bigint of nanoseconds, not ${inspect(time)}`);
  const fraction = Number(time % 1_000_000_000n);
  const fields = new Fields(16);
  fields.u32(0, Number(time / 1_000_000_000n), 'time (seconds)');
  fields.u32(4, nanoseconds ? fraction : Math.floor(fraction / 1000), 'time (fraction)');
  fields.u32(8, bytes.length, 'length');
  fields.u32(12, originalLength, 'originalLength');
  return concat(fields.bytes, bytes);
}

/** A whole file that tcpdump, tshark and the like read. */
export function pcapFile(records: Iterable<PcapRecord>, options: PcapOptions = {}): Uint8Array {
  return concat(pcapHead(options), ...Array.from(records, (record) => pcapRecord(record, options)));
}

/** The same piece by piece, for `Readable.from()` and `pipeline()`. */
export async function* pcapStream(
  records: Iterable<PcapRecord> | AsyncIterable<PcapRecord>,
  options: PcapOptions = {},
): AsyncGenerator<Uint8Array> {
  yield pcapHead(options);
  for await (const record of records) yield pcapRecord(record, options);
}
