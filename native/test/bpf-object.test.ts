import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BpfError, BpfObject } from '../index.js';
import {
  collectGarbage,
  errorOf,
  fixture,
  hits,
  library,
  linkOf,
  loadProbes,
  missing,
  openDescriptors,
  openSomething,
  residentKiB,
  runScript,
} from './support.js';

describe('an object that is open', () => {
  it('lists its programs and maps, data sections by the section name', () => {
    const object = BpfObject.open(fixture('probes'));
    expect(object.programs.map(({ name, section, type }) => [name, section, type])).toEqual([
      ['on_raw', 'raw_tp', 'raw_tracepoint'],
      ['on_tracepoint', 'tracepoint', 'tracepoint'],
      ['on_kprobe', 'kprobe', 'kprobe'],
    ]);
    expect(object.maps).toContainEqual({ name: 'hits', type: 'hash', keySize: 8, valueSize: 8, maxEntries: 64 });
    expect(object.maps.map((map) => map.name)).toEqual(['hits', '.rodata', '.bss']);
    expect(object.loaded).toBe(false);
    expect(object.programIds()).toEqual([]);
    object.close();
  });

  it('opens the same from bytes, wherever they start in their buffer', () => {
    const bytes = readFileSync(fixture('probes'));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const object = BpfObject.open(shifted.subarray(3), { name: 'from_bytes' });
    shifted.fill(0);
    expect(object.programs).toHaveLength(3);
    expect(object.initialData('.rodata')).toEqual(Buffer.alloc(4));
    object.close();
  });

  it('hands out initial data as a copy and takes exactly as many bytes back', () => {
    const object = BpfObject.open(fixture('ring'));
    const data = object.initialData('.rodata');
    expect([data.readUInt32LE(0), data.readUInt32LE(4), data.readUInt32LE(8)]).toEqual([0, 128, 1]);
    data.writeUInt32LE(256, 4);
    expect(object.initialData('.rodata').readUInt32LE(4)).toBe(128);
    object.setInitialData('.rodata', data);
    expect(object.initialData('.rodata').readUInt32LE(4)).toBe(256);
    expect(() => object.setInitialData('.rodata', data.subarray(1))).toThrow(TypeError);
    expect(errorOf(() => object.initialData('events')).code).toBe('EINVAL');
    expect(errorOf(() => object.initialData('.data')).code).toBe('ENOENT');
    object.close();
  });

  it('takes ring sizes that are powers of two and whole pages only', () => {
    const object = BpfObject.open(fixture('ring'));
    object.setMaxEntries('events', 1 << 16);
    expect(object.maps.find((map) => map.name === 'events')?.maxEntries).toBe(1 << 16);
    for (const wrong of [1, 4095, 4096 * 3]) expect(() => object.setMaxEntries('events', wrong)).toThrow(TypeError);
    object.close();
  });

  it.skipIf(missing.btf)('takes attach types by the name that the kernel gives them', () => {
    const object = BpfObject.open(fixture('probes'));
    object.setExpectedAttachType('on_kprobe', 'BPF_TRACE_RAW_TP');
    expect(errorOf(() => object.setExpectedAttachType('on_kprobe', 'BPF_NO_SUCH_TYPE')).code).toBe('EOPNOTSUPP');
    object.close();
  });

  it('says which file is missing, and what is no BPF object', () => {
    expect(errorOf(() => BpfObject.open('/nowhere/x.bpf.o'))).toMatchObject({
      name: 'BpfError',
      code: 'ENOENT',
      errno: 2,
      operation: 'open',
      target: '/nowhere/x.bpf.o',
    });
    expect(errorOf(() => BpfObject.open(Buffer.from('no ELF at all'))).code).toMatch(/LIBBPF_ERRNO__/);
    expect(errorOf(() => BpfObject.open(new Uint8Array(0))).code).toMatch(/E/);
  });
});

