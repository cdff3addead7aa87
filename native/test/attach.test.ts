import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  type AttachResult,
  type BpfError,
  BpfObject,
  Kallsyms,
  KernelBtf,
  type KprobeMultiOptions,
  Link,
  probeAttach,
} from '../index.js';
import {
  collectGarbage,
  errorOf,
  fixture,
  hits,
  linkOf,
  loadProbes,
  MAGIC,
  missing,
  openDescriptors,
  openSomething,
} from './support.js';

const FUNC = 'vfs_open';
/** MAGIC of fixtures/session.bpf.c. */
const KFUNC_MAGIC = 0x1122334455667789n;

/** Hits of `key` that one vfs_open() makes. */
function hitsOfOneOpen(object: BpfObject, key = MAGIC): number {
  const before = hits(object, key);
  openSomething();
  return hits(object, key) - before;
}

/** A kernel may have the interface but not the feature (CONFIG_FPROBE off, fentry not permitted): that is a skip. */
function linkOrSkip(context: { skip(note: string): void }, result: AttachResult): Link {
  if (!result.ok && ['EOPNOTSUPP', 'EPERM', 'ENOTSUPP', 'EINVAL'].includes(result.code)) context.skip(result.message);
  return linkOf(result);
}

describe.skipIf(missing.bpf)('a raw tracepoint', () => {
  it('runs the program until it is detached', () => {
    const object = loadProbes();
    const link = linkOf(object.attachRawTracepoint('on_raw', 'sys_enter'));
    expect(link).toBeInstanceOf(Link);
    expect(link.attached).toBe(true);
    expect(hitsOfOneOpen(object)).toBeGreaterThan(0);
    link.detach();
    link.detach();
    expect(link.attached).toBe(false);
    expect(hitsOfOneOpen(object)).toBe(0);
    object.close();
  });

  it('may be detached on another thread, and by whoever closes its descriptor last', async () => {
    const object = loadProbes();
    const attach = () => linkOf(object.attachRawTracepoint('on_raw', 'sys_enter'));
    const link = attach();
    expect(link.fd).toBeGreaterThan(2);
    const gone = link.detachLater();
    expect([link.attached, link.fd]).toEqual([false, -1]);
    await gone;
    await link.detachLater();
    link.detach();
    expect(hitsOfOneOpen(object)).toBe(0);
    const other = attach();
    const holder = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', other.fd] });
    other.detach();
    expect(hitsOfOneOpen(object)).toBeGreaterThan(0);
    const ended = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill();
    await ended;
    expect(hitsOfOneOpen(object)).toBe(0);
    object.close();
  });

  it('that does not exist is a failed result, not an exception', () => {
    const object = loadProbes();
    expect(object.attachRawTracepoint('on_raw', 'no_such_tracepoint')).toMatchObject({
      ok: false,
      code: 'ENOENT',
      errno: 2,
    });
    object.close();
  });

  it('is left out where the program runs already, and that is counted', (context) => {
    // the function that counts it is as old as the check of raw tracepoints
    if (!KernelBtf.load().functions({ pattern: 'bpf_prog_inc_misses_counter' }).length)
      context.skip('raw tracepoints run programs on top of themselves before 6.1');
    const object = loadProbes('recursion');
    linkOf(object.attachRawTracepoint('prints', 'bpf_trace_printk'));
    expect(object.missedRuns()).toBe(0);
    linkOf(object.attachRawTracepoint('prints', 'sys_enter'));
    openSomething();
    expect(object.missedRuns()).toBeGreaterThan(0);
    object.close();
    expect(() => object.missedRuns()).toThrow(/closed/);
  });

  it('gets a copy of the program for each value of the immediate', () => {
    const object = loadProbes();
    for (const value of [1n, 2n ** 64n - 1n])
      linkOf(object.attachRawTracepoint('on_raw', 'sys_enter', { immediates: [{ magic: MAGIC, value }] }));
    expect(object.programIds()).toHaveLength(5);
    expect(hitsOfOneOpen(object, 1n)).toBeGreaterThan(0);
    expect(hitsOfOneOpen(object, 2n ** 64n - 1n)).toBeGreaterThan(0);
    expect(hits(object, MAGIC)).toBe(0);
    object.close();
  });
});

