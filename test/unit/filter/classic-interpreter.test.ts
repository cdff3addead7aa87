import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClassicInstruction, compilePcapFilter } from '#bpf-loader';
import { knownPacket, NotKnown, type PartialPacket, runClassic } from '../../../src/filter/classic-interpreter.js';

const RAW = 12;

function compiled(expression: string): ClassicInstruction[] {
  const result = compilePcapFilter(expression, RAW, 256);
  if (!result.ok) throw new Error(result.message);
  return result.program;
}

/** An IPv4 packet with TCP from 10.0.0.1:40000 to 10.0.0.2:80, TTL 64, no options. */
const PACKET = Uint8Array.from(
  '45000028000140004006000 00a0000010a000002 9c40005000000001000000025002200000000000'
    .replaceAll(' ', '')
    .match(/../g)!,
  (hex) => Number.parseInt(hex, 16),
);

/** The packet with some of its bytes not known. */
function without(...unknown: number[]): PartialPacket {
  const known = new Uint8Array(PACKET.length).fill(0xff);
  for (const at of unknown) known[at] = 0;
  return { bytes: PACKET, known, nameOf: (at) => `byte ${at}`, length: 40, isWhole: true };
}

const EXPRESSIONS = [
  'tcp port 80',
  'udp',
  'host 10.0.0.2 and not port 443',
  'ip[8] > 63',
  'tcp[tcpflags] & tcp-syn != 0',
  'tcp[((tcp[12] & 0xf0) >> 2)] = 1',
  'greater 41',
  'ip[1] / ip[1] = 0 or tcp',
  'ip[2:2] - 40 = 0',
];

describe('a packet of which everything is known', () => {
  it.each([
    ['tcp port 80', true],
    ['tcp port 81', false],
    ['ip[8] = 64 and ip[2:2] = 40', true],
    ['tcp[tcpflags] = tcp-syn', true],
    ['greater 41', false],
    ['ip[60] = 0', false],
    ['ip[1] / ip[1] = 1', false],
    ['(ip[8] >> 2) * 4 - 1 = 63', true],
  ])('is asked for %s: %s', (expression, wanted) => {
    expect(runClassic(compiled(expression), knownPacket(PACKET)) > 0).toBe(wanted);
  });
});

describe('a packet of which not all is known', () => {
  it('matches by what is known', () => {
    expect(runClassic(compiled('tcp port 80 and host 10.0.0.1'), without(1, 4, 5, 8, 10, 11))).toBeGreaterThan(0);
    expect(runClassic(compiled('udp'), without(1, 8))).toBe(0);
  });

  it('has no answer where a byte decides that is not known, and says which', () => {
    expect(() => runClassic(compiled('ip[8] > 3'), without(8))).toThrow(expect.objectContaining({ what: 'byte 8' }));
    expect(() => runClassic(compiled('ip[8] > 3 and tcp'), without(8))).toThrow(NotKnown);
  });

  it('has one where the byte does not decide', () => {
    expect(runClassic(compiled('ip[8] > 3 or tcp'), without(8))).toBeGreaterThan(0);
    expect(runClassic(compiled('ip[8] > 3 and udp'), without(8))).toBe(0);
    expect(runClassic(compiled('ip[8] & 0 = 0'), without(8))).toBeGreaterThan(0);
  });

  it('knows values that a byte does not have', () => {
    const packet = { ...without(9), not: new Map([[9, [6, 17]]]) };
    expect(runClassic(compiled('ip proto 6'), packet)).toBe(0);
    expect(() => runClassic(compiled('ip proto 47'), packet)).toThrow(NotKnown);
  });

  it('may go on behind the bytes that are there', () => {
    const open = { ...without(), isWhole: false };
    expect(() => runClassic(compiled('ip[60] = 0'), open)).toThrow(NotKnown);
    expect(runClassic(compiled('ip[60] = 0 and udp'), open)).toBe(0);
  });

  it('ends however often conditions depend on it', () => {
    const expression = Array.from({ length: 40 }, (_, i) => `ip[8] & ${i + 1} = ${i}`).join(' or ');
    expect(() => runClassic(compiled(expression), without(8))).toThrow(NotKnown);
  });

  it('never has another answer than the whole packet would have', () => {
    const programs = EXPRESSIONS.map(compiled);
    fc.assert(
      fc.property(
        fc.constantFrom(...programs),
        fc.uint8Array({ minLength: 40, maxLength: 40 }),
        fc.uint8Array({ minLength: 40, maxLength: 40 }),
        (program, known, noise) => {
          const partial: PartialPacket = { ...without(), known };
          let answer: number;
          try {
            answer = runClassic(program, partial);
          } catch (error) {
            if (error instanceof NotKnown) return;
            throw error;
          }
          const whole = PACKET.map((byte, i) => (byte & known[i]!) | (noise[i]! & ~known[i]!));
          expect(runClassic(program, knownPacket(whole)) > 0).toBe(answer > 0);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
