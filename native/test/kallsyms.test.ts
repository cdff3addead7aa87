import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BpfError, Kallsyms } from '../index.js';
import { missing } from './support.js';

function parse(lines: string[], end = '\n'): Kallsyms {
  const folder = mkdtempSync(join(tmpdir(), 'kallsyms-'));
  try {
    const path = join(folder, 'kallsyms');
    writeFileSync(path, lines.join('\n') + end);
    return Kallsyms.load(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a symbol table that another thread reads', () => {
  it.skipIf(missing.symbols)('is the same', async () => {
    const [read, loaded] = [await Kallsyms.read(), Kallsyms.load()];
    expect(read.lookup('vfs_open')).toEqual(loaded.lookup('vfs_open'));
  });

  it('says what is missing', async () => {
    await expect(Kallsyms.read('/no/such/file')).rejects.toMatchObject({ name: 'BpfError', code: 'ENOENT' });
  });
});

describe('a symbol table', () => {
  const table = parse([
    '0000000000000000 A fixed_percpu_data',
    'ffffffff81000000 T _text',
    'ffffffff81000000 T startup_64',
    'ffffffff81000100 t twice',
    'ffffffff81000200 t twice',
    'ffffffff81000300 W weak',
    'ffffffff81000400 d data',
    'ffffffff81000500 t name.constprop.0',
    'ffffffff81000600 t name.constprop.1',
    'ffffffffc0200000 t later\t[second]',
    'ffffffffc0100000 t mod_first\t[first]',
    'ffffffffc0100040 t mod_last\t[first]',
  ]);

  it('finds the function that holds an address', () => {
    expect(table.hidden).toBe(false);
    expect(table.size).toBe(12);
    expect(table.resolve(0xffffffff81000000n)).toEqual({ name: '_text', offset: 0, module: null });
    expect(table.resolve(0xffffffff810001ffn)).toEqual({ name: 'twice', offset: 0xff, module: null });
    expect(table.resolve(0xffffffff81000310n)).toEqual({ name: 'weak', offset: 0x10, module: null });
    expect(table.resolve(0xffffffffc0100041n)).toEqual({ name: 'mod_last', offset: 1, module: 'first' });
  });

  it('gives null for data, and for what lies far behind a last symbol', () => {
    expect(table.resolve(0xffffffff81000400n)).toBeNull();
    expect(table.resolve(0xffffffff81000600n + (1n << 20n) - 1n)?.name).toBe('name.constprop.1');
    expect(table.resolve(0xffffffff81000600n + (1n << 20n))).toBeNull();
    expect(table.resolve(0xffffffffc01fffffn)?.name).toBe('mod_last');
    expect(table.resolve(0xffffffffc0150000n + (1n << 20n))?.module).toBe('second');
    expect(table.resolve(2n ** 64n - 1n)).toBeNull();
  });

  it('finds all addresses of a name, and names by their beginning', () => {
    expect(table.lookup('twice')).toEqual([
      { address: 0xffffffff81000100n, module: null },
      { address: 0xffffffff81000200n, module: null },
    ]);
    expect(table.lookup('later')).toEqual([{ address: 0xffffffffc0200000n, module: 'second' }]);
    expect(table.lookup('data')).toEqual([]);
    expect(table.withPrefix('name.constprop.')).toEqual(['name.constprop.0', 'name.constprop.1']);
    expect(table.withPrefix('tw')).toEqual(['twice']);
    expect(table.withPrefix('zz')).toEqual([]);
  });
});

describe('a table', () => {
  it('whose addresses are all zero is hidden, and resolves nothing', () => {
    const table = parse(['0000000000000000 T tcp_v4_rcv', '0000000000000000 t other']);
    expect([table.hidden, table.size]).toEqual([true, 2]);
    expect(table.resolve(0n)).toBeNull();
    expect(table.lookup('tcp_v4_rcv')).toEqual([{ address: 0n, module: null }]);
  });

  it('with lines that are none of the format loses those lines only', () => {
    const table = parse(
      [
        'ffffffff81000000 T good',
        '',
        'ffffffff81000001',
        'ffffffff81000002 T',
        'ffffffff81000003 T ',
        'fffffffff81000000 T address_too_long',
        'x T y',
        'x'.repeat(3 << 20),
        `ffffffff81000004 T ${'n'.repeat(5000)}`,
        'ffffffff81000010 T last',
      ],
      '',
    );
    expect(table.size).toBe(2);
    expect(table.resolve(0xffffffff81000010n)?.name).toBe('last');
  });

  it('that is empty or missing', () => {
    expect(parse([], '').size).toBe(0);
    expect(() => Kallsyms.load('/nowhere')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => Kallsyms.load('/')).toThrow(BpfError);
  });
});

describe.skipIf(missing.symbols)('the running kernel', () => {
  it('is read as the file lists it', () => {
    const table = Kallsyms.load();
    const lines = readFileSync('/proc/kallsyms', 'latin1').trimEnd().split('\n');
    // BPF programs of other tests come and go meanwhile.
    const own = (line: string) => !line.endsWith(']');
    expect(Math.abs(table.size - lines.length)).toBeLessThan(1000);
    const unique = new Map<string, number>();
    for (const line of lines.filter(own)) {
      const name = line.slice(19);
      unique.set(name, (unique.get(name) ?? 0) + 1);
    }
    const text = lines.filter((line) => own(line) && 'tT'.includes(line[17]!) && unique.get(line.slice(19)) === 1);
    for (let i = 0; i < text.length; i += 997) {
      const address = BigInt(`0x${text[i]!.slice(0, 16)}`);
      expect(table.lookup(text[i]!.slice(19))).toEqual([{ address, module: null }]);
      expect(table.resolve(address)).toMatchObject({ offset: 0, module: null });
    }
    expect(table.resolve(table.lookup('tcp_v4_rcv')[0]!.address + 5n)).toEqual({
      name: 'tcp_v4_rcv',
      offset: 5,
      module: null,
    });
  });
});
