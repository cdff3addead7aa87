import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { BpfObject } from '#bpf-loader';
import { TraceConfig } from '../../../src/generated/layout.js';
import {
  BACKENDS,
  chooseAutoload,
  type KernelFeatures,
  probeFeatures,
  programsOf,
  usableBackends,
} from '../../../src/load/backends.js';
import { readKernel } from '../../support/real-kernel.js';

const NOTHING: KernelFeatures = {
  kprobe: false,
  tracing: false,
  multi: false,
  session: false,
  cookie: false,
  tracepointCookie: false,
};
const ALL: KernelFeatures = {
  kprobe: true,
  tracing: true,
  multi: true,
  session: false,
  cookie: true,
  tracepointCookie: true,
};

/** The compiled programs, opened but not loaded: that needs no rights. */
function openObject(ctx: TestContext): BpfObject {
  const machine = process.arch === 'arm64' ? 'arm64' : 'x86_64';
  const path = new URL(`../../../dist/bpf/nettrace.${machine}.bpf.o`, import.meta.url);
  ctx.skip(!existsSync(path), 'the BPF programs are not compiled: make build');
  return BpfObject.open(readFileSync(path), { name: 'nettrace' });
}

describe('the programs that are loaded', () => {
  it('are a pair for each backend, and none is forgotten', (ctx) => {
    const named = [NOTHING, ALL, { ...ALL, session: true }].flatMap((features) =>
      BACKENDS.flatMap((backend) => programsOf(backend, features)),
    );
    const object = openObject(ctx);
    const all = object.programs.map((p) => p.name);
    object.close();
    expect(all.sort()).toEqual([...new Set([...named, 'read_jiffies'])].sort());
  });

  it('use cookies where the kernel has them', () => {
    expect(programsOf('kprobe', NOTHING)).toEqual(['on_kprobe', 'on_kretprobe']);
    expect(programsOf('kprobe', ALL)).toEqual(['on_cookie', 'on_cookie_return']);
    expect(programsOf('tracepoint', NOTHING)).toEqual(['on_tracing']);
    expect(programsOf('tracepoint', ALL)).toEqual(['on_tracepoint']);
    expect(programsOf('kprobe-multi', ALL)).toEqual(['on_multi', 'on_multi_return']);
    expect(programsOf('kprobe-multi', { ...ALL, session: true })).toEqual(['on_multi', 'on_session']);
  });

  it('are those that are chosen, and no other', (ctx) => {
    for (const chosen of [['on_tracepoint', 'read_jiffies'], ['on_cookie', 'on_cookie_return'], []]) {
      const object = openObject(ctx);
      chooseAutoload(object, chosen);
      expect(object.programs.filter((p) => p.autoload).map((p) => p.name)).toEqual(expect.arrayContaining(chosen));
      expect(object.programs.filter((p) => p.autoload)).toHaveLength(chosen.length);
      object.close();
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
  it('without an enum of helpers are the oldest', () => {
    const nothing = { enumValues: () => null, member: () => null, function: () => null };
    expect(probeFeatures(nothing)).toMatchObject({ session: false, cookie: false, tracepointCookie: false });
  });

  it('say which backends attach functions, in the order that is given', () => {
    expect(usableBackends(['fentry', 'kprobe'], ALL)).toEqual(['fentry', 'kprobe']);
    expect(usableBackends(BACKENDS, { ...ALL, multi: false })).toEqual(['kprobe', 'fentry']);
    expect(usableBackends(BACKENDS, NOTHING)).toEqual([]);
  });

  it('keep kprobes one by one beside kprobe.multi, which a kernel may know and refuse', () => {
    expect(usableBackends(BACKENDS, ALL)).toEqual(['kprobe-multi', 'kprobe', 'fentry']);
  });

  it('never hold what needs kprobes where there are none', (ctx) => {
    const { btf } = readKernel(ctx);
    const features = probeFeatures(btf);
    const found = new Set(btf.enumValues('bpf_func_id')?.keys());
    expect(features.cookie).toBe(features.kprobe && found.has('BPF_FUNC_get_attach_cookie'));
  });
});
