import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { BpfObject } from '#bpf-loader';
import { TraceConfig } from '../../../src/generated/layout.js';
import {
  BACKENDS,
  chooseAutoload,
  type KernelFeatures,
  probeFeatures,
  usableBackends,
} from '../../../src/load/backends.js';
import { readKernel } from '../../support/real-kernel.js';

const NOTHING: KernelFeatures = { kprobe: false, tracing: false, multi: false, cookie: false };

/** The compiled programs, opened but not loaded: that needs no rights. */
function openObject(ctx: TestContext): BpfObject {
  const machine = process.arch === 'arm64' ? 'arm64' : 'x86_64';
  const path = new URL(`../../../dist/bpf/nettrace.${machine}.bpf.o`, import.meta.url);
  ctx.skip(!existsSync(path), 'the BPF programs are not compiled: make build');
  return BpfObject.open(readFileSync(path), { name: 'nettrace' });
}

describe('the programs that are loaded', () => {
  it('are those that the kernel knows, and none is forgotten', (ctx) => {
    for (const [features, expected] of [
      [NOTHING, ['on_tracing']],
      [{ ...NOTHING, tracing: true }, ['on_tracing', 'on_tracing_return']],
      [{ ...NOTHING, kprobe: true }, ['on_kprobe', 'on_kretprobe', 'on_tracing']],
      [{ ...NOTHING, kprobe: true, cookie: true }, ['on_cookie', 'on_cookie_return', 'on_tracing']],
    ] satisfies [KernelFeatures, string[]][]) {
      const object = openObject(ctx);
      chooseAutoload(object, features);
      const chosen = object.programs.filter((p) => p.autoload).map((p) => p.name);
      object.close();
      expect(chosen.sort()).toEqual(expected);
    }
  });

  it('have room for the configuration at the start of their read-only data', (ctx) => {
    const object = openObject(ctx);
    const { length } = object.initialData('.rodata');
    object.close();
    expect(length).toBeGreaterThanOrEqual(TraceConfig.size);
  });
});

describe('the features of a kernel', () => {
  it('without enums of attach types and helpers are the oldest', () => {
    expect(probeFeatures(null, null)).toMatchObject({ multi: false, cookie: false });
  });

  it('say which backends attach functions, in the order that is given', () => {
    const all: KernelFeatures = { kprobe: true, tracing: true, multi: true, cookie: true };
    expect(usableBackends(BACKENDS, all)).toEqual(BACKENDS.filter((b) => b !== 'tracepoint'));
    expect(usableBackends(['fentry', 'kprobe'], all)).toEqual(['fentry', 'kprobe']);
    expect(usableBackends(BACKENDS, { ...all, multi: false })).toEqual(['kprobe', 'fentry']);
    expect(usableBackends(BACKENDS, NOTHING)).toEqual([]);
  });

  it('never hold what needs kprobes where there are none', (ctx) => {
    const { btf } = readKernel(ctx);
    const features = probeFeatures(btf.enumValues('bpf_attach_type'), btf.enumValues('bpf_func_id'));
    if (!features.kprobe) expect(features).toMatchObject({ multi: false, cookie: false });
    const found = new Set(btf.enumValues('bpf_func_id')?.keys());
    expect(features.cookie).toBe(features.kprobe && found.has('BPF_FUNC_get_attach_cookie'));
  });
});
