import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import { NettraceError } from '../errors.js';

const KERNEL_BTF = '/sys/kernel/btf/vmlinux';
/** Bits of linux/capability.h */
const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
const CAP_BPF = 39;

/** What the checks look at. */
export interface Machine {
  platform: string;
  arch: string;
  release: string;
  /** In front of the paths of /proc and /sys. */
  root: string;
  isRoot: boolean;
}

/** Where this process runs. */
export function thisMachine(): Machine {
  return { platform: platform(), arch: arch(), release: release(), root: '', isRoot: process.getuid?.() === 0 };
}

export interface Check {
  name: string;
  ok: boolean;
  /** A failure that ends every run, or one that only costs something. */
  fatal: boolean;
  text: string;
  advice?: string;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function effectiveCapabilities(root = ''): bigint {
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(readText(`${root}/proc/self/status`))?.[1];
  return hex ? BigInt(`0x${hex}`) : 0n;
}

function checkPlatform({ platform: system, arch: machine, release: kernel }: Machine): Check[] {
  const known = machine === 'x64' || machine === 'arm64';
  return [
    system === 'linux'
      ? { name: 'system', ok: true, fatal: true, text: `Linux ${kernel}` }
      : {
          name: 'system',
          ok: false,
          fatal: true,
          text: `this is ${system}: nettrace looks into the Linux kernel`,
          advice: 'run it on Linux',
        },
    known
      ? { name: 'machine', ok: true, fatal: true, text: machine === 'x64' ? 'x86_64' : 'arm64' }
      : {
          name: 'machine',
          ok: false,
          fatal: true,
          text: `this machine is ${machine}`,
          advice: 'nettrace runs on 64-bit x86 and arm',
        },
  ];
}

/** Is a kernel of this release older than major.minor? */
export function isOlder(text: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

/** May this process do what CAP_SYS_ADMIN permits? Listing the BTF of modules by their ids is one of that. */
export function hasSysAdmin(): boolean {
  return ((effectiveCapabilities() >> BigInt(CAP_SYS_ADMIN)) & 1n) === 1n;
}

/** Ring buffer and CAP_BPF came with 5.8. */
export function isOldKernel(text: string): boolean {
  return isOlder(text, 5, 8);
}

function checkVersion({ release: kernel }: Machine): Check {
  if (!isOldKernel(kernel)) return { name: 'kernel version', ok: true, fatal: true, text: `${kernel} (5.8 or newer)` };
  return {
    name: 'kernel version',
    ok: false,
    fatal: true,
    text: `kernel ${kernel} is older than 5.8`,
    advice: 'nettrace needs the BPF ring buffer, which 5.8 brought: use a newer kernel',
  };
}

function checkCapabilities({ root, isRoot }: Machine): Check {
  const have = effectiveCapabilities(root);
  const has = (bit: number) => (have >> BigInt(bit)) & 1n;
  const missing = [
    ...(has(CAP_BPF) ? [] : ['CAP_BPF']),
    ...(has(CAP_PERFMON) ? [] : ['CAP_PERFMON']),
    ...(has(CAP_NET_ADMIN) ? [] : ['CAP_NET_ADMIN']),
  ];
  if (has(CAP_SYS_ADMIN) || missing.length === 0) {
    return {
      name: 'capabilities',
      ok: true,
      fatal: true,
      text: has(CAP_SYS_ADMIN) ? 'CAP_SYS_ADMIN' : 'CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN',
    };
  }
  const who = isRoot ? 'root here lacks' : 'you are not root, and lack';
  return {
    name: 'capabilities',
    ok: false,
    fatal: true,
    text: `${who} ${missing.join(', ')} (or CAP_SYS_ADMIN, which stands for all)`,
    advice:
      'run it as root (sudo nettrace ...), or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; in a container add them (--cap-add)',
  };
}

function checkBtf({ root }: Machine, path = KERNEL_BTF): Check {
  if (existsSync(root + path)) return { name: 'BTF', ok: true, fatal: true, text: path };
  return {
    name: 'BTF',
    ok: false,
    fatal: true,
    text: path === KERNEL_BTF ? `the kernel has no BTF (${path} is missing)` : `there is no BTF at '${path}'`,
    advice:
      'use a kernel with CONFIG_DEBUG_INFO_BTF=y, as the kernels of all larger distributions are; in a container mount /sys',
  };
}

function checkLockdown({ root }: Machine): Check {
  const mode = /\[(\w+)\]/.exec(readText(`${root}/sys/kernel/security/lockdown`))?.[1] ?? 'none';
  if (mode !== 'confidentiality') return { name: 'lockdown', ok: true, fatal: true, text: mode };
  return {
    name: 'lockdown',
    ok: false,
    fatal: true,
    text: 'the kernel is locked down (confidentiality): BPF programs may not read its memory',
    advice: 'boot with lockdown=integrity or without; with Secure Boot see mokutil --sb-state',
  };
}

/** The first symbols are enough to see whether addresses are shown. */
function symbolsVisible(root: string): boolean {
  try {
    const fd = openSync(`${root}/proc/kallsyms`, 'r');
    try {
      const head = Buffer.alloc(65_536);
      return /^[0-9a-f]*[1-9a-f][0-9a-f]* /m.test(head.toString('latin1', 0, readSync(fd, head)));
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

function checkKallsyms({ root }: Machine): Check {
  if (symbolsVisible(root)) return { name: 'kallsyms', ok: true, fatal: false, text: 'addresses are visible' };
  const restrict = readText(`${root}/proc/sys/kernel/kptr_restrict`) || 'unknown';
  return {
    name: 'kallsyms',
    ok: false,
    fatal: false,
    text: `kernel addresses are hidden (kernel.kptr_restrict is ${restrict}): places of drops are shown as plain addresses`,
    advice: 'run it as root or add CAP_SYSLOG, with kernel.kptr_restrict at 0 or 1',
  };
}

/** Tracefs tells which functions can be traced; without it the attempt does. */
function checkTracefs({ root }: Machine): Check {
  const path = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'].find((one) => existsSync(`${root}${one}/events`));
  let readable = false;
  try {
    if (path) accessSync(`${root}${path}/events`, constants.R_OK);
    readable = path !== undefined;
  } catch {}
  if (readable) return { name: 'tracefs', ok: true, fatal: false, text: path ?? '' };
  return {
    name: 'tracefs',
    ok: false,
    fatal: false,
    text: 'tracefs is not mounted or not readable: it is not needed to trace',
    advice: 'mount -t tracefs tracefs /sys/kernel/tracing',
  };
}

/** What this kernel and this user can do; the first fatal failure is the one to mend first. */
export function runChecks(btfPath?: string, machine = thisMachine()): Check[] {
  const checks = checkPlatform(machine);
  if (checks.some((c) => !c.ok)) return checks;
  return [
    ...checks,
    checkVersion(machine),
    checkBtf(machine, btfPath),
    checkCapabilities(machine),
    checkLockdown(machine),
    checkKallsyms(machine),
    checkTracefs(machine),
  ];
}

function cannotTrace({ text, advice }: Check): NettraceError {
  return new NettraceError(`cannot trace: ${text}`, advice ? { advice } : {});
}

/** Throws NettraceError on a machine that the addon cannot be made for; called before that is loaded. */
export function requirePlatform(): void {
  const failed = checkPlatform(thisMachine()).find((c) => !c.ok);
  if (failed) throw cannotTrace(failed);
}

/**
 * Throws NettraceError for the first thing that makes tracing impossible. Returns what a user should know of what is
 * only limited. With `force` the first, too, is only a warning: the kernel has the last word.
 */
export function requireTraceable({
  force = false,
  btfPath,
  machine,
}: {
  force?: boolean;
  btfPath?: string | undefined;
  machine?: Machine;
} = {}): string[] {
  const checks = runChecks(btfPath, machine);
  const failed = checks.find((c) => !c.ok && c.fatal);
  if (failed && !force) throw cannotTrace(failed);
  // tracefs is named by doctor alone: tracing does without it
  return checks.filter((c) => !c.ok && c.name !== 'tracefs').map((c) => `${c.text} (${c.advice})`);
}