describe.skipIf(missing.bpf ?? missing.btf)('the cookie of a raw tracepoint', () => {
  const hasCookies = () => KernelBtf.load().member('bpf_raw_tp_link', 'cookie') !== null;

  it('is what the program reads', (context) => {
    if (!hasCookies()) context.skip('raw tracepoints have no cookies before 6.10');
    const object = loadProbes('cookie');
    const links = [0n, 5n, 2n ** 64n - 1n].map((cookie) =>
      linkOf(object.attachRawTracepoint('on_raw_cookie', 'sys_enter', { cookie })),
    );
    expect(object.programIds()).toHaveLength(1);
    openSomething();
    for (const cookie of [0n, 5n, 2n ** 64n - 1n]) expect(hits(object, cookie)).toBeGreaterThan(0);
    for (const link of links) link.detach();
    expect(hitsOfOneOpen(object, 5n)).toBe(0);
    object.close();
  });

  it('is refused where the kernel has none', (context) => {
    if (hasCookies()) context.skip('this kernel has them');
    const object = loadProbes();
    expect(object.attachRawTracepoint('on_raw', 'sys_enter', { cookie: 5n })).toMatchObject({
      ok: false,
      code: 'EINVAL',
      message: expect.stringContaining('6.10'),
    });
    object.close();
  });
});

describe.skipIf(missing.bpf)('a copy', () => {
  it('that the verifier refuses gives its log', () => {
    const object = BpfObject.open(fixture('refused'));
    object.load();
    const immediates = [{ magic: MAGIC, value: 0xffffffffn }];
    const result = object.attachRawTracepoint('good_until_cloned', 'sys_enter', { immediates });
    expect(result).toMatchObject({ ok: false, message: expect.stringContaining('good_until_cloned') });
    expect(!result.ok && result.verifierLog).toMatch(/is not allowed|invalid access|outside/);
    linkOf(object.attachRawTracepoint('good_until_cloned', 'sys_enter', { immediates: [{ magic: MAGIC, value: 5n }] }));
    object.close();
  });

  it('keeps the subprograms that it calls', () => {
    const object = BpfObject.open(fixture('types'));
    object.load();
    linkOf(object.attachRawTracepoint('calls_a_function', 'sys_enter', { immediates: [] }));
    object.close();
  });

  it('keeps its callbacks', (context) => {
    const object = BpfObject.open(fixture('callback'));
    try {
      object.load();
    } catch (error) {
      context.skip(`no bpf_loop here: ${(error as BpfError).message}`);
    }
    linkOf(object.attachRawTracepoint('loops', 'sys_enter', { immediates: [{ magic: MAGIC, value: 5n }] }));
    openSomething();
    const calls = object.map('.bss').lookup(Buffer.alloc(4))!.readBigUInt64LE();
    expect(calls).toBeGreaterThanOrEqual(5n);
    object.close();
  });
});

describe.skipIf(missing.bpf ?? missing.btf)('a BTF tracepoint', () => {
  it('runs a copy of a raw tracepoint program', () => {
    const object = loadProbes();
    const link = linkOf(
      object.attachBtfTracepoint('on_raw', 'sys_enter', { immediates: [{ magic: MAGIC, value: 3n }] }),
    );
    expect(hitsOfOneOpen(object, 3n)).toBeGreaterThan(0);
    link.detach();
    expect(hitsOfOneOpen(object, 3n)).toBe(0);
    expect(object.attachBtfTracepoint('on_raw', 'no_such_tracepoint')).toMatchObject({ ok: false, code: 'ENOENT' });
    object.close();
  });
});

describe.skipIf(missing.tracefs)('a tracepoint of tracefs', () => {
  it('runs the program, and its copies', () => {
    const object = loadProbes();
    const link = linkOf(object.attachTracepoint('on_tracepoint', 'raw_syscalls', 'sys_enter'));
    expect(hitsOfOneOpen(object)).toBeGreaterThan(0);
    link.detach();
    expect(hitsOfOneOpen(object)).toBe(0);
    linkOf(
      object.attachTracepoint('on_tracepoint', 'raw_syscalls', 'sys_enter', {
        immediates: [{ magic: MAGIC, value: 4n }],
      }),
    );
    expect(hitsOfOneOpen(object, 4n)).toBeGreaterThan(0);
    expect(object.attachTracepoint('on_tracepoint', 'raw_syscalls', 'nothing')).toMatchObject({
      ok: false,
      code: 'ENOENT',
    });
    expect(() => object.attachTracepoint('on_tracepoint', '..', 'x')).toThrow(TypeError);
    object.close();
  });
});