describe.skipIf(missing.bpf)('a loaded object', () => {
  it('refuses what is for before the load only', () => {
    const object = loadProbes();
    expect(object.loaded).toBe(true);
    for (const action of [
      () => object.load(),
      () => object.setAutoload('on_raw', false),
      () => object.setMaxEntries('hits', 1),
      () => object.setInitialData('.rodata', Buffer.alloc(4)),
    ])
      expect(errorOf(action).code).toBe('EBUSY');
    object.close();
  });

  it('has one kernel program for each program that was chosen', () => {
    const object = BpfObject.open(fixture('probes'));
    object.setAutoload('on_kprobe', false);
    object.load();
    expect(object.programIds()).toHaveLength(2);
    expect(new Set(object.programIds()).size).toBe(2);
    expect(errorOf(() => object.attachKprobe('on_kprobe', 'vfs_open')).message).toMatch(/autoload/);
    object.close();
  });

  it('lends its maps to another one, whose programs then count in them', () => {
    const object = BpfObject.open(fixture('probes'));
    for (const name of ['on_raw', 'on_tracepoint', 'on_kprobe']) object.setAutoload(name, false);
    const settings = object.initialData('.rodata');
    settings.writeUInt32LE(process.pid);
    object.setInitialData('.rodata', settings);
    object.load();
    const later = BpfObject.open(fixture('probes'));
    for (const name of ['on_tracepoint', 'on_kprobe']) later.setAutoload(name, false);
    later.shareMaps(object);
    later.load();
    linkOf(later.attachRawTracepoint('on_raw', 'sys_enter'));
    openSomething();
    later.close();
    expect(hits(object)).toBeGreaterThan(0);
    object.close();
  });

  it('lends its maps only once it is loaded, and only to one that is not', () => {
    const [object, loaded] = [BpfObject.open(fixture('probes')), loadProbes()];
    expect(errorOf(() => object.shareMaps(object)).code).toBe('EINVAL');
    expect(errorOf(() => loaded.shareMaps(loaded)).code).toBe('EBUSY');
    loaded.close();
    expect(errorOf(() => object.shareMaps(loaded)).code).toBe('EBADF');
    object.close();
  });

  it('runs a program once with the context that it is given', () => {
    const object = BpfObject.open(fixture('types'));
    object.load();
    const context = new Uint8Array(new BigUint64Array([42n, 0n]).buffer);
    expect(object.programFd('calls_a_function')).toBeGreaterThan(2);
    expect(errorOf(() => object.programFd('nothing')).code).toBe('ENOENT');
    expect(object.testRun('calls_a_function', context)).toBe(42);
    expect(errorOf(() => object.testRun('nothing')).code).toBe('ENOENT');
    object.close();
  });

  it('is closed once and for all', () => {
    const object = loadProbes();
    const map = object.map('hits');
    object.close();
    object.close();
    expect(object.loaded).toBe(false);
    for (const action of [
      () => object.programs,
      () => object.maps,
      () => object.map('hits'),
      () => object.load(),
      () => object.attachRawTracepoint('on_raw', 'sys_enter'),
      () => object.programIds(),
      () => map.info,
      () => map.lookup(Buffer.alloc(8)),
      () => map.keys(),
    ])
      expect(errorOf(action).code).toBe('EBADF');
  });
});

describe.skipIf(missing.bpf)('a program that the verifier refuses', () => {
  it('is named, with the end of the log', () => {
    const object = BpfObject.open(fixture('refused'));
    object.setAutoload('reads_nowhere', true);
    const error = errorOf(() => object.load());
    expect(error).toMatchObject({ operation: 'load', target: 'reads_nowhere' });
    expect(['EACCES', 'EINVAL']).toContain(error.code);
    expect(error.verifierLog).toMatch(/R\d invalid mem access/);
    expect(error.verifierLog!.length).toBeLessThanOrEqual(4096);
    expect(error.message).toContain('reads_nowhere');
    expect(object.programs).toHaveLength(2);
    expect(errorOf(() => object.load()).message).toMatch(/open it anew/);
    object.close();
  });

  it('prints nothing', () => {
    const { stdout, stderr, status } = runScript(`
      import { BpfObject } from '${library}'
      const object = BpfObject.open('${fixture('refused')}')
      object.setAutoload('reads_nowhere', true)
      try { object.load() } catch { process.exitCode = 3 }`);
    expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 3 });
  });
});

/** All would take minutes in a virtual machine without acceleration. */
const CYCLES = process.env.NETTRACE_VM ? 200 : 10_000;

describe.skipIf(missing.bpf)('opening, loading and closing again and again', () => {
  it(`leaves no descriptors and no memory behind, ${CYCLES} times`, { timeout: 600_000 }, async () => {
    const bytes = readFileSync(fixture('types'));
    const cycle = () => {
      const object = BpfObject.open(bytes);
      object.load();
      object.map('table');
      object.close();
    };
    for (let i = 0; i < 300; i++) cycle();
    await collectGarbage();
    const [descriptors, memory] = [openDescriptors(), residentKiB()];
    for (let i = 1; i <= CYCLES; i++) {
      cycle();
      if (i % 1000 === 0) await collectGarbage();
    }
    await collectGarbage();
    expect(openDescriptors()).toBe(descriptors);
    expect(residentKiB() - memory).toBeLessThan(20 * 1024);
  });

  it('frees objects that were never closed', async () => {
    await collectGarbage();
    const descriptors = openDescriptors();
    for (let i = 0; i < 50; i++) BpfObject.open(fixture('types')).load();
    await collectGarbage();
    expect(openDescriptors()).toBe(descriptors);
  });
});

it('damaged objects are errors', () => {
  const bytes = readFileSync(fixture('types'));
  let random = 12345;
  const next = (below: number) => {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    return random % below;
  };
  for (let i = 0; i < 400; i++) {
    // Headers and section contents; truncation as well.
    const damaged = Buffer.from(i % 4 === 0 ? bytes.subarray(0, next(bytes.length)) : bytes);
    if (i % 4 !== 0 && damaged.length) for (let n = 0; n < 1 + next(4); n++) damaged[next(damaged.length)] = next(256);
    try {
      BpfObject.open(damaged).close();
    } catch (error) {
      expect(error).toBeInstanceOf(BpfError);
    }
  }
});
