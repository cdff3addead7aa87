import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readInNetns } from '../index.js';
import { failureOf, openDescriptors } from './support.js';

const OWN = '/proc/self/ns/net';
const SOMAXCONN = '/proc/sys/net/core/somaxconn';
const NAME = `bpf-loader-test-${process.pid}`;
const OTHER = `/run/netns/${NAME}`;

const ip = (...words: string[]) => spawnSync('ip', words, { encoding: 'utf8' });
const made = ip('netns', 'add', NAME).status === 0;
const tasks = () => Number(/Threads:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

afterAll(() => {
  if (made) ip('netns', 'delete', NAME);
});

describe('paths and options for a read in a namespace', () => {
  it.each([
    [['run/netns/x', SOMAXCONN], /netns must be an absolute path/],
    [['', SOMAXCONN], /netns must be an absolute path/],
    [[OWN, 'proc/sys'], /file must be an absolute path/],
    [[OWN, '/proc\0/sys'], /file must not hold a NUL/],
    [[OWN], /file must be a string/],
    [[OWN, SOMAXCONN, { maxBytes: 0 }], /maxBytes must be a whole number from 1/],
    [[OWN, SOMAXCONN, { inode: -1 }], /inode must be a whole number from 1/],
    [[OWN, SOMAXCONN, 5], /options must be an object/],
  ] as const)('%j are a TypeError', (args, message) => {
    const call = () => (readInNetns as (...all: readonly unknown[]) => unknown)(...args);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });

  it('that lead nowhere, or to no namespace, are a BpfError', () => {
    expect(failureOf(() => readInNetns('/run/netns/there-is-none', SOMAXCONN))).toMatchObject({
      code: 'ENOENT',
      operation: 'open',
      target: '/run/netns/there-is-none',
    });
    expect(failureOf(() => readInNetns('/proc/self/comm', SOMAXCONN)).operation).toBe('enter');
  });
});

describe.skipIf(!made)('a read in another network namespace', () => {
  beforeAll(() => {
    const path = '/proc/sys/net/core/somaxconn';
    ip('netns', 'exec', NAME, 'sh', '-c', `echo 1234 >${path}`);
  });

  it('sees that namespace, and moves no other thread', () => {
    const before = statSync(OWN).ino;
    const own = readFileSync(SOMAXCONN, 'utf8');
    expect(readInNetns(OTHER, SOMAXCONN).toString()).toBe('1234\n');
    expect(readFileSync(SOMAXCONN, 'utf8')).toBe(own);
    expect(statSync(OWN).ino).toBe(before);
    expect(readInNetns(OWN, SOMAXCONN).toString()).toBe(own);
  });

  it('sees its interfaces and counters below /proc/thread-self', () => {
    const devices = readInNetns(OTHER, '/proc/thread-self/net/dev').toString();
    expect(devices.split('\n').slice(2, -1)).toEqual([expect.stringMatching(/^ *lo:/)]);
  });

  it('goes no further than the bytes that were asked for', () => {
    expect(readInNetns(OTHER, SOMAXCONN, { maxBytes: 2 }).toString()).toBe('12');
    expect(readInNetns(OTHER, '/dev/null')).toHaveLength(0);
    expect(readInNetns(OTHER, '/dev/zero', { maxBytes: 70_000 })).toHaveLength(70_000);
  });

  it('wants the inode that it was told', () => {
    const { ino } = statSync(OTHER);
    expect(readInNetns(OTHER, SOMAXCONN, { inode: ino }).toString()).toBe('1234\n');
    expect(failureOf(() => readInNetns(OTHER, SOMAXCONN, { inode: ino + 1 }))).toMatchObject({
      code: 'ESTALE',
      target: OTHER,
    });
  });

  it('says which file was not there, and which is none', () => {
    const missing = '/proc/sys/net/core/there_is_none';
    expect(failureOf(() => readInNetns(OTHER, missing))).toMatchObject({
      code: 'ENOENT',
      operation: 'open',
      target: missing,
    });
    expect(failureOf(() => readInNetns(OTHER, '/proc'))).toMatchObject({ code: 'EISDIR', operation: 'read' });
  });

  it('is not held up by a FIFO without a writer', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netns-file-'));
    try {
      const fifo = join(folder, 'fifo');
      expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
      expect(readInNetns(OTHER, fifo)).toHaveLength(0);
      writeFileSync(join(folder, 'file'), 'x');
      expect(readInNetns(OTHER, join(folder, 'file')).toString()).toBe('x');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('leaves neither descriptors nor threads', () => {
    readInNetns(OTHER, SOMAXCONN);
    const [descriptors, threads] = [openDescriptors(), tasks()];
    for (let i = 0; i < 500; i++) readInNetns(OTHER, SOMAXCONN);
    for (let i = 0; i < 100; i++) failureOf(() => readInNetns(OTHER, '/proc/there-is-none'));
    expect(openDescriptors()).toBe(descriptors);
    expect(tasks()).toBeLessThan(threads + 10); // the last may not be quite gone
  });
});
