import { describe, expect, it } from 'vitest';
import { compilePcapFilter } from '../index.js';

const ETHERNET = 1;
const RAW = 12;

describe('a pcap filter expression', () => {
  it('becomes classic BPF', () => {
    expect(compilePcapFilter('ip', ETHERNET, 96)).toEqual({
      ok: true,
      program: [
        { code: 0x28, jt: 0, jf: 0, k: 12 },
        { code: 0x15, jt: 0, jf: 1, k: 0x0800 },
        { code: 0x06, jt: 0, jf: 0, k: 96 },
        { code: 0x06, jt: 0, jf: 0, k: 0 },
      ],
    });
  });

  it('depends on the link type', () => {
    const raw = compilePcapFilter('ip', RAW, 96);
    expect(raw.ok && raw.program[0]?.k).toBe(0);
    expect(compilePcapFilter('ether src 00:00:00:00:00:01', RAW, 96)).toMatchObject({ ok: false });
  });

  it('that libpcap does not take is a value', () => {
    expect(compilePcapFilter('tcp port', ETHERNET, 96)).toEqual({
      ok: false,
      message: expect.stringContaining('syntax error'),
    });
  });

  it('may be compiled again after that, as often as one likes', () => {
    for (let i = 0; i < 500; i++) {
      expect(compilePcapFilter('port nosuchport', ETHERNET, 96).ok).toBe(false);
      expect(compilePcapFilter('tcp[0] = 1 or udp', ETHERNET, 96).ok).toBe(true);
    }
  });

  it('is checked', () => {
    const call = compilePcapFilter as (...values: unknown[]) => unknown;
    expect(() => call(5, 1, 96)).toThrow(TypeError);
    expect(() => call('ip', -1, 96)).toThrow(TypeError);
    expect(() => call('ip', 1, 2 ** 31)).toThrow(TypeError);
    expect(() => call('ip\0', 1, 96)).toThrow(TypeError);
  });
});