describe.skipIf(missing.kprobes)('a kprobe', () => {
  it('fires on entry, on return and on each copy', () => {
    const object = loadProbes();
    const copy = (value: bigint, retprobe: boolean) =>
      linkOf(object.attachKprobe('on_kprobe', FUNC, { retprobe, immediates: [{ magic: MAGIC, value }] }));
    const links = [linkOf(object.attachKprobe('on_kprobe', FUNC)), copy(1n, false), copy(2n, true)];
    const before = [MAGIC, 1n, 2n].map((key) => hits(object, key));
    openSomething();
    expect([MAGIC, 1n, 2n].map((key, i) => hits(object, key) - before[i]!)).toEqual([1, 1, 1]);
    for (const link of links) link.detach();
    expect(hitsOfOneOpen(object)).toBe(0);
    object.close();
  });

  it('goes where an address says, and the name is for messages', (context) => {
    const [symbol] = Kallsyms.load().lookup(FUNC);
    if (!symbol?.address) context.skip('addresses are hidden');
    const object = loadProbes();
    const link = linkOf(object.attachKprobe('on_kprobe', 'by its address', { address: symbol!.address }));
    expect(hitsOfOneOpen(object)).toBe(1);
    link.detach();
    // in the middle of an instruction, or where there is no code
    const refused = object.attachKprobe('on_kprobe', 'nowhere', { address: 0xffff_ffff_ffff_fff0n });
    expect(refused).toMatchObject({ ok: false, message: expect.stringContaining('nowhere') });
    object.close();
  });

  it('on what does not exist is a failed result', () => {
    const object = loadProbes();
    expect(object.attachKprobe('on_kprobe', 'no_such_function')).toMatchObject({
      ok: false,
      code: expect.stringMatching(/ENOENT|EINVAL|EADDRNOTAVAIL/),
    });
    expect(object.attachKprobe('on_kprobe', FUNC, { offset: 0x7fffffff }).ok).toBe(false);
    object.close();
  });

  it('takes a cookie, or says that the kernel has none', () => {
    const object = loadProbes();
    const result = object.attachKprobe('on_kprobe', FUNC, { cookie: 5n });
    if (!result.ok) expect(result).toMatchObject({ code: 'EOPNOTSUPP', message: expect.stringContaining('5.15') });
    object.close();
  });
});

describe.skipIf(missing.kprobes)('kprobe.multi', () => {
  const attach = (object: BpfObject, options: KprobeMultiOptions) => object.attachKprobeMulti('on_kprobe', options);

  it('fires for symbols and for addresses, on entry and on return', (context) => {
    const object = loadProbes();
    const address = Kallsyms.load().lookup(FUNC)[0]!.address;
    const link = linkOrSkip(context, attach(object, { symbols: [FUNC, 'vfs_fsync'], cookies: [1n, 2n] }));
    expect(hitsOfOneOpen(object)).toBe(1);
    link.detach();
    linkOf(attach(object, { addresses: [address], retprobe: true, immediates: [{ magic: MAGIC, value: 7n }] }));
    expect(hitsOfOneOpen(object, 7n)).toBe(1);
    expect(attach(object, { symbols: [FUNC, 'no_such_function'] }).ok).toBe(false);
    object.close();
  });

  it('as a session fires twice for each call, or says that the kernel has no sessions', (context) => {
    const object = loadProbes();
    const result = attach(object, { symbols: [FUNC], session: true, immediates: [{ magic: MAGIC, value: 8n }] });
    if (!result.ok) expect(result.code).toBe('EOPNOTSUPP');
    linkOrSkip(context, result);
    expect(hitsOfOneOpen(object, 8n)).toBe(2);
    object.close();
  });

  it('as a session whose program asks the kernel whether this is the return', (context) => {
    const object = BpfObject.open(fixture('session'));
    expect(errorOf(() => object.setKfuncCall('on_session', KFUNC_MAGIC, 'no_such_function')).code).toBe('EOPNOTSUPP');
    try {
      object.setExpectedAttachType('on_session', 'BPF_TRACE_KPROBE_SESSION');
      expect(errorOf(() => object.setKfuncCall('on_session', 1n, 'bpf_session_is_return')).code).toBe('ENOENT');
      object.setKfuncCall('on_session', KFUNC_MAGIC, 'bpf_session_is_return');
    } catch (error) {
      expect((error as BpfError).code).toBe('EOPNOTSUPP');
      context.skip((error as BpfError).message);
    }
    object.load();
    linkOrSkip(context, object.attachKprobeMulti('on_session', { symbols: [FUNC], session: true }));
    const returns = () => object.map('.bss').lookup(Buffer.alloc(4))?.readBigUInt64LE() ?? -1n;
    const before = returns();
    openSomething();
    expect(returns() - before).toBeGreaterThan(0n);
    object.close();
  });

  it('takes a program that was loaded for it', (context) => {
    const object = BpfObject.open(fixture('probes'));
    try {
      object.setExpectedAttachType('on_kprobe', 'BPF_TRACE_KPROBE_MULTI');
    } catch (error) {
      context.skip((error as BpfError).message);
    }
    object.load();
    linkOrSkip(context, attach(object, { symbols: [FUNC] }));
    expect(object.programIds()).toHaveLength(3);
    object.close();
  });
});

