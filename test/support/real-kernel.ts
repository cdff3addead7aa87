import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { Kallsyms } from '#bpf-loader';
import { Kernel } from '../../src/load/kernel.js';

const BTF = '/sys/kernel/btf/vmlinux';
const running = existsSync(BTF) ? await Kernel.read() : undefined;

/** Skips the test where the running kernel has no BTF. */
export function needBtf(ctx: TestContext): void {
  ctx.skip(!running, `this kernel has no BTF (${BTF})`);
}

/** The running kernel, read once for a file of tests; the test is skipped where it has no BTF. */
export function readKernel(ctx: TestContext): Kernel {
  if (!running) return ctx.skip(`this kernel has no BTF (${BTF})`);
  return running;
}

/**
 * The running kernel's types with symbols of the test's choice: lines as in /proc/kallsyms, so that addresses and
 * compilers' suffixes are known.
 */
export function kernelWithSymbols(ctx: TestContext, lines: readonly string[]): Kernel {
  const { btf } = readKernel(ctx);
  const directory = mkdtempSync(join(tmpdir(), 'nettrace-kallsyms-'));
  try {
    const path = join(directory, 'kallsyms');
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    return new Kernel(btf, Kallsyms.load(path));
  } finally {
    rmSync(directory, { recursive: true });
  }
}
