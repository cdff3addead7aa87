import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { PROBES } from '../../src/generated/probes.js';
import type { Check } from '../../src/load/preflight.js';
import { FILTER_PROTOS } from '../../src/protocols.js';
import { jsonLine } from '../../src/sinks/json.js';
import { nettrace, ROOT, run } from '../support/command.js';
import { useFolder } from '../support/folder.js';
import { skbTrace } from '../support/traces.js';

// each test starts Node anew
vi.setConfig({ testTimeout: 60_000 });

const STACK = /^\s+at |node:internal|\.js:\d+|\.ts:\d+/m;

describe('wrong use', () => {
  it.each([
    [['-P', '99999'], "port must be a whole number from 0 to 65535, not '99999'"],
    [['-P', '80,http'], "port must be a whole number from 0 to 65535, not 'http'"],
    [['-S', '9-1'], "source port range '9-1' ends before it starts"],
    [['-s', 'localhost'], "source address must be an IPv4 or IPv6 address or CIDR, not 'localhost'"],
    [['--addr', '10.0.0.0/33'], "address prefix of '10.0.0.0/33' must be a whole number from 0 to 32, not '33'"],
    [['--tcp-flags', 'X'], "TCP flags are letters of S A R P F U, not 'X'"],
    [['--pkt-len', '1k'], "packet length must be a whole number from 0 to 4294967295, not '1k'"],
    [['-c', '0'], "count must be a whole number from 1 to 2147483647, not '0'"],
    [['-c', 'many'], "count must be a whole number, not 'many'"],
    [['--pid', '-1'], "pid must be a whole number, not '-1'"],
    [['--buffer', '5000'], 'the buffer must be a power of two from 4096 to 1073741824 bytes, not 5000'],
    [
      ['--ifname', 'a-name-that-is-far-too-long'],
      "interface names have 1 to 15 bytes, not 'a-name-that-is-far-too-long'",
    ],
    [['--ifname', 'nettrace-none'], "there is no interface 'nettrace-none' in this network namespace"],
    [['--netns', 'no-such-netns'], "there is no network namespace 'no-such-netns' (/run/netns/no-such-netns: ENOENT)"],
    [['-p', 'rarp'], `protocol must be one of ${FILTER_PROTOS.join(', ')}, or a number from 1 to 255, not 'rarp'`],
    [
      ['--backend', 'x'],
      "option '--backend <name>' argument 'x' is invalid. Allowed choices are kprobe-multi, kprobe, fentry, tracepoint.",
    ],
    [['-P'], "option '-P, --port <port,...>' argument missing"],
    [['--no-such-option'], "unknown option '--no-such-option'"],
    [['doctr'], "unknown command 'doctr'"],
    [['--filter-meta', ''], 'metadata filter must not be empty'],
    [['--filter-tunnel', ' '], 'tunnel filter must not be empty'],
    [['doctor', '--no-such-option'], "unknown option '--no-such-option'"],
    [['--rotate', '1M'], '--rotate needs a file to rotate'],
    [['-o', 'x', '--rotate', 'big'], "rotation takes SIZE[,COUNT] with a size of at least 4K, not 'big'"],
    [['-p', 'icmp', '-P', '80'], 'icmp has no ports: a port filter would match nothing'],
  ])('%j ends with exit code 2 and one message', async (words, message) => {
    const { code, stdout, stderr } = await nettrace(...words);
    expect(stderr.split('\n')[0]).toBe(`nettrace: ${message}`);
    // at most one more line: what to do
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
    expect(stderr).not.toMatch(STACK);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('takes a word that is no command for a filter, and shows what is wrong with it', async () => {
    const { code, stdout, stderr } = await nettrace('no-such-command');
    expect(stderr).toBe('nettrace: filter expression, column 1: syntax error\n  no-such-command\n  ^^^^^^^^^^^^^^^\n');
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('of a file to write to is told before anything is looked for in the kernel', async () => {
    const { code, stderr } = await nettrace('-o', '/nowhere/t.ndjson', '-t', 'no_such_function');
    expect(stderr).toBe(
      "nettrace: cannot write '/nowhere/t.ndjson': there is no such directory\n  make the directory first, or choose another file\n",
    );
    expect(code).toBe(1);
  });

  it('suggests the option that was meant, on a line of its own', async () => {
    const { code, stderr } = await nettrace('--porto', 'tcp');
    expect(stderr).toMatch(/^nettrace: unknown option '--porto'\n {2}\(Did you mean one of .*--proto/);
    expect(code).toBe(2);
  });

  it('points to the help of the command that the words were for', async () => {
    const { code, stderr } = await nettrace('doctor', '--no-such-option');
    expect(stderr).toBe("nettrace: unknown option '--no-such-option'\n  nettrace doctor -h lists the options\n");
    expect(code).toBe(2);
  });

  it('tells a number that is too large as it came', async () => {
    const { code, stderr } = await nettrace('-c', '99999999999999999999');
    expect(stderr).toBe("nettrace: count is too large: '99999999999999999999'\n");
    expect(code).toBe(2);
  });

  it('knows repro behind a slip of the keys', async () => {
    expect((await nettrace('repor')).stderr).toBe(
      "nettrace: unknown command 'repor'\n  did you mean nettrace repro?\n",
    );
  });

  it.each([
    [['tcp', 'port', 'and', 'udp'], 'filter expression, column 10: syntax error', 'tcp port and udp', '         ^^^'],
    [['tcp port http8'], "filter expression, column 10: unknown port 'http8'", 'tcp port http8', '         ^^^^^'],
    [['--filter-tunnel', 'host 1.2.3.4)'], 'tunnel filter, column 13: syntax error', 'host 1.2.3.4)', '            ^'],
    [
      ['--filter-meta', 'mark == 1 && lenn > 5'],
      "metadata filter, column 14: struct sk_buff of this kernel has no field 'lenn'",
      'mark == 1 && lenn > 5',
      '             ^^^^',
    ],
  ])('%j shows where an expression is wrong', async (words, message, expression, carets) => {
    const { code, stdout, stderr } = await nettrace(...words);
    expect(stderr).toBe(`nettrace: ${message}\n  ${expression}\n  ${carets}\n`);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('shows values with their control characters made visible', async () => {
    const { code, stderr } = await nettrace('-P', '\x1b[2J');
    expect(stderr).toBe("nettrace: port must be a whole number from 0 to 65535, not '\\x1b[2J'\n");
    expect(code).toBe(2);
  });
});

describe('help and version', () => {
  it('-h lists every option on standard output', async () => {
    const { code, stdout, stderr } = await nettrace('-h');
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const options =
      '-s --saddr -d --daddr --addr -S --sport -D --dport -P --port -p --proto --tcp-flags --pkt-len --netns ' +
      '--filter-tunnel --filter-meta --netns-current --ifname --pid -t --trace -c --count --json -o --output --date --detail ' +
      '--ret --backend --rotate -v -h -V show diff doctor probes';
    for (const option of options.split(' ')) expect(stdout).toMatch(new RegExp(`(^|[\\s,])${option}([\\s,]|$)`, 'm'));
    expect(stdout.split('\n').every((line) => line.length <= 100)).toBe(true);
  });

  it.each(['show', 'diff', 'doctor', 'probes'])('%s -h explains the command', async (command) => {
    const { code, stdout, stderr } = await nettrace(command, '-h');
    expect(code).toBe(0);
    expect(stdout).toContain(`nettrace ${command}`);
    expect(stdout).toContain('--json');
    expect(stderr).toBe('');
  });

  it.each(['-V', '--version'])('%s says the version of the package', async (option) => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
    expect(await nettrace(option)).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  });
});

describe('nettrace probes', () => {
  it('lists the whole table, whatever the kernel has', async () => {
    const { code, stdout } = await nettrace('probes');
    expect(code).toBe(0);
    for (const { name } of PROBES) expect(stdout).toMatch(new RegExp(`^ {2}[-+?] ${name}\\b`, 'm'));
  });

  it('marks what is not in the default set', async () => {
    const { stdout } = await nettrace('probes');
    expect(stdout).toMatch(/^ {2}[-+?] tcp_skb_entail( \(\w+\))?, only with -t/m);
    expect(stdout).toMatch(/^ {2}[-+?] tcp_v4_rcv$/m);
    expect(stdout).toMatch(/^bonding \(also: bond\), only with -t$/m);
  });

  it('calls available what doctor can attach', async () => {
    const [table, report] = await Promise.all([nettrace('probes', '--json'), nettrace('doctor', '--json')]);
    const { ok, probes } = JSON.parse(report.stdout) as {
      ok: boolean;
      probes: { name: string; target?: string; backend: string | null }[];
    };
    const rows = JSON.parse(table.stdout) as { name: string; available?: boolean }[];
    const available = new Set(rows.filter((row) => row.available).map((row) => row.name));
    if (!ok) expect(available.size).toBe(0);
    const attached = probes.filter((probe) => probe.backend !== null);
    expect(attached.filter(({ name }) => !available.has(name))).toEqual([]);
    const functions = probes.filter(({ target }) => target && !target.includes(':'));
    if (functions.every(({ backend }) => backend === null))
      expect(functions.filter(({ name }) => available.has(name))).toEqual([]);
  });

  it('--json gives it to scripts', async () => {
    const { code, stdout } = await nettrace('probes', '--json');
    expect(code).toBe(0);
    const rows = JSON.parse(stdout) as { name: string; stage: string; default: boolean }[];
    expect(rows.map((r) => r.name)).toEqual(PROBES.map((p) => p.name));
    expect(rows.map((r) => r.default)).toEqual(PROBES.map((p) => p.isDefault));
  });
});

describe('nettrace -t ?', () => {
  it('lists what -t takes, as it always has', async () => {
    const [list, probes] = await Promise.all([nettrace('-t', '?'), nettrace('probes')]);
    expect(list).toEqual(probes);
    expect(list.stdout).toMatch(/^qdisc \(also: sched, link\)$/m);
  });
});

describe('nettrace doctor', () => {
  it('--json says what can be done here, and the exit code whether that is to trace', async () => {
    const { code, stdout, stderr } = await nettrace('doctor', '--json');
    const report = JSON.parse(stdout) as { ok: boolean; error?: string; checks: Check[]; probes: { name: string }[] };
    expect(code).toBe(report.ok ? 0 : 1);
    expect(report.ok).toBe(report.error === undefined && report.checks.every((c) => c.ok || !c.fatal));
    if (report.ok) expect(new Set(report.probes.map((p) => p.name)).size).toBe(report.probes.length);
    expect(report.probes.length > 0).toBe(report.ok);
    expect(stderr).toBe('');
  });

  it('says it in words', async () => {
    const { stdout, stderr } = await nettrace('doctor');
    expect(stdout).toMatch(/^ok {4}system: Linux /);
    expect(stdout + stderr).not.toMatch(STACK);
  });
});

describe('where nothing can be traced', () => {
  /** Node says what it runs on; this changes what it says. */
  const saying = (name: string, value: string) =>
    `NODE_OPTIONS=--import=data:text/javascript,Object.defineProperty(process,'${name}',{value:'${value}'})`;
  const OTHER_SYSTEM = saying('platform', 'darwin');
  const BROKEN = 'BPF_LOADER_ADDON=/nowhere.node';
  const start = (variable: string, ...words: string[]) =>
    run('env', [variable, process.execPath, `${ROOT}dist/cli.js`, ...words]);

  it.each([
    [OTHER_SYSTEM, 'cannot trace: this is darwin: nettrace looks into the Linux kernel', 'run it on Linux'],
    [saying('arch', 'ia32'), 'cannot trace: this machine is ia32', 'nettrace runs on 64-bit x86 and arm'],
    [
      'BPF_LOADER_ADDON=/nowhere.node',
      "the addon of bpf-loader-node cannot be loaded: Cannot find module '/nowhere.node'",
      'run make build, or install the package again',
    ],
    [`BPF_LOADER_ADDON=${ROOT}src/cli.ts`, /^the addon of bpf-loader-node cannot be loaded: \S/, 'run make build'],
  ])('%s: each command that needs it says so, with exit code 1', async (variable, message, advice) => {
    for (const words of [[], ['connections'], ['repro', 'list']]) {
      const { code, stdout, stderr } = await start(variable, ...words);
      const [first = '', second, ...more] = stderr.trimEnd().split('\n');
      if (typeof message === 'string') expect(first).toBe(`nettrace: ${message}`);
      else expect(first.replace('nettrace: ', '')).toMatch(message);
      expect(second).toContain(advice);
      expect(more).toEqual([]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    }
  });

  it.each([
    [OTHER_SYSTEM, /^FAIL {2}system: this is darwin/m],
    [BROKEN, /^FAIL {2}probes: the addon of bpf-loader-node cannot be loaded/m],
  ])('%s: doctor finds it, and probes and show do without', async (variable, line) => {
    const doctor = await start(variable, 'doctor');
    expect(doctor.stdout).toMatch(line);
    expect(doctor.code).toBe(1);
    const probes = await start(variable, 'probes');
    expect(probes.stdout).toMatch(/^ {2}\? tcp_v4_rcv$/m);
    expect(probes.stderr).toMatch(/^nettrace: what is available here could not be seen: /);
    expect(probes.code).toBe(0);
    const show = await start(variable, 'show', '/dev/null');
    expect(show).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('a pipe whose reader has gone', () => {
  it.each(['probes', 'probes --json', '-h'])('ends nettrace %s quietly', async (words) => {
    const { stderr } = await run('sh', ['-c', `"$0" dist/cli.js ${words} | true`, process.execPath]);
    expect(stderr).toBe('');
  });
});

describe('a full disk behind standard output', () => {
  const at = useFolder();

  it.each(['-h', '-V', 'probes', 'doctor --json', 'help show'])('is told by nettrace %s', async (words) => {
    const { code, stderr } = await run('sh', ['-c', `exec "$0" dist/cli.js ${words} > /dev/full`, process.execPath]);
    expect(stderr).toBe('nettrace: cannot write standard output: the disk is full\n');
    expect(code).toBe(1);
  });

  it.for([
    ['', 'text'],
    ['--json', 'JSON'],
  ] as const)('leaves whole records only, behind what was there before (%s %s)', async ([option], ctx) => {
    const disk = at('disk');
    mkdirSync(disk);
    writeFileSync(
      at('t.ndjson'),
      Array.from({ length: 3000 }, (_, i) => jsonLine(skbTrace({ id: String(i) }))).join(''),
    );
    const { status, stderr: why } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    ctx.skip(status !== 0, `a small tmpfs cannot be mounted here: ${why}`);
    try {
      const command = `echo before > ${disk}/out; exec "$0" dist/cli.js show ${at('t.ndjson')} ${option} >> ${disk}/out`;
      const { code, stderr } = await run('sh', ['-c', command, process.execPath]);
      const text = readFileSync(`${disk}/out`, 'utf8');
      expect(stderr).toBe(
        `nettrace: cannot write standard output: the disk is full\n  what is in the file is whole: ${text.length} bytes\n`,
      );
      expect(code).toBe(1);
      const [before, ...lines] = text.split('\n');
      expect(before).toBe('before');
      expect(text.length).toBeGreaterThan(50_000);
      expect(lines.at(-1)).toBe('');
      if (option) for (const line of lines.slice(0, -1)) JSON.parse(line);
      else expect(text).toMatch(/\n\n$/);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
