import { bytesOf, concat, copy, unsigned } from './fields.js';

/** An option of IPv4 or IPv6: its type, and what is behind its length byte. */
export interface IpOption {
  type: number;
  data: Uint8Array;
}
/** Bytes among options that are none, for example behind an end-of-options, or cut off. */
export interface RawOption {
  raw: Uint8Array;
}
export type AnyIpOption = IpOption | RawOption;

/** How a protocol's options are laid out. */
interface OptionForm {
  /** Types that are a byte alone, without length. */
  single: readonly number[];
  /** The type behind which nothing is an option any more, if any. */
  end: number | undefined;
  /** What the length byte counts beyond the data: 2 where type and length count. */
  counted: number;
}

export const IPV4_OPTIONS: OptionForm = { single: [0, 1], end: 0, counted: 2 };
export const IPV6_OPTIONS: OptionForm = { single: [0], end: undefined, counted: 0 };

export function encodeOptions(options: readonly AnyIpOption[], form: OptionForm, name: string): Uint8Array {
  return concat(
    ...options.map((option) => {
      if ('raw' in option) return bytesOf(option.raw, `${name}: raw`);
      const { type } = option;
      const data = bytesOf(option.data, `${name}: data`);
      if (!form.single.includes(type))
        return concat(
          Uint8Array.of(unsigned(type, 8, `${name}: type`), unsigned(data.length + form.counted, 8, `${name}: length`)),
          data,
        );
      if (data.length) throw new RangeError(`${name} of type ${type} has no data`);
      return Uint8Array.of(type);
    }),
  );
}

/** All of `bytes`, so that encoding gives them again. `complete` is false where the last is cut off. */
export function decodeOptions(bytes: Uint8Array, form: OptionForm): { options: AnyIpOption[]; complete: boolean } {
  const options: AnyIpOption[] = [];
  let at = 0;
  let ended = false;
  while (at < bytes.length) {
    const type = bytes[at] ?? 0;
    if (ended && type !== form.end) return { options: [...options, { raw: copy(bytes.subarray(at)) }], complete: true };
    if (form.single.includes(type)) {
      options.push({ type, data: new Uint8Array(0) });
      ended ||= type === form.end;
      at++;
      continue;
    }
    const size = (bytes[at + 1] ?? 0) - form.counted;
    const end = at + 2 + size;
    if (at + 1 >= bytes.length || size < 0 || end > bytes.length)
      return { options: [...options, { raw: copy(bytes.subarray(at)) }], complete: false };
    options.push({ type, data: copy(bytes.subarray(at + 2, end)) });
    at = end;
  }
  return { options, complete: true };
}
