import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { BpfObject, type RingBufferOptions, RingBufferReader } from '../index.js';
import {
  collectGarbage,
  fixture,
  library,
  linkOf,
  missing,
  openDescriptors,
  openSomething,
  runScript,
  until,
} from './support.js';

interface Settings {
  onlyPid?: number;
  size?: number;
  burst?: number;
  ringBytes?: number;
  /** Submit without waking the reader. */
  quiet?: boolean;
}

function load({ onlyPid = 0, size = 128, burst = 1, ringBytes = 1 << 20, quiet = false }: Settings = {}): BpfObject {
  const object = BpfObject.open(fixture('ring'));
  const data = object.initialData('.rodata');
  data.writeUInt32LE(onlyPid, 0);
  data.writeUInt32LE(size, 4);
  data.writeUInt32LE(burst, 8);
  data.writeBigUInt64LE(quiet ? 1n : 0n, 16);
  object.setInitialData('.rodata', data);
  object.setMaxEntries('events', ringBytes);
  object.load();
  return object;
}

function counters(object: BpfObject): { produced: number; failed: number } {
  const data = object.map('.bss').lookup(Buffer.alloc(4))!;
  return { produced: Number(data.readBigUInt64LE(0)), failed: Number(data.readBigUInt64LE(8)) };
}

/** Lengths of the records of a batch, by its documented layout. */
function lengths(batch: ArrayBuffer): number[] {
  const view = new DataView(batch);
  const found: number[] = [];
  let at = 0;
  while (at < batch.byteLength) {
    const length = view.getUint32(at, true);
    expect(view.getUint32(at + 4, true)).toBe(0);
    found.push(length);
    at += 8 + Math.ceil(length / 8) * 8;
  }
  expect(at).toBe(batch.byteLength);
  return found;
}

const context = (size: number) => new Uint8Array(new BigUint64Array([BigInt(size), 0n, 0n]).buffer);

function collect(object: BpfObject, options: Partial<RingBufferOptions> = {}) {
  const seen = { records: 0, batches: [] as number[] };
  const reader = new RingBufferReader(object, 'events', {
    ...options,
    onBatch(batch, records) {
      seen.records += records;
      seen.batches.push(batch.byteLength);
      options.onBatch?.(batch, records);
    },
  });
  return { reader, seen };
}

