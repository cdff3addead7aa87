import { spawnSync } from 'node:child_process';
import { lchownSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { SkbTrace } from '../../dist/index.js';
import type { Agent } from '../support/kernel-agent.js';
import { CLI_PROGRAM, Cli } from '../support/kernel-cli.js';
import { Topology, until } from '../support/kernel-topology.js';
import { EMULATED, SHORTENED, SHOWN_ELSEWHERE } from '../support/machine.js';

const NOBODY = 65534;
/** A start takes four seconds on an emulated machine: there only what depends on the kernel is asked. */
function onlyOnRealMachines(ctx: TestContext): void {
  if (SHORTENED) ctx.skip('does not depend on the kernel, and takes seconds on an emulated machine');
}
/** Tracepoints alone: they are on every kernel, and attach at once. */
const QUICK = ['-t', 'net_dev_queue,netif_receive_skb'];

const net = new Topology();
const ADDRESS = `${net.v4}.9.1`;
const MINE = ['--addr', ADDRESS, ...QUICK];
const folder = mkdtempSync(join(tmpdir(), 'nettrace-cli-'));
let agent: Agent;

beforeAll(async () => {
  net.add('solo');
  net.ip('solo', `address add ${ADDRESS}/24 dev lo`);
  agent = await net.agent('solo');
});
afterAll(async () => {
  await net.close();
  rmSync(folder, { recursive: true });
});

/** Each ping is two packets: over the loopback one trace for each. */
async function ping(count = 1): Promise<void> {
  const { status } = await agent.run(['ping', '-c', String(count), '-i', '0.2', '-W', '20', ADDRESS]);
  expect(status).toBe(0);
}

describe('rules of nftables that cannot be listed', () => {
  it('are told of once, where a rule has dropped packets', async (ctx) => {
    ctx.skip(!EMULATED, 'functions are traced in virtual machines only');
    ctx.skip(SHOWN_ELSEWHERE, 'one virtual machine shows it');
    const rules = 'table inet t { chain c { type filter hook input priority 0; udp dport 5999 drop; }; }';
    expect((await agent.run(['nft', '-f', '-'], rules)).status).toBe(0);
    // the namespace can be entered, but there is no nft
    symlinkSync('/usr/bin/nsenter', join(folder, 'nsenter'));
    const words = ['--addr', ADDRESS, '-p', 'udp', '-t', 'nft_do_chain,ip_rcv', '-c', '2', '--detail'];
    const cli = await new Cli(words, ['/usr/bin/env', `PATH=${folder}`]).ready();
    const socket = await agent.bound(ADDRESS, 0, 'SOCK_DGRAM');
    for (let i = 0; i < 2; i++) await socket.call('sendto', 'x', [ADDRESS, 5999]);
    await socket.close();
    const { code, stdout, stderr } = await cli.ended;
    await agent.run(['nft', 'delete', 'table', 'inet', 't']);
    expect(code, stderr).toBe(0);
    expect(stdout.match(/\[nft_do_chain .* by an nftables rule/g)).toHaveLength(2);
    const told = stderr.split('\n').filter((line) => line.includes('warning'));
    expect(told).toEqual([
      expect.stringMatching(
        /^nettrace: warning: which rule of nftables dropped a packet is not told, as nft cannot list them: nsenter: .*nft/,
      ),
    ]);
  });
});

describe('nettrace --json', () => {
  it('writes lines that the schema describes, and nothing else, and ends at Ctrl-C with a summary', async () => {
    const cli = await new Cli(['--json', ...MINE]).ready();
    await ping(2);
    await until('the traces of two pings', () => cli.lines().length >= 4);
    const { code, stdout, stderr } = await cli.interrupt();
    expect(code).toBe(0);
    const schema = JSON.parse(readFileSync(new URL('../../schema/output.schema.json', import.meta.url), 'utf8'));
    const validate = new Ajv2020({ strict: false }).compile(schema);
    expect(stdout.endsWith('\n')).toBe(true);
    for (const line of stdout.trimEnd().split('\n')) {
      const one = JSON.parse(line) as SkbTrace;
      expect(validate(one), `${JSON.stringify(validate.errors)}\n${line}`).toBe(true);
      expect(one).toMatchObject({ v: 1, proto: 'icmp', tuple: { saddr: ADDRESS, daddr: ADDRESS } });
    }
    expect(stderr).toMatch(/^(nettrace: this kernel gives .*\n)?begin trace\.\.\.\nend trace\.\.\.\n/);
    expect(stderr).toMatch(/4 packets/);
  });

  it('ends quietly when nobody reads any more', async (ctx) => {
    onlyOnRealMachines(ctx);
    const cli = await new Cli(['--json', ...MINE]).ready();
    await ping();
    await until('a first line', () => cli.lines().length > 0);
    cli.process.stdout.destroy();
    await ping();
    const { code, stderr } = await cli.ended;
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^(nettrace: this kernel gives .*\n)?begin trace\.\.\.\n(end trace\.\.\.\n)?$/),
    });
  });
});

