import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { listWithNft } from '../../../src/explain/list-nft.js';
import { NetnsFiles } from '../../../src/explain/netns-files.js';
import { useFolder } from '../../support/folder.js';

const { PATH } = process.env;
const file = useFolder();
const NETNS = statSync('/proc/self/ns/net').ino;

afterEach(() => {
  process.env.PATH = PATH;
});

/** What is told while rules are listed, with a program of that text as nft, or with none. */
function warnings(nft: string | undefined, tables: readonly string[]): string[] {
  if (nft !== undefined) {
    writeFileSync(file('nft'), `#!/bin/sh\n${nft}\n`);
    chmodSync(file('nft'), 0o755);
  }
  process.env.PATH = file();
  const told: string[] = [];
  const list = listWithNft(new NetnsFiles(), (text) => told.push(text));
  for (const table of tables) expect(list(NETNS, 'ipv4', table) ?? []).toEqual([]);
  return told;
}

describe('rules that cannot be listed', () => {
  const told = (why: string) => [
    `which rule of nftables dropped a packet is not told, as nft cannot list them: ${why}`,
  ];

  it('are told of once where there is no nft', () => {
    expect(warnings(undefined, ['one', 'two'])).toEqual(told('nft is not installed'));
  });

  it('are told of once with what nft said', () => {
    const refusal = 'echo Operation not permitted >&2; echo second line >&2; exit 1';
    expect(warnings(refusal, ['one', 'two'])).toEqual(told('Operation not permitted'));
  });

  it('are not those of a table that is not there', () => {
    const missing = 'echo "Error: No such file or directory" >&2; exit 1';
    expect(warnings(missing, ['one', 'two'])).toEqual([]);
  });

  it('are not those of a name that is not asked for, or where none is asked for', () => {
    expect(warnings(undefined, ['1; flush ruleset'])).toEqual([]);
    expect(warnings(undefined, [])).toEqual([]);
  });
});