describe.skipIf(missing.bpf)('a ring buffer reader', () => {
  it('delivers records of all sizes whole and in order, without the discarded ones', async () => {
    const object = load();
    const sizes = [0, 1, 4, 7, 8, 9, 120, 4096, 3, 8192];
    const got: number[] = [];
    const { reader } = collect(object, {
      onBatch(batch) {
        let at = 0;
        for (const length of lengths(batch)) {
          if (length) expect(new Uint8Array(batch)[at + 8]).toBe(length & 255);
          got.push(length);
          at += 8 + Math.ceil(length / 8) * 8;
        }
      },
    });
    for (const size of sizes) expect(object.testRun('produce_size', context(size))).toBe(0);
    await reader.stop();
    expect(got).toEqual(sizes);
    expect(reader.stats()).toMatchObject({
      records: sizes.length,
      bytes: sizes.reduce((a, b) => a + b),
      oversized: 0,
      queued: 0,
    });
    object.close();
  });

  it('puts records together that lie around the end of the buffer', async () => {
    // 24 bytes with the head, of which 65536 is no multiple: each time around another place is cut
    const [size, burst, runs] = [16, 1000, 10];
    const object = load({ size, burst, ringBytes: 1 << 16 });
    const firsts: bigint[] = [];
    let right = 0;
    const { reader } = collect(object, {
      batchMs: 0,
      onBatch(batch) {
        const words = new BigUint64Array(batch);
        for (let at = 0; at < words.length; at += 3) {
          firsts.push(words[at + 1]!);
          if (words[at] === BigInt(size) && words[at + 2] === ~0n + (1n << 64n)) right++;
        }
      },
    });
    for (let run = 1; run <= runs; run++) {
      object.testRun('produce');
      await until(() => firsts.length === run * burst, 'all records');
    }
    await reader.stop();
    expect(counters(object)).toEqual({ produced: runs * burst, failed: 0 });
    expect(right).toBe(runs * burst);
    expect(firsts).toEqual(Array.from({ length: runs * burst }, (_, i) => BigInt(i % burst)));
    object.close();
  });

  it('is the only one of its map until it has stopped or its object is closed', async () => {
    const object = load();
    const sharing = BpfObject.open(fixture('ring'));
    sharing.shareMaps(object);
    sharing.load();
    const busy = { code: 'EBUSY', operation: 'read ring buffer', target: 'events' };
    const failure = (act: () => unknown) => {
      try {
        return act();
      } catch (error) {
        return error;
      }
    };
    const first = collect(object);
    for (const one of [object, sharing]) expect(failure(() => collect(one))).toMatchObject(busy);
    object.testRun('produce_size', context(1001));
    await first.reader.stop();
    expect(first.seen.records).toBe(1);
    const second = collect(sharing);
    expect(failure(() => collect(object))).toMatchObject(busy);
    sharing.close();
    const third = collect(object);
    object.testRun('produce_size', context(1001));
    await third.reader.stop();
    expect([second.seen.records, third.seen.records]).toEqual([0, 1]);
    object.close();
  });

  it('hands a batch over when its first record is old enough, without being stopped', async () => {
    const object = load();
    const { reader, seen } = collect(object, { batchMs: 5 });
    object.testRun('produce');
    await until(() => seen.records === 1, 'a batch');
    await reader.stop();
    object.close();
  });

  it('finds records that were submitted without a wake-up', async () => {
    const object = load({ quiet: true });
    const { reader, seen } = collect(object);
    object.testRun('produce');
    await until(() => seen.records === 1, 'a batch');
    await reader.stop();
    object.close();
  });

  it('accounts for every record: produced is delivered, the rest was counted as lost', async () => {
    const object = load({ onlyPid: process.pid, burst: 256, ringBytes: 1 << 16 });
    const { reader, seen } = collect(object, { batchBytes: 8192, queueBatches: 2 });
    const link = linkOf(object.attachRawTracepoint('produce', 'sys_enter'));
    for (let i = 0; i < 50; i++) {
      for (let n = 0; n < 20; n++) openSomething();
      await new Promise((resolve) => setImmediate(resolve));
    }
    link.detach();
    await reader.stop();
    const { produced, failed } = counters(object);
    expect(failed).toBeGreaterThan(0);
    expect(seen.records).toBe(produced);
    expect(reader.stats().records).toBe(produced);
    object.close();
  });

  it('keeps batches within their bound, and skips and counts what no batch can hold', async () => {
    const object = load();
    const { reader, seen } = collect(object, { batchBytes: 4096 });
    for (let i = 0; i < 100; i++) object.testRun('produce');
    object.testRun('produce_size', context(4096 - 8));
    object.testRun('produce_size', context(4096));
    object.testRun('produce');
    await reader.stop();
    expect(seen.records).toBe(102);
    expect(Math.max(...seen.batches)).toBe(4096);
    expect(reader.stats()).toMatchObject({ oversized: 1, batches: seen.batches.length });
    object.close();
  });

  it('stops reading while JavaScript is slow, and counts that', async () => {
    const object = load({ burst: 1000, ringBytes: 1 << 17 });
    const { reader, seen } = collect(object, { batchBytes: 4096, queueBatches: 2 });
    // Nothing is delivered while this runs.
    for (let i = 0; i < 20; i++) object.testRun('produce');
    await sleep(50);
    expect(counters(object).failed).toBeGreaterThan(0);
    expect(reader.stats().stalls).toBeGreaterThan(0);
    await reader.stop();
    expect(seen.records).toBe(counters(object).produced);
    expect(reader.stats().queued).toBe(0);
    object.close();
  });

  it('stop() delivers what is there, and may be called again', async () => {
    const object = load({ burst: 1000 });
    const { reader, seen } = collect(object, { batchMs: 60_000 });
    object.testRun('produce');
    const stops = [reader.stop(), reader.stop()];
    expect(seen.records).toBe(0);
    await Promise.all(stops);
    expect(seen.records).toBe(1000);
    await reader.stop();
    object.testRun('produce');
    await sleep(30);
    expect(seen.records).toBe(1000);
    object.close();
  });

  it('ends with its object, and stop() still resolves', async () => {
    const object = load({ burst: 100 });
    const { reader } = collect(object);
    object.testRun('produce');
    object.close();
    await reader.stop();
  });

  it('can be stopped from within onBatch, and the object closed', async () => {
    const object = load();
    await new Promise<void>((resolve) => {
      const { reader } = collect(object, {
        onBatch() {
          void reader.stop().then(resolve);
          object.close();
        },
      });
      object.testRun('produce');
    });
  });

  it('leaves no descriptors behind', async () => {
    const object = load();
    await collectGarbage();
    const before = openDescriptors();
    for (let i = 0; i < 100; i++) {
      const { reader, seen } = collect(object);
      object.testRun('produce');
      await reader.stop();
      expect(seen.records).toBe(1);
    }
    await collectGarbage();
    expect(openDescriptors()).toBe(before);
    object.close();
  });

  it('refuses maps that are no ring buffers, and objects that are not ours', () => {
    const object = load();
    const options = { onBatch() {} };
    expect(() => new RingBufferReader(object, 'scratch', options)).toThrow(TypeError);
    expect(() => new RingBufferReader(object, 'nothing', options)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => new RingBufferReader({} as BpfObject, 'events', options)).toThrow(TypeError);
    expect(() => new RingBufferReader(object, 'events', { ...options, batchBytes: 100 })).toThrow(TypeError);
    expect(() => new RingBufferReader(object, 'events', {} as RingBufferOptions)).toThrow(TypeError);
    object.close();
  });
});

describe.skipIf(missing.bpf)('in a process of its own', () => {
  const start = `
    import { BpfObject, RingBufferReader } from '${library}'
    const object = BpfObject.open('${fixture('ring')}')
    object.load()
    object.testRun('produce')`;

  it('an exception of onBatch is an uncaught exception, and reading goes on', () => {
    const { stdout, status } = runScript(`${start}
      let batches = 0
      process.on('uncaughtException', (error) => { console.log(error.message); object.testRun('produce') })
      const reader = new RingBufferReader(object, 'events', { onBatch() {
        if (++batches === 3) return reader.stop()
        throw new Error('thrown ' + batches)
      } })`);
    expect({ stdout, status }).toEqual({ stdout: 'thrown 1\nthrown 2\n', status: 0 });
  });

  it('an exception of onBatch that nobody catches ends the process', () => {
    const { stderr, status } = runScript(`${start}
      new RingBufferReader(object, 'events', { onBatch() { throw new Error('nobody catches this') } })`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('nobody catches this');
  });

  it('a running reader keeps the process alive, and does not hinder its exit', () => {
    const { stdout, status, signal } = runScript(`${start}
      new RingBufferReader(object, 'events', { onBatch() { console.log('alive'); setTimeout(() => process.exit(7), 20) } })`);
    expect({ stdout, status, signal }).toEqual({ stdout: 'alive\n', status: 7, signal: null });
  });
});