describe('nettrace', () => {
  it('prints blocks between begin and end, and ends after -c packets', async (ctx) => {
    onlyOnRealMachines(ctx);
    const cli = await new Cli(['-c', '3', ...MINE]).ready();
    await ping(2);
    const { code, stdout } = await cli.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^begin trace\.\.\.\n/);
    expect(stdout).toMatch(/end trace\.\.\.\n$/);
    expect(stdout.match(/^\*+ [0-9a-f,]+ \*+$/gm)).toHaveLength(3);
    expect(stdout).toMatch(/^\[\d+\.\d{6}\] \[net_dev_queue {7}\] ICMP: /m);
  });

  it('writes to a file that only its owner can read', async (ctx) => {
    onlyOnRealMachines(ctx);
    const file = join(folder, 'out.json');
    writeFileSync(file, 'old', { mode: 0o644 });
    const cli = await new Cli(['--json', '-c', '2', '-o', file, ...MINE]).ready();
    await ping();
    const { code, stdout } = await cli.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as SkbTrace).proto)).toEqual(['icmp', 'icmp']);
  });

  it("does not follow another user's symbolic link", async (ctx) => {
    onlyOnRealMachines(ctx);
    const target = join(folder, 'target');
    const link = join(folder, 'link');
    writeFileSync(target, 'untouched');
    symlinkSync(target, link);
    lchownSync(link, NOBODY, NOBODY);
    const { code, stderr } = await new Cli(['-o', link, ...MINE]).ended;
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('symbolic link of another user') });
    expect(readFileSync(target, 'utf8')).toBe('untouched');
  });

  it.for([
    [['-t', 'no_such_function'], "unknown function or group 'no_such_function'"],
    [['--netns', 'no-such-namespace'], "there is no network namespace 'no-such-namespace'"],
    [['--ifname', 'no-such-if'], "there is no interface 'no-such-if'"],
    [['--netns', '12345'], 'there is no network namespace with the inode 12345'],
  ] as const)('refuses %j', async ([words, message], ctx) => {
    onlyOnRealMachines(ctx);
    const { code, stdout, stderr } = await new Cli(words).ended;
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('nettrace -t', () => {
  const TRACEPOINTS = ['--backend', 'tracepoint'];

  it('of functions where none can be attached is refused: nothing but frees would be shown', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { code, stdout, stderr } = await new Cli([...TRACEPOINTS, '-t', 'tcp_v4_rcv,ip_rcv']).ended;
    expect(stderr).toMatch(
      /^nettrace: nothing of what is to be traced is here: tcp_v4_rcv, ip_rcv\n {2}nettrace probes lists/,
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it('names what is not there beside what is, and says that it was told to take tracepoints only', async (ctx) => {
    onlyOnRealMachines(ctx);
    const cli = await new Cli([...TRACEPOINTS, '-t', 'tcp_v4_rcv,net_dev_queue', ...MINE]).ready();
    const { stderr } = await cli.interrupt();
    expect(stderr).toMatch(/^nettrace: tracepoints only, as --backend asks for: functions,/m);
    expect(stderr).toMatch(/^nettrace: not traced here: tcp_v4_rcv$/m);
  });
});

describe('nettrace as another user', () => {
  const as = (...capabilities: string[]) => {
    const list = capabilities.map((name) => `+${name}`).join(',');
    const sets = capabilities.length ? [`--inh-caps=${list}`, `--ambient-caps=${list}`] : [];
    // before 5.11 maps count as locked memory of their user
    return [
      'sh',
      '-c',
      'ulimit -l unlimited 2>/dev/null; exec "$@"',
      'sh',
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      ...sets,
    ];
  };

  /** A tree below a folder of root's alone, as mktemp makes it, cannot be read by anybody else. */
  function readableByOthers(ctx: TestContext): void {
    const [program = '', ...words] = [...as(), 'test', '-r', CLI_PROGRAM];
    ctx.skip(spawnSync(program, words).status !== 0, `another user cannot read ${CLI_PROGRAM}`);
  }

  it('names the capabilities that are missing', async (ctx) => {
    onlyOnRealMachines(ctx);
    readableByOthers(ctx);
    const { code, stdout, stderr } = await new Cli(MINE, as()).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    for (const name of ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN']) expect(stderr).toContain(name);
  });

  it.for(['bpf', 'perfmon', 'net_admin'])(
    'names %s where that alone is missing, to a user and to root',
    async (missing, ctx) => {
      onlyOnRealMachines(ctx);
      readableByOthers(ctx);
      const others = ['bpf', 'perfmon', 'net_admin'].filter((name) => name !== missing);
      const root = ['setpriv', `--bounding-set=-sys_admin,-${missing}`];
      for (const [who, before] of [
        ['you are not root, and lack', as(...others)],
        ['root here lacks', root],
      ] as const) {
        const { code, stdout, stderr } = await new Cli(MINE, before).ended;
        expect(stderr.split('\n')[0]).toBe(
          `nettrace: cannot trace: ${who} CAP_${missing.toUpperCase()} (or CAP_SYS_ADMIN, which stands for all)`,
        );
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      }
    },
  );

  it('works with exactly those, where kernel addresses are shown', async (ctx) => {
    if (readFileSync('/proc/sys/kernel/kptr_restrict', 'utf8').trim() !== '0')
      ctx.skip('kernel.kptr_restrict hides addresses here');
    readableByOthers(ctx);
    const cli = new Cli(['--json', '-c', '2', ...MINE], as('bpf', 'perfmon', 'net_admin'));
    await cli.ready();
    await ping();
    expect(await cli.ended).toMatchObject({ code: 0 });
    expect(cli.lines()).toHaveLength(2);
  });
});
