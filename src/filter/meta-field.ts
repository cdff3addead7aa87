import type { BtfField, KernelBtf } from '#bpf-loader';
import type { FieldName } from './meta-parser.js';

/** Answers of the kernel's BTF; KernelBtf has them. */
export type FieldTypes = Pick<KernelBtf, 'field'>;

/** A number in memory. */
export interface NumberField {
  kind: 'number';
  bitSize: number;
  signed: boolean;
  /** Its type says that it is in network order: it is compared as the number that it stands for. */
  bigEndian: boolean;
}

/** Text in memory, up to its end or for `bytes` bytes. */
export interface TextField {
  kind: 'text';
  /** Undefined behind a pointer. */
  bytes: number | undefined;
}

/** How to get at a field of struct sk_buff. */
export interface ResolvedField {
  /** Bytes from the skb to the first pointer, from where that leads to the next one, ... to the first byte of the field. */
  offsets: number[];
  /** Bits of that byte that come before the field. */
  firstBit: number;
  type: NumberField | TextField;
  /** As C writes it. */
  typeText: string;
}

/** A path that the kernel has not; `at` is the name that is wrong. */
export class FieldError extends Error {
  readonly at: FieldName;

  constructor(message: string, at: FieldName) {
    super(message);
    this.at = at;
  }
}

/** Types that the kernel marks as big-endian (linux/types.h). */
const BIG_ENDIAN = /^(__be|be)(16|32|64)$/;

function typeOf(field: BtfField, wantsText: boolean, name: FieldName): NumberField | TextField {
  const number = (): NumberField => ({
    kind: 'number',
    bitSize: field.bitSize,
    signed: field.signed,
    bigEndian: BIG_ENDIAN.test(field.type.replace(/^(const|volatile) /, '')),
  });
  switch (field.kind) {
    case 'integer':
      return number();
    case 'pointer':
      return wantsText && field.element === 'character' ? { kind: 'text', bytes: undefined } : number();
    case 'array':
      if (field.element === 'character') return { kind: 'text', bytes: field.count };
      throw new FieldError(`'${name.name}' is an array (${field.type}), which cannot be compared`, name);
    case 'composite':
      throw new FieldError(`'${name.name}' is a ${field.type}: name one of its fields`, name);
    default:
      throw new FieldError(`'${name.name}' cannot be compared (${field.type})`, name);
  }
}

/**
 * Finds a field of struct sk_buff, through members that are structs and pointers to structs. `wantsText`: a pointer to
 * characters is meant as the string there. Throws FieldError.
 */
export function resolveField(btf: FieldTypes, path: readonly FieldName[], wantsText: boolean): ResolvedField {
  let owner: string | number = 'sk_buff';
  let ownerText = 'struct sk_buff';
  let bits = 0;
  const offsets: number[] = [];
  for (const [i, name] of path.entries()) {
    const field = btf.field(owner, name.name);
    if (!field) throw new FieldError(`${ownerText} of this kernel has no field '${name.name}'`, name);
    bits += field.bitOffset;
    if (i === path.length - 1) {
      const type = typeOf(field, wantsText, name);
      return { offsets: [...offsets, Math.floor(bits / 8)], firstBit: bits % 8, type, typeText: field.type };
    }
    const next = path[i + 1] ?? name;
    if (field.composite === null || field.kind === 'array')
      throw new FieldError(`'${name.name}' is a ${field.type}, which has no field '${next.name}'`, next);
    if (field.kind === 'pointer') {
      offsets.push(bits / 8);
      bits = 0;
    }
    owner = field.composite;
    ownerText = field.type.replace(/^const /, '').replace(/ \*.*$/, '');
  }
  throw new RangeError('a path has at least one name');
}
