import { describe, expect, it } from 'vitest';
import { BpfError, BpfObject, possibleCpus } from '../index.js';
import { fixture, missing, u32, u64 } from './support.js';

function load(): BpfObject {
  const object = BpfObject.open(fixture('types'));
  object.load();
  return object;
}

describe.skipIf(missing.bpf)('a hash map', () => {
  it('gives back what was written, and null for what was not', () => {
    const object = load();
    const map = object.map('table');
    expect(map.info).toEqual({ name: 'table', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 128 });
    expect(map.lookup(u32(1))).toBeNull();
    map.update(u32(1), u32(100));
    expect(map.lookup(u32(1))).toEqual(u32(100));
    expect(map.delete(u32(1))).toBe(true);
    expect(map.delete(u32(1))).toBe(false);
    object.close();
  });

  it('keeps the promises of create and exist', () => {
    const object = load();
    const map = object.map('table');
    expect(() => map.update(u32(1), u32(1), 'exist')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    map.update(u32(1), u32(1), 'create');
    expect(() => map.update(u32(1), u32(2), 'create')).toThrow(BpfError);
    map.update(u32(1), u32(3), 'exist');
    expect(map.lookup(u32(1))).toEqual(u32(3));
    expect(() => map.update(u32(1), u32(1), 'other' as 'any')).toThrow(TypeError);
    object.close();
  });

  it('walks over all keys, also while each one is deleted', () => {
    const object = load();
    const map = object.map('table');
    for (let i = 0; i < 100; i++) map.update(u32(i), u32(i * 2));
    const seen = [...map.entries()].map(([key, value]) => [key.readUInt32LE(), value.readUInt32LE()]);
    expect(seen.sort((a, b) => a[0]! - b[0]!)).toEqual(Array.from({ length: 100 }, (_, i) => [i, i * 2]));
    let deleted = 0;
    for (const key of map.keys()) if (map.delete(key)) deleted++;
    expect(deleted).toBe(100);
    expect([...map.keys()]).toEqual([]);
    object.close();
  });

  it('does not walk for ever while keys come and go', () => {
    const object = load();
    const map = object.map('table');
    for (let i = 0; i < 100; i++) map.update(u32(i), u32(0));
    let steps = 0;
    let fresh = 1000;
    for (const key of map.keys()) {
      steps++;
      map.delete(key);
      map.update(u32(fresh++), u32(0));
    }
    expect(steps).toBeLessThanOrEqual(256);
    object.close();
  });

  it('says which map is full', () => {
    const object = load();
    const map = object.map('table');
    const fill = () => {
      for (let i = 0; i < 10_000; i++) map.update(u32(i), u32(0));
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'E2BIG', operation: 'update', target: 'table' }));
    object.close();
  });
});

describe.skipIf(missing.bpf)('arrays', () => {
  it('have all their keys from the beginning', () => {
    const object = load();
    expect([...object.map('slots').keys()].map((key) => key.readUInt32LE())).toEqual([0, 1, 2, 3]);
    expect(object.map('slots').lookup(u32(4))).toBeNull();
    object.close();
  });

  it('that share their memory show all values as they are', () => {
    const object = BpfObject.open(fixture('ring'));
    object.load();
    const map = object.map('.bss');
    const key = u32(0);
    const value = map.lookup(key)!;
    expect(map.memory().subarray(0, value.length)).toEqual(value);
    const copy = map.memory();
    value.fill(7);
    map.update(key, value);
    expect(map.memory().subarray(0, value.length)).toEqual(value);
    expect(copy.every((byte) => byte === 0)).toBe(true);
    object.close();
    expect(() => map.memory()).toThrow(BpfError);
    const other = load();
    for (const name of ['slots', 'table', 'per_cpu'])
      expect(() => other.map(name).memory()).toThrow(
        expect.objectContaining({ operation: 'map memory', target: name }),
      );
    other.close();
  });

  it('per CPU hold one value for each possible CPU, padded to 8 bytes', () => {
    const object = load();
    const map = object.map('per_cpu');
    expect(map.info.valueSize).toBe(4);
    const value = Buffer.alloc(8 * possibleCpus());
    for (let cpu = 0; cpu < possibleCpus(); cpu++) value.writeUInt32LE(cpu + 7, cpu * 8);
    map.update(u32(1), value);
    expect(map.lookup(u32(1))).toEqual(value);
    expect(() => map.update(u32(1), u32(1))).toThrow(TypeError);
    object.close();
  });
});

it.skipIf(missing.bpf)('keys and values of a wrong length are TypeErrors', () => {
  const object = load();
  const map = object.map('table');
  for (const key of [new Uint8Array(0), new Uint8Array(3), u64(1)]) {
    expect(() => map.lookup(key)).toThrow(TypeError);
    expect(() => map.delete(key)).toThrow(TypeError);
    expect(() => map.update(key, u32(1))).toThrow(TypeError);
  }
  expect(() => map.update(u32(1), u64(1))).toThrow('value must have 4 bytes');
  object.close();
});
