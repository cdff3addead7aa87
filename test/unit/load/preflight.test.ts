import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isOldKernel, runChecks, tracefsPath } from '../../../src/load/preflight.js';

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
    const path = tracefsPath();
    expect(path === undefined || existsSync(`${path}/events`)).toBe(true);
    expect(checks.get('tracefs')?.fatal).toBe(false);
  });
});
