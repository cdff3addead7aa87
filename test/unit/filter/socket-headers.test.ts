import { describe, expect, it } from 'vitest';
import { packetProgram } from '../../../src/filter/compile-filters.js';
import { generateFunction } from '../../../src/filter/generated-function.js';
import { compileExpression } from '../../../src/filter/pcap-expression.js';
import { asksSocketsOnly, knownFromSocket } from '../../../src/filter/socket-headers.js';
import { FilterProgram, FilterScratch } from '../../../src/generated/layout.js';
import { runGenerated } from '../../support/bpf-interpreter.js';

/** 10.0.0.1:40000 -> 10.0.0.2:8000, SYN; as write_socket_headers() leaves them. */
const V4 = '450000000000000000060000' + '0a0000010a000002' + '9c401f40000003e8000000000002000000000000';
const V6 =
  '6000000000000600' +
  'fd000000000000000000000000000001fd000000000000000000000000000002' +
  '9c401f40000003e8000000000002000000000000';

function matches(version: 4 | 6, expression: string): boolean {
  const { raw } = compileExpression(expression, 'filter');
  if (!raw) return false;
  const number = version === 4 ? FilterProgram.socketV4 : FilterProgram.socketV6;
  const body = generateFunction(new Map([[number, packetProgram(raw, knownFromSocket(version, raw, 'segment'))]]));
  const scratch = new Uint8Array(FilterScratch.size);
  const bytes = Buffer.from(version === 4 ? V4 : V6, 'hex');
  scratch.set(bytes, FilterScratch.packet);
  new DataView(scratch.buffer).setUint32(FilterScratch.captured, bytes.length, true);
  return runGenerated(body, scratch, number) !== 0n;
}

describe('before the headers of a segment are written', () => {
  it.each([
    [4, 'tcp port 8000'],
    [4, 'src host 10.0.0.1 and dst net 10.0.0.0/24'],
    [4, 'tcp[tcpflags] & tcp-syn != 0'],
    [4, 'tcp[tcpflags] == tcp-syn and tcp[4:4] = 1000'],
    [4, 'not udp'],
    [4, 'ip and not host 10.0.0.3'],
    [6, 'tcp port 8000'],
    [6, 'ip6 and src host fd00::1'],
    [6, 'dst port 8000 and not src port 22'],
  ] as const)('IPv%d: what the socket knows decides on %s', (version, expression) => {
    expect(matches(version, expression)).toBe(true);
  });

  it.each([
    [4, 'tcp port 80'],
    [4, 'ip6'],
    [6, 'ip'],
    [6, 'host fd00::3'],
  ] as const)('IPv%d: and against %s', (version, expression) => {
    expect(matches(version, expression)).toBe(false);
  });

  it.each([
    [4, 'ip[8] < 64'],
    [4, 'not ip[8] > 64'],
    [4, 'len < 100'],
    [4, 'ip[2:2] < 100'],
    [4, 'ip[6:2] & 0x4000 = 0'],
    [4, 'tcp[14:2] = 0'],
    [4, 'ip[0] & 0xf = 5'],
    [4, 'tcp[20] = 0'],
    [6, 'ip6[7] = 0'],
    [6, 'ip6[0] & 0xf = 0'],
    [6, 'tcp port 8000 and ip6[4:2] = 0'],
  ] as const)('IPv%d: nothing is guessed for %s', (version, expression) => {
    expect(matches(version, expression)).toBe(false);
  });
});

describe('of a socket', () => {
  const isForSockets = (expression: string) => asksSocketsOnly(compileExpression(expression, 'filter').raw ?? []);

  it.each(['tcp', 'port 8000', 'ip6 and src host fd00::1', 'not (net 10.0.0.0/8 or dst portrange 1-1023)'])(
    'addresses and ports are known: %s',
    (expression) => expect(isForSockets(expression)).toBe(true),
  );

  it.each(['tcp[tcpflags] & tcp-syn != 0', 'tcp[4:4] = 1', 'ip[8] < 64', 'len < 100', 'ip6[7] = 64', 'icmp[4] = 8'])(
    'nothing else is: %s',
    (expression) => expect(isForSockets(expression)).toBe(false),
  );
});
