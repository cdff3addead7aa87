import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { currentNetnsInode, netnsInode } from '../../../src/load/netns.js';

const own = statSync('/proc/self/ns/net').ino;

describe('a network namespace', () => {
  it('of this process is known', () => {
    expect(currentNetnsInode()).toBe(own);
  });

  it('is found by path', () => {
    expect(netnsInode('/proc/self/ns/net')).toBe(own);
    expect(netnsInode(`/proc/${process.pid}/ns/net`)).toBe(own);
  });

  it('is taken by its inode', () => {
    expect(netnsInode('4026531840')).toBe(4026531840);
  });

  it('is found by its name', (ctx) => {
    const name = `nettrace-unit-${process.pid}`;
    const { status, stderr, error } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
    ctx.skip(status !== 0, `ip netns add: ${error?.message ?? stderr?.trim()}`);
    try {
      expect(netnsInode(name)).toBe(statSync(`/run/netns/${name}`).ino);
      expect(netnsInode(name)).not.toBe(own);
    } finally {
      execFileSync('ip', ['netns', 'delete', name]);
    }
  });

  it.each([
    ['no-such-netns', /no network namespace 'no-such-netns' \(\/run\/netns\/no-such-netns: ENOENT\)/],
    ['/proc/self/ns/none', /no network namespace '\/proc\/self\/ns\/none'/],
    ['/etc/passwd', /'\/etc\/passwd' is not a network namespace/],
    ['/', /'\/' is not a network namespace/],
    ['0', /'0' is not the inode/],
    ['4294967296', /'4294967296' is not the inode/],
    ['', /'' names no network namespace/],
    ['.', /'\.' names no network namespace/],
    ['..', /'\.\.' names no network namespace/],
  ])('is not %j', (text, message) => {
    expect(() => netnsInode(text)).toThrow(UsageError);
    expect(() => netnsInode(text)).toThrow(message);
  });
});