describe.skipIf(missing.bpf ?? missing.btf)('fentry and fexit', () => {
  it.each(['fentry', 'fexit'] as const)('%s runs a copy of a raw tracepoint program', (kind) => {
    const object = loadProbes();
    const result = object.attachTracing('on_raw', { func: FUNC, kind, immediates: [{ magic: MAGIC, value: 6n }] });
    // Whether the kernel permits it is not ours to choose; that it says so is.
    if (!result.ok) {
      expect(['EPERM', 'ENOTSUPP', 'EOPNOTSUPP', 'EBUSY', 'EINVAL']).toContain(result.code);
      console.log(`${kind} is not to be had here: ${result.message}`);
    } else {
      expect(hitsOfOneOpen(object, 6n)).toBe(1);
    }
    object.close();
  });

  it('find functions of modules', (context) => {
    const btf = KernelBtf.load();
    btf.loadModules();
    const target = btf.functions().find((func) => func.module !== null && func.parameters.length <= 4);
    if (!target) return context.skip('no module with BTF is loaded');
    const object = loadProbes();
    const result = object.attachTracing('on_raw', { func: target.name, kind: 'fentry', module: target.module! });
    if (!result.ok) expect(result.code).not.toBe('ENOENT');
    expect(object.attachTracing('on_raw', { func: target.name, kind: 'fentry', module: 'nomodule' })).toMatchObject({
      ok: false,
      code: 'ENOENT',
    });
    object.close();
  });

  it('of unknown functions are failed results', () => {
    const object = loadProbes();
    expect(object.attachTracing('on_raw', { func: 'no_such_function', kind: 'fexit' })).toMatchObject({
      ok: false,
      code: 'ENOENT',
    });
    object.close();
  });
});

describe.skipIf(missing.bpf ?? missing.btf)('a way of attaching', () => {
  it('that the probe has found works, and one that it has not does not', () => {
    const object = loadProbes();
    const multi = object.attachKprobeMulti('on_kprobe', { symbols: [FUNC] });
    expect(multi.ok).toBe(probeAttach('kprobe-multi'));
    const tracing = object.attachTracing('on_raw', { func: FUNC, kind: 'fentry' });
    expect(tracing.ok).toBe(probeAttach('tracing'));
    object.close();
  });

  it('is found out without a descriptor left', () => {
    const before = openDescriptors();
    probeAttach('kprobe-multi');
    probeAttach('tracing');
    expect(openDescriptors()).toBe(before);
  });
});

describe.skipIf(missing.bpf)('links', () => {
  it('end with their object', async () => {
    await collectGarbage();
    const before = openDescriptors();
    const object = loadProbes();
    const links = [1n, 2n, 3n].map((value) =>
      linkOf(object.attachRawTracepoint('on_raw', 'sys_enter', { immediates: [{ magic: MAGIC, value }] })),
    );
    object.close();
    expect(links.map((link) => link.attached)).toEqual([false, false, false]);
    expect(openDescriptors()).toBe(before);
  });

  it('that nobody holds any more stay attached until their object ends', async () => {
    const object = loadProbes();
    (() => linkOf(object.attachRawTracepoint('on_raw', 'sys_enter')))();
    await collectGarbage();
    expect(hitsOfOneOpen(object)).toBeGreaterThan(0);
    object.close();
  });

  it('that nobody holds any more end with an object that nobody holds', async () => {
    await collectGarbage();
    const before = openDescriptors();
    (() => linkOf(loadProbes().attachRawTracepoint('on_raw', 'sys_enter')))();
    expect(openDescriptors()).toBeGreaterThan(before);
    await collectGarbage();
    expect(openDescriptors()).toBe(before);
  });

  it('keep what they need of an object that nobody holds any more', async () => {
    const link = (() => linkOf(loadProbes().attachRawTracepoint('on_raw', 'sys_enter')))();
    await collectGarbage();
    expect(link.attached).toBe(true);
    link.detach();
  });
});
