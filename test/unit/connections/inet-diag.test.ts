import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagRequest, parseDiagMessage, stateBits } from '../../../src/connections/inet-diag.js';
import { fillSynQueues } from '../../../src/connections/list.js';
import { plainAddress } from '../../../src/decode/addresses.js';
import { NettraceError } from '../../../src/errors.js';
import { attribute } from '../../../src/netlink/change.js';
import type { InetSocket } from '../../../src/types.js';

/** struct inet_diag_msg: an established connection of 10.0.0.1:8000 with 10.0.0.2:41000. */
function diagMessage(change: (bytes: Buffer) => void = () => {}, ...attributes: Buffer[]): Buffer {
  const bytes = Buffer.alloc(72);
  bytes.set([2, 1, 2, 3]);
  bytes.writeUInt16BE(8000, 4);
  bytes.writeUInt16BE(41000, 6);
  bytes.set([10, 0, 0, 1], 8);
  bytes.set([10, 0, 0, 2], 24);
  bytes.writeBigUInt64LE(0x1234n, 44);
  bytes.writeUInt32LE(1500, 52);
  bytes.writeUInt32LE(5, 56);
  bytes.writeUInt32LE(6, 60);
  bytes.writeUInt32LE(1000, 64);
  bytes.writeUInt32LE(4711, 68);
  change(bytes);
  return Buffer.concat([bytes, ...attributes]);
}

function tcpInfo(length: number): Buffer {
  const info = Buffer.alloc(length);
  for (let at = 8; at + 4 <= length; at += 4) info.writeUInt32LE(at * 1000, at);
  return info;
}

