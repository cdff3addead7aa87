import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NettraceError, UsageError } from '../../../src/errors.js';
import { checkOutputFile, FileWriter, openOutputFile } from '../../../src/sinks/output-file.js';
import { RotatingFile } from '../../../src/sinks/rotation.js';

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
  const writer = new FileWriter(openOutputFile(path), `'${path}'`);
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

  describe('behind a link of another user', () => {
    beforeEach((ctx) => {
      ctx.skip(!isRoot, 'only root can give a symbolic link to another user');
      mkdirSync(join(directory, 'theirs'));
      mkdirSync(join(directory, 'own'));
      writeFileSync(join(directory, 'own/file'), 'precious');
      chownSync(join(directory, 'theirs'), OTHER_USER, OTHER_USER);
    });

    function theirLink(name: string, target: string): void {
      symlinkSync(target, join(directory, 'theirs', name));
      lchownSync(join(directory, 'theirs', name), OTHER_USER, OTHER_USER);
    }

    const refused = (name: string, path: string) =>
      `'${name}' on the way to '${path}' is a symbolic link of another user (uid ${OTHER_USER}): not written`;

    it('that a link of its own leads to is not written', () => {
      theirLink('link', join(directory, 'own/file'));
      const path = join(directory, 'mine');
      symlinkSync('theirs/link', path);
      expect(() => openOutputFile(path)).toThrow(refused('link', path));
      expect(readFileSync(join(directory, 'own/file'), 'utf8')).toBe('precious');
    });

    it('that stands for a directory is not made', () => {
      theirLink('link', join(directory, 'own'));
      const path = join(directory, 'theirs/link/new');
      expect(() => openOutputFile(path)).toThrow(refused('link', path));
      expect(existsSync(join(directory, 'own/new'))).toBe(false);
    });

    it('that a link stands for a directory of is not made', () => {
      theirLink('link', '../own');
      const path = join(directory, 'mine/new');
      symlinkSync('theirs/link', join(directory, 'mine'));
      expect(() => openOutputFile(path)).toThrow(refused('link', path));
      expect(existsSync(join(directory, 'own/new'))).toBe(false);
    });

    it('is not rotated either', () => {
      theirLink('link', '../own');
      const path = join(directory, 'theirs/link/file');
      expect(() => new RotatingFile(path, { bytes: 4096, count: 1 })).toThrow(refused('link', path));
      expect(readdirSync(join(directory, 'own'))).toEqual(['file']);
    });

    it('is where it was when the directory was opened: one that is exchanged later does not lead it elsewhere', () => {
      const path = join(directory, 'theirs/logs/t');
      mkdirSync(join(directory, 'theirs/logs'));
      const file = new RotatingFile(path, { bytes: 5, count: 1 });
      file.write('aaaa\n');
      renameSync(join(directory, 'theirs/logs'), join(directory, 'theirs/before'));
      theirLink('logs', '../own');
      file.write('bbbb\n');
      file.close();
      expect(readdirSync(join(directory, 'own'))).toEqual(['file']);
      expect(readFileSync(join(directory, 'theirs/before/t.1'), 'utf8')).toBe('aaaa\n');
      expect(readFileSync(join(directory, 'theirs/before/t'), 'utf8')).toBe('bbbb\n');
    });
  });

  it('may be what /proc links to: standard output', () => {
    const path = join(directory, 'out');
    const descriptor = openSync(path, 'w');
    try {
      closeSync(openOutputFile(`/proc/self/fd/${descriptor}`));
      closeSync(openOutputFile(`/dev/fd/${descriptor}`));
    } finally {
      closeSync(descriptor);
    }
  });

  it('is found by paths of all kinds: through links, up and down, and from where the process is', () => {
    mkdirSync(join(directory, 'a/b'), { recursive: true });
    symlinkSync('a/b', join(directory, 'deep'));
    write(`${directory}/deep/../../.././${basename(directory)}/a/./one`, 'one');
    expect(readFileSync(join(directory, 'a/one'), 'utf8')).toBe('one');
    write(relative('.', join(directory, 'deep/two')), 'two');
    expect(readFileSync(join(directory, 'a/b/two'), 'utf8')).toBe('two');
  });

  it('is not written, nor emptied, where it belongs to another user', (ctx) => {
    ctx.skip(!isRoot, 'only root can give a file to another user');
    const path = join(directory, 'file');
    writeFileSync(path, 'precious');
    chownSync(path, OTHER_USER, OTHER_USER);
    for (const open of [openOutputFile, checkOutputFile])
      expect(() => open(path)).toThrow(`'${path}' belongs to another user (uid ${OTHER_USER}): not written`);
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('is checked before, and stays as it is, or is not made', () => {
    const [file, missing] = [join(directory, 'file'), join(directory, 'missing')];
    writeFileSync(file, 'from before', { mode: 0o640 });
    for (const path of [file, missing, '/dev/null']) checkOutputFile(path);
    expect(readFileSync(file, 'utf8')).toBe('from before');
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(existsSync(missing)).toBe(false);
  });

  it.each([
    ['in a directory that is not there', 'missing/trace', 'there is no such directory', /make the directory first/],
    ['below a file', 'file/trace', 'a part of the path is no directory', undefined],
    ['that is a directory', '.', 'it is a directory', /name of a file in it/],
    ['with a slash behind a name that is not there', 'trace/', 'there is no such directory', /make the directory/],
    ['behind links without end', 'loop', 'too many symbolic links lead to it', undefined],
  ])(
    '%s is refused with its name, the reason and what to do, as a failure of the machine',
    (_what, name, why, advice) => {
      writeFileSync(join(directory, 'file'), '');
      symlinkSync('loop', join(directory, 'loop'));
      const path = `${directory}/${name}`;
      const error = failure(() => openOutputFile(path)) as NettraceError;
      expect(failure(() => checkOutputFile(path))).toMatchObject({ message: error.message, advice: error.advice });
      expect(error.message).toBe(`cannot write '${path}': ${why}`);
      expect(error).not.toBeInstanceOf(UsageError);
      if (advice) expect(error.advice).toMatch(advice);
      else expect(error.advice).toBeUndefined();
    },
  );

  it('without a name is wrong use', () => {
    expect(() => openOutputFile('')).toThrow(new UsageError("a file to write to needs a name, not ''"));
  });

  it('that is a pipe without a reader does not make nettrace wait for one', () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(() => openOutputFile(path)).toThrow('nothing reads from it');
    // opened and closed again it would have ended for who reads it
    expect(() => checkOutputFile(path)).not.toThrow();
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
      const writer = new FileWriter(fd, `'${path}'`);
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
    const writer = new FileWriter(openOutputFile('/dev/full'), "'/dev/full'");
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
    const writer = new FileWriter(fd, `'${path}'`);
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
    const writer = new FileWriter(await openWhenRead(path), `'${path}'`);
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
      if (!(error as Error).message.includes('nothing reads from it')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
