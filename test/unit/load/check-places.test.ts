import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { checkPlaces } from '../../../src/load/check-places.js';

const NAME = `nettrace-places-${process.pid}`;
let refused: string | undefined;

beforeAll(() => {
  const { status, stderr, error } = spawnSync('ip', ['netns', 'add', NAME], { encoding: 'utf8' });
  if (status !== 0) refused = `ip netns add: ${error?.message ?? stderr?.trim()}`;
  else execFileSync('ip', ['-n', NAME, 'link', 'add', 'here0', 'type', 'veth', 'peer', 'name', 'here1']);
});
afterAll(() => {
  if (refused === undefined) execFileSync('ip', ['netns', 'delete', NAME]);
});

const needNamespace = (ctx: TestContext) => ctx.skip(refused !== undefined, refused);

describe('the places of a run', () => {
  it('may be left out', () => {
    checkPlaces({});
    checkPlaces({ netns: [], ifname: 'comes-later' });
  });

  it('are an interface of this network namespace where no other is given', () => {
    checkPlaces({ ifname: 'lo' });
    for (const more of [{}, { netnsCurrent: true }]) {
      expect(() => checkPlaces({ ifname: 'no-such-if', ...more })).toThrow(UsageError);
      expect(() => checkPlaces({ ifname: 'no-such-if', ...more })).toThrow(
        "there is no interface 'no-such-if' in this network namespace",
      );
    }
  });

  it('are an interface of the namespace that is given, by its name, path or inode', (ctx) => {
    needNamespace(ctx);
    const inode = String(statSync(`/run/netns/${NAME}`).ino);
    for (const netns of [NAME, `/run/netns/${NAME}`, inode, [NAME]]) {
      checkPlaces({ netns, ifname: 'here0' });
      expect(() => checkPlaces({ netns, ifname: 'no-such-if' })).toThrow(
        `there is no interface 'no-such-if' in the network namespace ${netns}`,
      );
    }
  });

  it('are an interface of one of several namespaces', (ctx) => {
    needNamespace(ctx);
    const netns = ['/proc/self/ns/net', NAME];
    checkPlaces({ netns, ifname: 'here1' });
    expect(() => checkPlaces({ netns, ifname: 'no-such-if' })).toThrow(`in the network namespace ${netns.join(', ')}`);
  });

  it.each(['12345', '4026531831'])('are no namespace with the inode %s: none can have it', (netns) => {
    expect(() => checkPlaces({ netns })).toThrow(UsageError);
    expect(() => checkPlaces({ netns: [netns] })).toThrow(`there is no network namespace with the inode ${netns}`);
  });

  it('are no namespace that has gone, where all processes can be seen', (ctx) => {
    let sees = false;
    try {
      sees = statSync('/proc/1/ns/net').ino > 0;
    } catch {}
    ctx.skip(!sees, 'this user does not see the namespaces of all processes');
    expect(() => checkPlaces({ netns: '4294967295' })).toThrow(
      'there is no network namespace with the inode 4294967295',
    );
  });

  it('are taken as given where not all processes can be seen, and the namespace may be hidden', (ctx) => {
    let sees = true;
    try {
      statSync('/proc/1/ns/net');
    } catch {
      sees = false;
    }
    ctx.skip(sees, 'this user sees the namespaces of all processes');
    checkPlaces({ netns: '4294967295', ifname: 'any' });
  });
});
