import { bytesOf, concat, copy, Fields, noSuchKind, unsigned, viewOf } from './fields.js';

/** A TCP option as it is parsed (IANA, TCP parameters). */
export type TcpOption =
  | { kind: 'end' }
  | { kind: 'nop' }
  /** Maximum segment size, bytes. */
  | { kind: 'mss'; value: number }
  | { kind: 'window-scale'; shift: number }
  | { kind: 'sack-permitted' }
  | { kind: 'sack'; blocks: readonly { left: number; right: number }[] }
  | { kind: 'timestamps'; tsval: number; tsecr: number }
  /** RFC 2385; 16 bytes. */
  | { kind: 'md5'; digest: Uint8Array }
  /** RFC 5925. */
  | { kind: 'ao'; keyId: number; nextKeyId: number; mac: Uint8Array }
  /** RFC 7413; empty to ask for a cookie. */
  | { kind: 'fast-open'; cookie: Uint8Array }
  /** Any other, and those above with a length that is not theirs. */
  | { kind: 'unknown'; number: number; data: Uint8Array }
  /** Bytes that are no option: behind an end, or cut off. */
  | { kind: 'raw'; data: Uint8Array };

/** An option to build: an MD5 digest may also be computed, from the key. */
export type TcpOptionDraft = TcpOption | { kind: 'md5'; key: string | Uint8Array };

const NUMBER = {
  end: 0,
  nop: 1,
  mss: 2,
  'window-scale': 3,
  'sack-permitted': 4,
  sack: 5,
  timestamps: 8,
  md5: 19,
  ao: 29,
  'fast-open': 34,
};
const MD5_BYTES = 16;
const NONE = new Uint8Array(0);

/** The options in order, not padded. A digest that is to be computed is zeroes; `md5At` are the places of such. */
export function encodeTcpOptions(options: readonly TcpOptionDraft[]): {
  bytes: Uint8Array;
  md5At: { at: number; key: string | Uint8Array }[];
} {
  const parts: Uint8Array[] = [];
  const md5At: { at: number; key: string | Uint8Array }[] = [];
  let at = 0;
  for (const option of options) {
    if (option.kind === 'md5' && 'key' in option) md5At.push({ at: at + 2, key: option.key });
    const part = encodeOption(option);
    parts.push(part);
    at += part.length;
  }
  return { bytes: concat(...parts), md5At };
}

function encodeOption(option: TcpOptionDraft): Uint8Array {
  switch (option.kind) {
    case 'end':
    case 'nop':
      return Uint8Array.of(NUMBER[option.kind]);
    case 'raw':
      return bytesOf(option.data, 'data of a tcp option');
    case 'unknown':
      return withLength(unsigned(option.number, 8, 'tcp option number'), bytesOf(option.data, 'data of a tcp option'));
    default:
      return withLength(NUMBER[option.kind], optionData(option));
  }
}

function withLength(number: number, data: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(number, unsigned(data.length + 2, 8, 'length of a tcp option')), data);
}

function optionData(option: Exclude<TcpOptionDraft, { kind: 'end' | 'nop' | 'raw' | 'unknown' }>): Uint8Array {
  switch (option.kind) {
    case 'mss':
      return words(2, [option.value], 'mss');
    case 'window-scale':
      return Uint8Array.of(unsigned(option.shift, 8, 'window scale'));
    case 'sack-permitted':
      return NONE;
    case 'sack':
      return words(
        4,
        option.blocks.flatMap(({ left, right }) => [left, right]),
        'sack edge',
      );
    case 'timestamps':
      return words(4, [option.tsval, option.tsecr], 'timestamp');
    case 'md5':
      return 'key' in option ? new Uint8Array(MD5_BYTES) : bytesOf(option.digest, 'md5 digest');
    case 'ao':
      return concat(
        Uint8Array.of(unsigned(option.keyId, 8, 'ao key id'), unsigned(option.nextKeyId, 8, 'ao next key id')),
        bytesOf(option.mac, 'ao mac'),
      );
    case 'fast-open':
      return bytesOf(option.cookie, 'fast-open cookie');
    default:
      throw noSuchKind('tcp option', option);
  }
}

function words(size: 2 | 4, values: readonly number[], name: string): Uint8Array {
  const fields = new Fields(size * values.length);
  values.forEach((value, i) => {
    if (size === 2) fields.u16(size * i, value, name);
    else fields.u32(size * i, value, name);
  });
  return fields.bytes;
}

/** All of `bytes`, so that encoding gives them again. `complete` is false where the last is cut off. */
export function decodeTcpOptions(bytes: Uint8Array): { options: TcpOption[]; complete: boolean } {
  const options: TcpOption[] = [];
  let at = 0;
  let ended = false;
  while (at < bytes.length) {
    const number = bytes[at] ?? 0;
    if (ended && number !== NUMBER.end)
      return { options: [...options, { kind: 'raw', data: copy(bytes.subarray(at)) }], complete: true };
    if (number === NUMBER.end || number === NUMBER.nop) {
      options.push({ kind: number === NUMBER.end ? 'end' : 'nop' });
      ended ||= number === NUMBER.end;
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length)
      return { options: [...options, { kind: 'raw', data: copy(bytes.subarray(at)) }], complete: false };
    options.push(decodeOption(number, copy(bytes.subarray(at + 2, at + length))));
    at += length;
  }
  return { options, complete: true };
}

function decodeOption(number: number, data: Uint8Array): TcpOption {
  const view = viewOf(data);
  const { length } = data;
  if (number === NUMBER.mss && length === 2) return { kind: 'mss', value: view.getUint16(0) };
  if (number === NUMBER['window-scale'] && length === 1) return { kind: 'window-scale', shift: view.getUint8(0) };
  if (number === NUMBER['sack-permitted'] && length === 0) return { kind: 'sack-permitted' };
  if (number === NUMBER.sack && length > 0 && length % 8 === 0) {
    const blocks = Array.from({ length: length / 8 }, (_, i) => ({
      left: view.getUint32(8 * i),
      right: view.getUint32(8 * i + 4),
    }));
    return { kind: 'sack', blocks };
  }
  if (number === NUMBER.timestamps && length === 8)
    return { kind: 'timestamps', tsval: view.getUint32(0), tsecr: view.getUint32(4) };
  if (number === NUMBER.md5 && length === MD5_BYTES) return { kind: 'md5', digest: data };
  if (number === NUMBER.ao && length >= 2)
    return { kind: 'ao', keyId: view.getUint8(0), nextKeyId: view.getUint8(1), mac: data.slice(2) };
  if (number === NUMBER['fast-open']) return { kind: 'fast-open', cookie: data };
  return { kind: 'unknown', number, data };
}
