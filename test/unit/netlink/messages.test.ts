import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NettraceError } from '../../../src/errors.js';
import { attribute } from '../../../src/netlink/change.js';
import { dump, NetlinkError } from '../../../src/netlink/dump.js';
import { netlinkRequest, readAttributes, splitMessages } from '../../../src/netlink/messages.js';
import { message, RecordedChannel } from '../../support/netlink.js';

const DONE = 3;
const MULTI = 2;
const INTERRUPTED = 0x10;
const done = (seq: number, flags = MULTI) => message(DONE, flags, seq, Buffer.alloc(4));
const item = (seq: number, n: number, flags = MULTI) => message(20, flags, seq, Buffer.from([n, 0, 0, 0]));
const request = { type: 20, payload: Buffer.from([1, 2, 3]), what: 'things' };
const list = (channel: RecordedChannel) => dump(channel, request, ({ payload }) => payload[0]);

describe('netlink messages', () => {
  it('are what was put together, whatever their lengths', () => {
    const part = fc.record({ type: fc.integer({ min: 16, max: 65535 }), bytes: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const datagram = Buffer.concat(parts.map(({ type, bytes }) => message(type, 0, 7, bytes)));
        const read = [...splitMessages(datagram)];
        expect(read.map(({ type, seq, payload }) => ({ type, seq, bytes: [...payload] }))).toEqual(
          parts.map(({ type, bytes }) => ({ type, seq: 7, bytes: [...bytes] })),
        );
        const attributes = readAttributes(Buffer.concat(parts.map(({ type, bytes }) => attribute(type & 0xff, bytes))));
        for (const [type, value] of attributes)
          expect([...value]).toEqual([...(parts.findLast((p) => (p.type & 0xff) === type)?.bytes ?? [])]);
      }),
    );
  });

  it('of any bytes end in messages or in an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        for (const read of [() => [...splitMessages(Buffer.from(bytes))], () => readAttributes(Buffer.from(bytes))])
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(NettraceError);
          }
      }),
    );
  });

  it.each([
    ['is longer than what is there', [40, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['is shorter than its head', [4, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['has no whole head', [16, 0, 0, 0]],
  ])('one that %s is refused', (_, bytes) => {
    expect(() => [...splitMessages(Buffer.from(bytes))]).toThrow('not well-formed');
  });

  it('a request carries its length, type and number', () => {
    expect(netlinkRequest(20, 0x300, 5, Buffer.from([1, 2, 3])).toString('hex')).toBe(
      '1300000014000103050000000000000001020300',
    );
  });
});

describe('a list', () => {
  it('comes in several datagrams, and ends with done', async () => {
    const channel = new RecordedChannel((seq) => [
      Buffer.concat([item(seq, 1), item(seq, 2)]),
      item(seq, 3),
      done(seq),
    ]);
    expect(await list(channel)).toEqual([1, 2, 3]);
    expect(channel.requests[0]?.readUInt16LE(6)).toBe(0x301);
  });

  it('is read again where it changed meanwhile, or where something was lost', async () => {
    const lost = Object.assign(new Error('no buffer space'), { code: 'ENOBUFS' });
    const channel = new RecordedChannel(
      (seq) => [item(seq, 1), done(seq, MULTI | INTERRUPTED)],
      (seq) => [item(seq, 2), lost],
      (seq) => [item(seq - 1, 9), item(seq, 3), done(seq)],
    );
    expect(await list(channel)).toEqual([3]);
    expect(channel.requests).toHaveLength(3);
  });

  it('that never stands still is taken as it was last', async () => {
    const channel = new RecordedChannel(
      ...Array.from({ length: 6 }, (_, i) => (seq: number) => [item(seq, i), done(seq, MULTI | INTERRUPTED)]),
    );
    expect(await list(channel)).toEqual([5]);
  });

  it('that is always lost is an error', async () => {
    const lost = Object.assign(new Error('no buffer space'), { code: 'ENOBUFS' });
    await expect(list(new RecordedChannel(...Array.from({ length: 6 }, () => () => [lost])))).rejects.toThrow(
      "things: the kernel's answers were lost, 6 times",
    );
  });

  it('that the kernel refuses is an error with its name', async () => {
    const refusal = Buffer.alloc(4);
    refusal.writeInt32LE(-2);
    for (const type of [2, DONE]) {
      const channel = new RecordedChannel((seq) => [message(type, 0, seq, refusal)]);
      const error = await list(channel).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(NetlinkError);
      expect(error).toMatchObject({ code: 'ENOENT', message: 'things: no such file or directory (ENOENT)' });
    }
  });
});
