import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NettraceError, UsageError } from '../../../src/errors.js';
import { isOldKernel, type Machine, requireTraceable, runChecks } from '../../../src/load/preflight.js';
import { useFolder } from '../../support/folder.js';

describe('the kernel version', () => {
  it.each(['5.7.19', '4.19.0-27-amd64', '3.10.0-1160.el7.x86_64', '5.7.0-rc8'])('%s is too old', (text) => {
    expect(isOldKernel(text)).toBe(true);
  });

  it.each(['5.8.0', '5.10.0-32-amd64', '5.8-rc1', '6.1.0-52-amd64', '7.2.13', '10.0.0'])('%s is new enough', (text) => {
    expect(isOldKernel(text)).toBe(false);
  });
});

describe('the checks', () => {
  it('say of each failure what it is and what to do', () => {
    const checks = runChecks();
    expect(checks.map((c) => c.name)).toEqual(expect.arrayContaining(['system', 'machine']));
    for (const check of checks) {
      expect(check.text).not.toBe('');
      if (!check.ok) expect(check.advice).toMatch(/\w{3}/);
    }
  });

  it('see what is here', () => {
    const checks = new Map(runChecks().map((c) => [c.name, c]));
    expect(checks.get('system')).toMatchObject({ ok: true, text: `Linux ${release()}` });
    expect(checks.get('BTF')?.ok).toBe(existsSync('/sys/kernel/btf/vmlinux'));
    const tracefs = checks.get('tracefs');
    expect(tracefs?.fatal).toBe(false);
    if (tracefs?.ok) expect(existsSync(`${tracefs.text}/events`)).toBe(true);
  });
});

describe('a machine', () => {
  const at = useFolder();

  /** On which everything is as it should be, but for what is changed. */
  function machine(change: Partial<Machine> = {}, files: Readonly<Record<string, string | undefined>> = {}): Machine {
    const all = {
      '/sys/kernel/btf/vmlinux': '',
      '/sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
      '/sys/kernel/tracing/events/enable': '',
      '/proc/self/status': capabilities(...Object.values(BITS)),
      '/proc/kallsyms': 'ffffffff81000000 T _text\n',
      '/proc/sys/kernel/kptr_restrict': '1\n',
      ...files,
    };
    rmSync(at('root'), { recursive: true, force: true });
    for (const [path, content] of Object.entries(all)) {
      if (content === undefined) continue;
      mkdirSync(dirname(at('root') + path), { recursive: true });
      writeFileSync(at('root') + path, content);
    }
    return { platform: 'linux', arch: 'x64', release: '6.12.1', root: at('root'), isRoot: false, ...change };
  }

  /** linux/capability.h */
  const BITS = { CAP_NET_ADMIN: 12, CAP_PERFMON: 38, CAP_BPF: 39 };
  const CAP_SYS_ADMIN = 21;

  function capabilities(...bits: number[]): string {
    const mask = bits.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
    return `Name:\tnode\nCapEff:\t${mask.toString(16).padStart(16, '0')}\n`;
  }

  function failure(of: Machine): NettraceError {
    try {
      requireTraceable({ machine: of });
    } catch (error) {
      return error as NettraceError;
    }
    throw new Error('it can be traced');
  }

  it('that has all can be traced, and there is nothing to say of it', () => {
    expect(requireTraceable({ machine: machine() })).toEqual([]);
    expect(runChecks(undefined, machine()).every((check) => check.ok)).toBe(true);
  });

  it.each([
    [{ platform: 'darwin' }, {}, 'this is darwin: nettrace looks into the Linux kernel', 'run it on Linux'],
    [{ arch: 'ia32' }, {}, 'this machine is ia32', '64-bit x86 and arm'],
    [{ arch: 'riscv64' }, {}, 'this machine is riscv64', '64-bit x86 and arm'],
    [{ release: '5.4.0-42-generic' }, {}, 'kernel 5.4.0-42-generic is older than 5.8', 'use a newer kernel'],
    [
      {},
      { '/sys/kernel/btf/vmlinux': undefined },
      'the kernel has no BTF (/sys/kernel/btf/vmlinux is missing)',
      'CONFIG_DEBUG_INFO_BTF=y',
    ],
    [
      {},
      { '/sys/kernel/security/lockdown': 'none integrity [confidentiality]\n' },
      'the kernel is locked down (confidentiality): BPF programs may not read its memory',
      'lockdown=integrity',
    ],
    [
      {},
      { '/proc/self/status': capabilities() },
      'you are not root, and lack CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN (or CAP_SYS_ADMIN, which stands for all)',
      'run it as root (sudo nettrace ...)',
    ],
    [
      { isRoot: true },
      { '/proc/self/status': undefined },
      'root here lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN (or CAP_SYS_ADMIN, which stands for all)',
      '--cap-add',
    ],
  ])('%j with %j cannot be traced, and says why and what to do', (change, files, why, advice) => {
    const error = failure(machine(change, files));
    expect(error).toBeInstanceOf(NettraceError);
    expect(error).not.toBeInstanceOf(UsageError);
    expect(error.message).toBe(`cannot trace: ${why}`);
    expect(error.advice).toContain(advice);
  });

  it.each(Object.keys(BITS) as (keyof typeof BITS)[])('that lacks only %s names that alone', (name) => {
    const others = Object.entries(BITS).filter(([other]) => other !== name);
    const status = capabilities(...others.map(([, bit]) => bit));
    expect(failure(machine({}, { '/proc/self/status': status })).message).toBe(
      `cannot trace: you are not root, and lack ${name} (or CAP_SYS_ADMIN, which stands for all)`,
    );
  });

  it('with CAP_SYS_ADMIN needs no other', () => {
    expect(requireTraceable({ machine: machine({}, { '/proc/self/status': capabilities(CAP_SYS_ADMIN) }) })).toEqual(
      [],
    );
  });

  it('that is locked down for integrity can be traced', () => {
    const lockdown = { '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' };
    expect(requireTraceable({ machine: machine({}, lockdown) })).toEqual([]);
  });

  it.each(['0000000000000000 T _text\n', undefined])(
    'that hides its addresses (%j) is traced with a warning',
    (symbols) => {
      const [warning, ...others] = requireTraceable({ machine: machine({}, { '/proc/kallsyms': symbols }) });
      expect(warning).toMatch(
        /^kernel addresses are hidden \(kernel\.kptr_restrict is 1\): .* \(run it as root or add CAP_SYSLOG/,
      );
      expect(others).toEqual([]);
    },
  );

  it('without tracefs is traced without a word; doctor says it', () => {
    const without = machine({}, { '/sys/kernel/tracing/events/enable': undefined });
    expect(requireTraceable({ machine: without })).toEqual([]);
    const check = runChecks(undefined, without).find(({ name }) => name === 'tracefs');
    expect(check).toMatchObject({ ok: false, fatal: false, advice: 'mount -t tracefs tracefs /sys/kernel/tracing' });
  });

  it('is traced in spite of all with force, and says so', () => {
    const old = machine({ release: '5.4.0' });
    expect(requireTraceable({ machine: old, force: true })).toEqual([
      expect.stringMatching(/^kernel 5\.4\.0 is older/),
    ]);
  });
});
