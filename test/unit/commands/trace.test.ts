import { describe, expect, it } from 'vitest';
import { nettrace } from '../../support/command.js';

describe('the expression of live traces', () => {
  // all are refused before anything is traced: without privileges, too
  it.each([
    [['--filter', 'tcp prot 80'], 'filter expression, column 5: syntax error', 'tcp prot 80'],
    [['tcp', 'prot', '80'], 'filter expression, column 5: syntax error', 'tcp prot 80'],
    [['--filter', 'udp', 'tcp prot 80'], 'filter expression, column 16: syntax error', '(udp) and (tcp prot 80)'],
    [['--filter', ''], 'filter expression must not be empty', ''],
    [['--sock', 'tcp[13] & 4 != 0'], "filter expression: 'tcp[13] & 4 != 0' asks for more than a socket has", ''],
    [['--rtt', 'ether dst 02:00:00:00:00:01'], "filter expression: 'ether dst 02:00:00:00:00:01' asks for more", ''],
  ])('%j: is that of --filter and of the words behind the options, joined by and', async (words, message, shown) => {
    const { code, stderr } = await nettrace(...words);
    expect(stderr).toContain(`nettrace: ${message}`);
    expect(stderr).toContain(shown);
    expect(code).toBe(2);
  });
});
