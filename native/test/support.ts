/** What the tests share: fixtures, what this machine can do, and small helpers. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AttachResult, BpfError, BpfObject, type Link, probeProgramType } from '../index.js';

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`../build/fixtures/${name}.bpf.o`, import.meta.url));
export const library = new URL('../index.js', import.meta.url).href;

export const MAGIC = 0x1122334455667788n;

/** What it throws: always a BpfError. */
export function errorOf(action: () => unknown): BpfError {
  try {
    action();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const isRoot = process.getuid?.() === 0;
const canLoad = isRoot && probeProgramType('raw_tracepoint');
const hasKprobes = existsSync('/sys/bus/event_source/devices/kprobe');
const hasTracefs = existsSync('/sys/kernel/tracing/events') || existsSync('/sys/kernel/debug/tracing/events');
const hasBtf = existsSync('/sys/kernel/btf/vmlinux');

/** A reason to skip, or null. */
export const missing = {
  bpf: canLoad ? null : 'BPF programs cannot be loaded here (root needed)',
  kprobes: canLoad && hasKprobes ? null : 'the kernel has no kprobes',
  tracefs: canLoad && hasTracefs ? null : 'tracefs is not mounted',
  btf: hasBtf ? null : 'the kernel has no BTF',
  symbols: isRoot ? null : 'only root sees addresses in /proc/kallsyms',
};

/** Opens an object of probes for this process's hits only, and loads it. */
export function loadProbes(name = 'probes'): BpfObject {
  const object = BpfObject.open(fixture(name));
  const settings = object.initialData('.rodata');
  settings.writeUInt32LE(process.pid);
  object.setInitialData('.rodata', settings);
  object.load();
  return object;
}

export function u64(value: bigint | number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

export function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** How often programs whose immediate was `key` have run. */
export function hits(object: BpfObject, key = MAGIC): number {
  const value = object.map('hits').lookup(u64(key));
  return value ? Number(value.readBigUInt64LE()) : 0;
}

export function linkOf(result: AttachResult): Link {
  if (!result.ok) throw new Error(result.message);
  return result.link;
}

/** Makes the kernel run vfs_open() and the system call tracepoints, in this process. */
export function openSomething(): void {
  readFileSync('/proc/self/comm');
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function residentKiB(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

export function runScript(source: string): {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
} {
  return spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8', timeout: 60_000 });
}

/** Garbage collection on demand, without a command line option. */
export async function collectGarbage(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Waits until `check` is true; throws after ten seconds. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!check()) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The error of a call that has to fail. */
export function failureOf(call: () => unknown): BpfError {
  try {
    call();
  } catch (error) {
    if (error instanceof BpfError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
