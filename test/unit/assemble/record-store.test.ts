import { describe, expect, it } from 'vitest';
import { noPages, RecordStore } from '../../../src/assemble/record-store.js';
import { MAX_RECORD_BYTES } from '../../../src/decode/records.js';
import { decoded, type RecordInput, recordOf, tcpPacket } from '../../support/records.js';

const SLAB_BYTES = 256 * 1024;
const LONG: RecordInput = {
  packet: tcpPacket(),
  meta: {},
  options: [2, 4, 5, 180],
  drop: { location: 7n },
  netfilter: { table: 'filter' },
  socket: {},
  ret: -1,
  sock: {},
  stack: [1n],
  hooks: [2n],
  latency: {},
  tcp: {},
};

describe('the store of records', () => {
  it('keeps each as it was when the batch is overwritten', () => {
    const store = new RecordStore(SLAB_BYTES);
    const inputs = Array.from({ length: 100 }, (_, i) => ({ time: i, probe: i, ...(i % 3 ? {} : LONG) }));
    const pages = noPages();
    const handles = inputs.map((input) => {
      const record = recordOf(input);
      const handle = store.keep(record, pages);
      new Uint8Array(record.view.buffer).fill(0xff);
      return handle;
    });
    expect(handles.map((handle) => decoded(store.record(handle)))).toEqual(
      inputs.map((input) => decoded(recordOf(input))),
    );
    expect(recordOf(LONG).length).toBe(MAX_RECORD_BYTES);
  });

  it('uses the pages again that were given back, and no more memory then', () => {
    const store = new RecordStore(SLAB_BYTES);
    for (let i = 0; i < 10_000; i++) {
      const pages = noPages();
      store.keep(recordOf(LONG), pages);
      store.giveBack(pages);
    }
    expect(store.isFull).toBe(false);
  });

  it('is full when all pages are taken, and takes a record all the same', () => {
    const store = new RecordStore(SLAB_BYTES);
    const taken = Array.from({ length: 256 }, () => noPages());
    for (const pages of taken) store.keep(recordOf(LONG), pages);
    expect(store.isFull).toBe(true);
    const more = noPages();
    const handle = store.keep(recordOf({ probe: 9 }), more);
    expect(store.record(handle).probe).toBe(9);
    store.giveBack(taken[0] ?? noPages());
    expect(store.isFull).toBe(false);
  });
});
