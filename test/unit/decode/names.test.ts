import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  netfilterFamilyName,
  netfilterHookName,
  netfilterVerdictName,
  parseTcpFlags,
  tcpFlagsText,
  tcpStateName,
} from '../../../src/decode/names.js';

const NFPROTO = { inet: 1, ipv4: 2, arp: 3, netdev: 5, bridge: 7, ipv6: 10 } as const;

describe('names', () => {
  it('of the TCP states that every tool shows are right, and an unknown one stays a number', () => {
    expect([1, 2, 6, 7, 10, 12].map(tcpStateName)).toEqual([
      'ESTABLISHED',
      'SYN_SENT',
      'TIME_WAIT',
      'CLOSE',
      'LISTEN',
      'NEW_SYN_RECV',
    ]);
    expect(tcpStateName(0)).toBeUndefined();
    expect(tcpStateName(99)).toBe('99');
  });

  it('of TCP states fit what this kernel says of a socket that listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = (server.address() as AddressInfo).port.toString(16).toUpperCase().padStart(4, '0');
    const line = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((l) => l.includes(`0100007F:${port} 00000000:0000`));
    server.close();
    const state = line?.trim().split(/\s+/)[3] ?? '';
    expect(tcpStateName(Number.parseInt(state, 16))).toBe('LISTEN');
  });

  it('of netfilter hooks depend on the family', () => {
    expect(netfilterHookName(NFPROTO.ipv4, 0)).toBe('PRE_ROUTING');
    expect(netfilterHookName(NFPROTO.ipv6, 4)).toBe('POST_ROUTING');
    expect(netfilterHookName(NFPROTO.bridge, 2)).toBe('FORWARD');
    expect(netfilterHookName(NFPROTO.arp, 0)).toBe('INPUT');
    expect(netfilterHookName(NFPROTO.arp, 1)).toBe('OUTPUT');
    expect(netfilterHookName(NFPROTO.netdev, 0)).toBe('INGRESS');
    expect(netfilterHookName(NFPROTO.netdev, 1)).toBe('EGRESS');
    expect(netfilterHookName(NFPROTO.ipv4, 77)).toBe('77');
  });

  it('of netfilter families are those of nft, and an unknown one stays a number', () => {
    for (const [name, number] of Object.entries(NFPROTO)) expect(netfilterFamilyName(number)).toBe(name);
    expect(netfilterFamilyName(200)).toBe('200');
  });

  it('of netfilter verdicts look at the low byte: the rest is an errno or a queue number', () => {
    expect(netfilterVerdictName(0)).toBe('NF_DROP');
    expect(netfilterVerdictName(1)).toBe('NF_ACCEPT');
    expect(netfilterVerdictName((5 << 16) | 3)).toBe('NF_QUEUE');
    expect(netfilterVerdictName(-1 << 16)).toBe('NF_DROP');
    expect(netfilterVerdictName(9)).toBe('9');
  });
});

describe('TCP flags', () => {
  it('are written in the order S A R P F U E C', () => {
    expect(tcpFlagsText(0xff)).toBe('SARPFUEC');
    expect(tcpFlagsText(0x12)).toBe('SA');
    expect(tcpFlagsText(0x11)).toBe('AF');
    expect(tcpFlagsText(0x04)).toBe('R');
    expect(tcpFlagsText(0)).toBe('');
  });

  it('go to letters and back, in either case and any order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.boolean(), (flags, lower) => {
        const letters = [...tcpFlagsText(flags)].reverse().join('');
        expect(parseTcpFlags(lower ? letters.toLowerCase() : letters)).toBe(flags);
      }),
    );
  });

  it.each(['X', 'S A', 'SYN', 'S1', 'É'])('are not %j', (text) => {
    expect(parseTcpFlags(text)).toBeNull();
  });
});
