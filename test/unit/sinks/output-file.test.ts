import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NettraceError, UsageError } from '../../../src/errors.js';
import { FileWriter, openOutputFile } from '../../../src/sinks/output-file.js';

const isRoot = process.geteuid?.() === 0;
const OTHER_USER = 65534;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nettrace-output-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(path: string, text: string): void {
  const writer = new FileWriter(openOutputFile(path), path);
  writer.write(text);
  writer.close();
}

function failure(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing failed');
}

describe('the output file', () => {
  it('is made with mode 0600, whatever the umask', () => {
    const path = join(directory, 'trace');
    const umask = process.umask(0);
    try {
      write(path, 'one\n');
    } finally {
      process.umask(umask);
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe('one\n');
  });

  it('that is there already is emptied, and is for its owner alone afterwards', () => {
    const path = join(directory, 'trace');
    writeFileSync(path, 'much longer than what comes', { mode: 0o644 });
    write(path, 'one\n');
    expect(readFileSync(path, 'utf8')).toBe('one\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('may be a symbolic link of the own user', () => {
    const path = join(directory, 'link');
    symlinkSync(join(directory, 'target'), path);
    write(path, 'one\n');
    expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('one\n');
  });

  it('is not written through a symbolic link of another user', (ctx) => {
    ctx.skip(!isRoot, 'only root can give a symbolic link to another user');
    const target = join(directory, 'target');
    const path = join(directory, 'link');
    writeFileSync(target, 'precious');
    symlinkSync(target, path);
    lchownSync(path, OTHER_USER, OTHER_USER);
    const error = failure(() => openOutputFile(path));
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toBe(
      `'${path}' is a symbolic link of another user (uid ${OTHER_USER}): not written`,
    );
    expect(readFileSync(target, 'utf8')).toBe('precious');
  });

  it('is not made through a dangling symbolic link of another user', (ctx) => {
    ctx.skip(!isRoot, 'only root can give a symbolic link to another user');
    const path = join(directory, 'link');
    symlinkSync(join(directory, 'target'), path);
    lchownSync(path, OTHER_USER, OTHER_USER);
    expect(() => openOutputFile(path)).toThrow(UsageError);
    expect(existsSync(join(directory, 'target'))).toBe(false);
  });

  it('is not written, nor emptied, where it belongs to another user', (ctx) => {
    ctx.skip(!isRoot, 'only root can give a file to another user');
    const path = join(directory, 'file');
    writeFileSync(path, 'precious');
    chownSync(path, OTHER_USER, OTHER_USER);
    expect(() => openOutputFile(path)).toThrow(`'${path}' belongs to another user (uid ${OTHER_USER}): not written`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it.each([
    ['in a directory that is not there', 'missing/trace', 'ENOENT'],
    ['that is a directory', '.', 'EISDIR'],
  ])('%s is refused with its name and the reason', (_what, name, code) => {
    const path = join(directory, name);
    expect(() => openOutputFile(path)).toThrow(new UsageError(`cannot write '${path}': ${code}`));
  });

  it('that is a pipe without a reader does not make nettrace wait for one', () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(() => openOutputFile(path)).toThrow('ENXIO');
  });
});

describe('writing to it', () => {
  it('to a full disk says so and keeps what was written whole', (ctx) => {
    const mountPoint = join(directory, 'disk');
    mkdirSync(mountPoint);
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mountPoint], {
      encoding: 'utf8',
    });
    ctx.skip(status !== 0, `a small tmpfs cannot be mounted here: ${stderr?.trim()}`);
    try {
      const path = join(mountPoint, 'trace');
      const fd = openOutputFile(path);
      const writer = new FileWriter(fd, path);
      const block = `${'x'.repeat(9999)}\n`;
      const error = failure(() => {
        for (let i = 0; i < 100; i++) writer.write(block);
      });
      writer.close();
      expect(error).toBeInstanceOf(NettraceError);
      expect(error).not.toBeInstanceOf(UsageError);
      expect((error as NettraceError).message).toBe(`cannot write '${path}': the disk is full`);
      const kept = readFileSync(path, 'utf8');
      expect(kept.length).toBeGreaterThan(0);
      expect(kept).toBe(block.repeat(kept.length / block.length));
      expect((error as NettraceError).advice).toContain(`${kept.length} bytes`);
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  });

  it('to a device that is full says so', (ctx) => {
    ctx.skip(!existsSync('/dev/full'), 'there is no /dev/full');
    const writer = new FileWriter(openOutputFile('/dev/full'), '/dev/full');
    expect(() => writer.write('x')).toThrow("cannot write '/dev/full': the disk is full");
    writer.close();
  });

  it('leaves the mode of a device alone', () => {
    const before = statSync('/dev/null').mode;
    closeSync(openOutputFile('/dev/null'));
    expect(statSync('/dev/null').mode).toBe(before);
  });

  it('to a pipe with a slow reader waits for it: nothing is lost', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    // begins to read when it is told, and that is after more was written than a pipe holds
    const reader = spawn('sh', ['-c', 'exec 3<"$0"; echo open; sleep 0.3; wc -c <&3', path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: string[] = [];
    reader.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const fd = await openWhenRead(path);
    const writer = new FileWriter(fd, path);
    const block = 'x'.repeat(100_000);
    for (let i = 0; i < 5; i++) writer.write(block);
    writer.close();
    await once(reader, 'close');
    expect(output.join('').trim().split(/\s+/)).toEqual(['open', '500000']);
  });

  it('to a pipe whose reader has gone fails with EPIPE', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = spawn('sh', ['-c', 'exec 3<"$0"; echo open; read line <&3', path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const gone = once(reader, 'close');
    const writer = new FileWriter(await openWhenRead(path), path);
    writer.write('one line\n');
    await gone;
    expect(() => writer.write('another\n')).toThrow(`cannot write '${path}': EPIPE`);
    writer.close();
  });
});

/** A pipe can be opened once its reader has it open too. */
async function openWhenRead(path: string): Promise<number> {
  for (;;) {
    try {
      return openOutputFile(path);
    } catch (error) {
      if (!(error as Error).message.includes('ENXIO')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
