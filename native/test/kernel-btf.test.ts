import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BpfError, KernelBtf } from '../index.js';
import { fixture, missing } from './support.js';

describe('BTF that another thread reads', () => {
  it.skipIf(missing.btf)('is the same, modules included', async () => {
    const [read, loaded] = [await KernelBtf.read(), KernelBtf.load()];
    loaded.loadModules();
    expect(read.function('vfs_open')).toEqual(loaded.function('vfs_open'));
    expect(read.functions({ pattern: '*_open' })).toEqual(loaded.functions({ pattern: '*_open' }));
  });

  it('says what is missing', async () => {
    await expect(KernelBtf.read('/no/such/file')).rejects.toMatchObject({ name: 'BpfError', code: 'ENOENT' });
    await expect(KernelBtf.read('/dev/null')).rejects.toBeInstanceOf(BpfError);
  });
});

describe('BTF of a compiled object', () => {
  const btf = KernelBtf.load(fixture('types'));

  it('gives the layout of a struct', () => {
    expect(btf.struct('outer')).toEqual({
      size: 56,
      members: [
        { name: 'first', bitOffset: 0, bitSize: 8, type: '__u8' },
        { name: 'bits', bitOffset: 8, bitSize: 3, type: '__u8' },
        { name: 'more', bitOffset: 11, bitSize: 5, type: '__u8' },
        { name: 'inner', bitOffset: 16, bitSize: 16, type: 'inner_t' },
        { name: '', bitOffset: 32, bitSize: 32, type: 'union {...}' },
        { name: 'next', bitOffset: 64, bitSize: 64, type: 'const struct inner *volatile' },
        { name: 'call', bitOffset: 128, bitSize: 64, type: 'int (*)(struct inner *, long)' },
        { name: 'matrix', bitOffset: 192, bitSize: 192, type: '__u32[2][3]' },
        { name: 'small', bitOffset: 384, bitSize: 32, type: 'enum small' },
      ],
    });
    expect(btf.structSize('outer')).toBe(56);
  });

  it('finds members inside of anonymous unions and structs', () => {
    expect(btf.member('outer', 'deeper')).toEqual({ offset: 6, size: 2, type: '__u16' });
    expect(btf.member('outer', 'in_union')).toEqual({ offset: 4, size: 4, type: '__u32' });
    expect(btf.member('outer', 'more')).toEqual({ offset: 1, size: 1, type: '__u8' });
    expect(btf.member('outer', 'a')).toBeNull();
    expect(btf.member('outer', '')).toBeNull();
    expect(btf.member('nothing', 'a')).toBeNull();
  });

  it('says of a field what its type is', () => {
    const inner = btf.field('outer', 'next')?.composite;
    expect(btf.field('outer', 'first')).toEqual({
      ...{ bitOffset: 0, bitSize: 8, type: '__u8', kind: 'integer', signed: false, element: null },
      ...{ count: 0, composite: null },
    });
    expect(btf.field('outer', 'more')).toMatchObject({ bitOffset: 11, bitSize: 5, kind: 'integer' });
    expect(btf.field('outer', 'small')).toMatchObject({ kind: 'integer', bitSize: 32 });
    expect(btf.field('outer', 'next')).toMatchObject({ kind: 'pointer', element: 'composite' });
    expect(btf.field('outer', 'inner')).toMatchObject({ kind: 'composite', composite: inner });
    expect(btf.field('outer', 'call')).toMatchObject({ kind: 'pointer', element: 'other', composite: null });
    expect(btf.field('outer', 'matrix')).toMatchObject({ kind: 'array', element: 'other', count: 2 });
    expect(btf.field('outer', 'in_union')).toMatchObject({ bitOffset: 32 });
    expect(btf.field(inner!, 'a')).toMatchObject({ bitOffset: 0 });
    expect(btf.field('outer', 'a')).toBeNull();
    expect(btf.field('nothing', 'a')).toBeNull();
    expect(btf.field(0xffffffff, 'a')).toBeNull();
  });

  it('gives the values of enums, negative and 64-bit ones too', () => {
    expect(btf.enumValues('small')).toEqual(
      new Map([
        ['SMALL_MINUS', -2],
        ['SMALL_ZERO', 0],
        ['SMALL_TEN', 10],
      ]),
    );
    expect(btf.enumValues('nothing')).toBeNull();
  });

  it('describes functions, their parameters and what these point to', () => {
    expect(btf.function('helper_function')).toMatchObject({
      module: null,
      static: true,
      returns: 'int',
      parameters: [
        { name: 'o', type: 'const struct outer *', pointsTo: 'outer' },
        { name: 'value', type: 'int', pointsTo: null },
      ],
    });
    expect(btf.functions({ pointsTo: 'outer' }).map((func) => func.name)).toEqual(['helper_function']);
    expect(btf.functions({ pattern: 'calls_?_f*n' }).map((func) => func.name)).toEqual(['calls_a_function']);
    expect(btf.functions({ pattern: 'helper' })).toEqual([]);
    expect(btf.hasTracepoint('kfree_skb')).toBe(false);
    expect(btf.tracepoint('kfree_skb')).toBeNull();
  });
});