describe('a socket of the list', () => {
  it('has addresses, queues, timer and owner as the kernel wrote them', () => {
    expect(parseDiagMessage(diagMessage(), 'tcp', 7)).toEqual({
      v: 1,
      type: 'inet-socket',
      netns: 7,
      proto: 'tcp',
      state: 'ESTABLISHED',
      tuple: { saddr: '10.0.0.1', sport: 8000, daddr: '10.0.0.2', dport: 41000 },
      recvQueue: 5,
      sendQueue: 6,
      timer: { kind: 'keepalive', left: 1.5 },
      retransmits: 3,
      uid: 1000,
      inode: 4711,
      cookie: '1234',
    });
  });

  it('of IPv6 has addresses of 16 bytes', () => {
    const socket = parseDiagMessage(
      diagMessage((bytes) => {
        bytes[0] = 10;
        bytes.set([0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1], 8);
        bytes.fill(0, 24, 40);
      }),
      'tcp',
      7,
    );
    expect(socket.tuple).toEqual({ saddr: '2001:db8::1', sport: 8000, daddr: '::', dport: 41000 });
  });

  it('that listens has its queue in place of bytes', () => {
    const socket = parseDiagMessage(
      diagMessage((bytes) => bytes.set([2, 10, 0, 0])),
      'tcp',
      7,
    );
    expect(socket).toMatchObject({ state: 'LISTEN', acceptQueue: 5, acceptLimit: 6 });
    expect(socket.timer).toBeUndefined();
  });

  it('is a request where it is SYN_RECV and the kernel knows nothing of it; a child of fast open is one that is known', () => {
    const change = (bytes: Buffer) => bytes.set([2, 3, 1, 1]);
    expect(parseDiagMessage(diagMessage(change), 'tcp', 7).isRequest).toBe(true);
    expect(parseDiagMessage(diagMessage(change, attribute(2, tcpInfo(232))), 'tcp', 7).isRequest).toBeUndefined();
  });

  it('has of struct tcp_info what this kernel has', () => {
    const whole = parseDiagMessage(diagMessage(undefined, attribute(2, tcpInfo(232))), 'tcp', 7).tcp;
    expect(whole).toMatchObject({
      rtoMs: 8,
      packetsOut: 24_000,
      lastDataSentMs: 44_000,
      lastDataReceivedMs: 52_000,
      rttMs: 68,
      totalRetrans: 100_000,
      minRttMs: 148,
    });
    const short = parseDiagMessage(diagMessage(undefined, attribute(2, tcpInfo(104))), 'tcp', 7).tcp;
    expect(short?.totalRetrans).toBe(100_000);
    expect(short).not.toHaveProperty('bytesAcked');
  });

  it('of UDP has no state of TCP, a raw one a protocol', () => {
    const closed = (bytes: Buffer) => bytes.set([2, 7]);
    expect(parseDiagMessage(diagMessage(closed), 'udp', 7).state).toBe('UNCONN');
    const raw = parseDiagMessage(diagMessage(closed, attribute(10, Buffer.from([58]))), 'raw', 7);
    expect(raw).toMatchObject({ state: 'UNCONN', ipProtocol: 58, tuple: { saddr: '10.0.0.1', daddr: '10.0.0.2' } });
    expect(raw.tuple).not.toHaveProperty('sport');
  });

  it('of any bytes is a socket, or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom('tcp', 'udp', 'raw'), (bytes, proto) => {
        try {
          expect(parseDiagMessage(Buffer.from(bytes), proto, 1).type).toBe('inet-socket');
        } catch (error) {
          expect(error).toBeInstanceOf(NettraceError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('that is too short says so', () => {
    expect(() => parseDiagMessage(Buffer.alloc(71), 'tcp', 1)).toThrow('a socket has 71 bytes, not 72');
  });
});

describe('a request for sockets', () => {
  it('names family, protocol and states, and asks for what the kernel knows of them', () => {
    const request = diagRequest(10, 'tcp', 0xfff);
    expect(request).toHaveLength(56);
    expect(request.subarray(0, 8).toString('hex')).toBe('0a064200ff0f0000');
    expect(request.subarray(48).toString('hex')).toBe('ffffffffffffffff');
  });

  it('takes states by their names', () => {
    expect(stateBits(['ESTABLISHED', 'listen', 'time-wait'])).toBe((1 << 1) | (1 << 10) | (1 << 6));
    expect(stateBits(['OPEN'])).toBeUndefined();
  });
});

describe('the SYN queue of a listener', () => {
  const socket = (saddr: string, sport: number, more: Partial<InetSocket> = {}): InetSocket => ({
    v: 1,
    type: 'inet-socket',
    netns: 1,
    proto: 'tcp',
    state: 'LISTEN',
    tuple: { saddr, sport, daddr: '0.0.0.0', dport: 0 },
    recvQueue: 0,
    sendQueue: 0,
    uid: 0,
    inode: 1,
    cookie: '1',
    ...more,
  });

  it('has the requests for its address, which win over those for any address', () => {
    const [exact, any, six] = [socket('10.0.0.1', 80), socket('0.0.0.0', 80), socket('::', 80)];
    const requests = ['10.0.0.1', '10.0.0.2', '::ffff:a00:2', 'fd00::1'].map((address) => socket(address, 80));
    fillSynQueues([exact, any, six], requests);
    expect([exact.synQueue, any.synQueue, six.synQueue]).toEqual([1, 2, 1]);
  });

  it('is not known where listeners share an address and one of them has a request', () => {
    const [one, two, other] = [socket('10.0.0.1', 80), socket('10.0.0.1', 80), socket('10.0.0.1', 81)];
    fillSynQueues([one, two, other], [socket('10.0.0.1', 80)]);
    expect([one.synQueue, two.synQueue, other.synQueue]).toEqual([undefined, undefined, 0]);
  });

  it('takes IPv4 in IPv6 addresses for what it is', () => {
    expect(plainAddress('::ffff:a00:2')).toBe('10.0.0.2');
    expect(plainAddress('::ffff:0:1:2')).toBe('::ffff:0:1:2');
    expect(plainAddress('fd00::1')).toBe('fd00::1');
  });
});
