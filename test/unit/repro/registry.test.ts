import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findLeftovers, processStartTime, RegistryFile } from '../../../src/repro/registry.js';
import { useFolder } from '../../support/folder.js';

const path = useFolder();

/** A process that has ended and was waited for: its id is nobody's. */
async function deadPid(): Promise<number> {
  const child = spawn('true');
  await new Promise((resolve) => child.on('close', resolve));
  return child.pid!;
}

function entry(pid: number, more: object = {}): string {
  const own = JSON.parse(readFileSync(path(`registry/${readdirSync(path('registry'))[0]}`), 'utf8')) as object;
  return JSON.stringify({ ...own, pid, startTime: '1', ...more });
}

/** A registry with an entry of this process, which lives. */
function withOwn(): RegistryFile {
  const file = new RegistryFile(path('registry'));
  file.add(`${file.prefix}client`);
  return file;
}

describe('what sessions write down', () => {
  it('is there before it is made, and gone at the end', () => {
    const file = withOwn();
    file.add(`${file.prefix}server`);
    file.addProcess({ pid: 4711, startTime: '5' });
    file.addSetting({ name: 'net.netfilter.nf_conntrack_max', former: '65536', value: '4' });
    const [name] = readdirSync(path('registry'));
    const written = JSON.parse(readFileSync(path(`registry/${name}`), 'utf8')) as object;
    expect(written).toMatchObject({
      pid: process.pid,
      startTime: processStartTime(process.pid),
      namespaces: [`${file.prefix}client`, `${file.prefix}server`],
      processes: [{ pid: 4711, startTime: '5' }],
      settings: [{ name: 'net.netfilter.nf_conntrack_max', former: '65536', value: '4' }],
    });
    file.remove();
    expect(readdirSync(path('registry'))).toEqual([]);
    file.removeProcess(4711); // a process that ends later does not bring it back
    expect(readdirSync(path('registry'))).toEqual([]);
  });

  it('has names of its own for each session', () => {
    expect(new RegistryFile(path('registry')).prefix).not.toBe(new RegistryFile(path('registry')).prefix);
  });
});

describe('what is left behind', () => {
  it('is that of dead owners only', async () => {
    withOwn();
    expect(findLeftovers(path('registry')).namespaces).toEqual([]);
    writeFileSync(path('registry/1-1.json'), entry(await deadPid(), { namespaces: ['nettrace-1-1-client'] }));
    const { namespaces, forget } = findLeftovers(path('registry'));
    expect(namespaces).toEqual(['nettrace-1-1-client']);
    forget();
    expect(existsSync(path('registry/1-1.json'))).toBe(false);
    expect(readdirSync(path('registry'))).toHaveLength(1);
  });

  it('is also that of an owner whose process id another process has now', () => {
    withOwn();
    writeFileSync(path('registry/1-1.json'), entry(process.pid, { namespaces: ['nettrace-1-1-client'] }));
    expect(findLeftovers(path('registry')).namespaces).toEqual(['nettrace-1-1-client']);
  });

  it('is not judged where the owner is in another pid namespace', async () => {
    withOwn();
    writeFileSync(path('registry/1-1.json'), entry(await deadPid(), { pidNamespace: 'pid:[1]' }));
    expect(findLeftovers(path('registry')).namespaces).toEqual([]);
  });

  it.each([
    ['../../etc', []],
    ['nettrace-1-1-client/../x', []],
    ['eth0', []],
    ['nettrace-1-1-client\ninterface', []],
    ['nettrace-1-1-client', [{ pid: 1, startTime: '1' }]],
    ['nettrace-1-1-client', [{ pid: 'x', startTime: '1' }]],
  ])('is nothing where an entry is not ours: %j %j', async (name, processes) => {
    withOwn();
    writeFileSync(path('registry/1-1.json'), entry(await deadPid(), { namespaces: [name], processes }));
    expect(findLeftovers(path('registry'))).toMatchObject({ namespaces: [], processes: [] });
  });

  it('is also what was set of the machine, the last first', async () => {
    withOwn();
    const settings = ['1', '2'].map((former, i) => ({ name: 'net.core.somaxconn', former, value: String(i + 2) }));
    writeFileSync(path('registry/1-1.json'), entry(await deadPid(), { settings }));
    expect(findLeftovers(path('registry')).settings).toEqual(settings.toReversed());
  });

  it.each([
    { name: '../../tmp/x', former: '1', value: '2' },
    { name: 'kernel.panic', former: '1', value: '2' },
    { name: 'net.core.somaxconn', former: '1\n', value: '2' },
    { name: 'net.core.somaxconn', value: '2' },
  ])('is nothing where a setting is not ours: %j', async (setting) => {
    withOwn();
    writeFileSync(path('registry/1-1.json'), entry(await deadPid(), { settings: [setting] }));
    expect(findLeftovers(path('registry')).settings).toEqual([]);
  });

  it.each(['', '{', 'null', '[]', '{"pid":1}'])('is nothing where a file holds %j', (text) => {
    withOwn();
    writeFileSync(path('registry/1-1.json'), text);
    expect(findLeftovers(path('registry')).namespaces).toEqual([]);
  });
});

describe('the folder', () => {
  it('is made for this user alone', () => {
    withOwn();
    expect(() => findLeftovers(path('registry'))).not.toThrow();
  });

  it('is refused where others can write, or where it is a link', () => {
    mkdirSync(path('open'));
    chmodSync(path('open'), 0o777);
    symlinkSync(path('open'), path('link'));
    expect(() => findLeftovers(path('open'))).toThrow(/is not a folder of this user alone/);
    chmodSync(path('open'), 0o700);
    expect(() => findLeftovers(path('link'))).toThrow(/is not a folder of this user alone/);
    rmSync(path('link'));
  });
});
