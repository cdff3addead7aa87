import { afterAll, describe, expect, it } from 'vitest';
import { KernelBtf } from '#bpf-loader';
import { UsageError } from '../../../src/errors.js';
import { compileFilters } from '../../../src/filter/compile-filters.js';
import { compileMeta } from '../../../src/filter/meta-expression.js';
import { compileExpression } from '../../../src/filter/pcap-expression.js';

/** What a user gets to see: the message, and the part that the carets are under. */
function complaint(compile: () => unknown): [message: string, part: string] {
  try {
    compile();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const [expression = '', carets = ''] = error.advice?.split('\n') ?? [];
    const start = carets.indexOf('^');
    const column = /column (\d+)/.exec(error.message)?.[1];
    expect(Number(column)).toBe(start + 1);
    return [error.message.replace(/^.*?, column \d+: /, ''), expression.slice(start, carets.length)];
  }
  throw new Error('there was nothing to complain about');
}

describe('a wrong packet filter shows the word that is wrong', () => {
  it.each([
    ['tcp port and udp', 'and', 'syntax error'],
    ['tcp port 80 80', '80', 'syntax error'],
    ['tcp and and udp', 'and', 'syntax error'],
    ['tcp port 8000 and (host 1.2.3.4 or', '', 'syntax error'],
    ['tcp[tcpflags & tcp-rst != 0', '!=', 'syntax error'],
    ['tcp src port 80)', ')', 'syntax error'],
    ['tcp[13] & (2|', '', 'syntax error'],
    ['not', '', 'syntax error'],
    ['and tcp', 'and', 'syntax error'],
    ['host 10.0.0.1 & tcp', '&', 'syntax error'],
    ['tcp port 80 or or port 90', 'or', 'syntax error'],
    ['ip[2:2] > 100 tcp', 'tcp', 'syntax error'],
    ['vlan 5 and ether proto', '', 'syntax error'],
    ['src or dst', '', 'syntax error'],
    ['ether host 00:00:00:00:00:01 port', 'port', 'syntax error'],
    ['port nosuchport', 'nosuchport', "unknown port 'nosuchport'"],
    ['tcp or host no.such.host.invalid', 'no.such.host.invalid', "unknown host 'no.such.host.invalid'"],
    ['tcp and host 1.2.3.400 or udp', '1.2.3.400', "invalid IPv4 address '1.2.3.400"],
    ['udp port 70000', '70000', 'illegal port number 70000 > 65535'],
    ['tcp and udp and net 10.0.0.1/8', '10.0.0.1/8', 'non-network bits set in "10.0.0.1/8"'],
  ])('%s', (expression, part, message) => {
    const [said, shown] = complaint(() => compileExpression(expression, 'filter expression'));
    expect(said).toContain(message);
    expect(shown).toBe(part);
  });

  it('and an empty one is none', () => {
    expect(() => compileExpression('  ', 'filter expression')).toThrow('filter expression must not be empty');
    expect(() => compileExpression('tcp\0udp', 'filter expression')).toThrow('must not contain a zero byte');
  });

  it('unless it only makes no sense without a link-layer header', () => {
    const { ethernet, raw, window } = compileExpression('ether host 02:00:00:00:00:01', 'filter expression');
    expect(ethernet).toBeDefined();
    expect(raw).toBeUndefined();
    expect(window).toBe(12);
  });

  it('and refuses what is only true of a capture', () => {
    expect(() => compileFilters({ expression: 'inbound' })).toThrow(UsageError);
  });
});

describe('a wrong filter on fields shows the word that is wrong', () => {
  const kernel = KernelBtf.load();
  afterAll(() => kernel.close());
  it.each([
    ['mark = 1', '=', 'equality is written =='],
    ['mark | 1', '|', "'or' is written ||"],
    ['mark == ', '', 'expected a number or a string in quotes behind =='],
    ['mark == cloned', 'cloned', 'expected a number or a string in quotes behind ==, not'],
    ['mark & == 1', '==', 'expected a number behind &'],
    ['mark ? 1', '?', "'?' means nothing here"],
    ['mark == 0xzz', '0xzz', "'0xzz' is no number"],
    ['mark == 089', '089', "'089' is no number"],
    ['mark == "a', '"a', 'the string has no end'],
    ['(mark == 1', '(', "this '(' is not closed"],
    ['(mark == 1 cloned)', 'cloned', "expected '&&', '||' or ')', not 'cloned'"],
    ['mark == 1)', ')', "expected '&&', '||' or the end, not ')'"],
    ['len > 1000 && && cloned', '&&', "expected a field of struct sk_buff, not '&&'"],
    ['!', '', 'expected a field of struct sk_buff'],
    ['dev.', '', "expected a field's name"],
    ['5 == mark', '5', "expected a field of struct sk_buff, not '5'"],
    ['mrk == 1', 'mrk', "struct sk_buff of this kernel has no field 'mrk'"],
    ['dev.nam == "x"', 'nam', "struct net_device of this kernel has no field 'nam'"],
    ['mark.x == 1', 'x', "'mark' is a __u32, which has no field 'x'"],
    ['dev == "eth0"', '"eth0"', "'dev' is a struct net_device *, which cannot be compared with a string"],
    ['dev.name == 5', '5', "'name' is a string (char[16])"],
    ['dev.name', 'dev.name', "'name' is a string (char[16])"],
    ['dev.name > "a"', '"a"', 'strings are compared by == and != only'],
    ['dev.name & 1 == "a"', '1', 'a string has no bits to mask'],
    ['dev.name == "a-name-that-is-long"', '"a-name-that-is-long"', "a string of 'name' has at most 15 bytes"],
    ['sk.__sk_common == 1', '__sk_common', "'__sk_common' is a struct sock_common: name one of its fields"],
    ['dev.nd_net.net.ns.inum == 1 && dev._tx.x == 1', 'x', 'of this kernel has no field'],
    ['mark == 0x100000000', '0x100000000', "'mark' (__u32, 32 bits) has values from 0 to 4294967295"],
    ['mark == -1', '-1', "'mark' (__u32, 32 bits) has values from 0 to 4294967295"],
    ['cloned == 2', '2', "'cloned' (__u8, 1 bits) has values from 0 to 1"],
    ['mark & 0x1ffffffff', '0x1ffffffff', "'mark' (__u32, 32 bits) has values"],
    [`${'('.repeat(120)}mark${')'.repeat(120)}`, '(', 'brackets and negations are more than 100 deep'],
    [`mark${' && mark'.repeat(2000)}`, 'mark', 'more than 2000 words'],
  ])('%s', (expression, part, message) => {
    const [said, shown] = complaint(() => compileMeta(expression, kernel));
    expect(said).toContain(message);
    expect(shown.trim()).toBe(part);
  });

  it.each([
    'mark == 0x10',
    'dev.ifindex == 3',
    'len > 1000 && cloned',
    'sk.__sk_common.skc_family == 2',
    'dev.name == "eth0"',
    'not (pkt_type == 3 or ip_summed != 0) and dev->nd_net.net->ns.inum > 1',
  ])('and takes %s', (expression) => {
    expect(compileFilters({ filterMeta: expression }, kernel)?.body.length).toBeGreaterThan(0);
  });
});