describe.skipIf(missing.btf)('BTF of the kernel', () => {
  const btf = KernelBtf.load();

  it('knows the functions that take a socket buffer', () => {
    expect(btf.function('tcp_v4_rcv')).toEqual({
      name: 'tcp_v4_rcv',
      module: null,
      returns: 'int',
      static: expect.any(Boolean),
      parameters: [{ name: 'skb', type: 'struct sk_buff *', pointsTo: 'sk_buff' }],
    });
    const all = btf.functions({ pointsTo: 'sk_buff' });
    expect(all.length).toBeGreaterThan(1000);
    expect(all.every((func) => func.parameters.some((parameter) => parameter.pointsTo === 'sk_buff'))).toBe(true);
    expect(btf.functions({ pattern: 'tcp_v4_*', pointsTo: 'sk_buff' }).map((func) => func.name)).toContain(
      'tcp_v4_rcv',
    );
  });

  it('knows structs, enums and tracepoints', () => {
    expect(btf.member('sk_buff', 'next')).toEqual({ offset: 0, size: 8, type: 'struct sk_buff *' });
    expect(btf.member('sk_buff', 'len')).toMatchObject({ size: 4, type: 'unsigned int' });
    expect(btf.structSize('iphdr')).toBe(20);
    expect(btf.enumValues('bpf_attach_type')?.get('BPF_TRACE_FENTRY')).toBe(24);
    expect(btf.hasTracepoint('kfree_skb')).toBe(true);
    expect(btf.hasTracepoint('no_such_tracepoint')).toBe(false);
    expect(btf.tracepoint('kfree_skb')?.slice(0, 2)).toEqual([
      { name: expect.any(String), type: 'struct sk_buff *', pointsTo: 'sk_buff' },
      { name: expect.any(String), type: 'void *', pointsTo: null },
    ]);
  });

  it('adds the modules that are loaded', () => {
    const own = KernelBtf.load();
    const names = own.loadModules();
    expect(names.length).toBeLessThanOrEqual(readdirSync('/sys/kernel/btf').length - 1);
    expect(own.loadModules()).toEqual(names);
    if (names.length) expect(own.functions().some((func) => func.module === names[0])).toBe(true);
    own.close();
    expect(() => own.functions()).toThrow(BpfError);
    own.close();
  });
});

it('what is missing or no BTF is a BpfError', () => {
  expect(() => KernelBtf.load('/nowhere')).toThrow(expect.objectContaining({ code: 'ENOENT', target: '/nowhere' }));
  const folder = mkdtempSync(join(tmpdir(), 'btf-'));
  try {
    const path = join(folder, 'x');
    writeFileSync(path, 'no BTF');
    expect(() => KernelBtf.load(path)).toThrow(BpfError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
