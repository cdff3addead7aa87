import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type AnyCase, type Network, playCases, type ReproRecord } from '../../dist/repro/index.js';
import { useFolder } from '../support/folder.js';
import { Cli, type Ended } from '../support/kernel-cli.js';
import { until } from '../support/kernel-topology.js';

const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const WAITS = file('test/fixtures/repro/waits.ts');
const GREETS = file('test/fixtures/repro/greets.ts');
const REGISTRY = '/run/nettrace/repro';
const path = useFolder();

/** What a session has written down of what it makes. */
function entriesOf(pid: number): { path: string; namespaces: string[]; processes: { pid: number }[] }[] {
  const names = existsSync(REGISTRY) ? readdirSync(REGISTRY) : [];
  return names
    .filter((name) => name.startsWith(`${pid}-`) && name.endsWith('.json'))
    .map((name) => ({ path: `${REGISTRY}/${name}`, ...JSON.parse(readFileSync(`${REGISTRY}/${name}`, 'utf8')) }));
}

const namespacesOf = (pid: number) => readdirSync('/run/netns').filter((name) => name.startsWith(`nettrace-${pid}-`));

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined; // it has ended
  }
}

/** A session in the middle of its case: network, rules, sockets and a process are there. */
async function waiting(...words: string[]): Promise<{ cli: Cli; pid: number; sleeper: number }> {
  const cli = new Cli(['repro', WAITS, ...words]);
  const pid = cli.process.pid!;
  const sleeper = await until(
    'the case is played',
    () => {
      if (cli.process.exitCode !== null) throw new Error(`it has ended: ${cli.stderr}${cli.stdout}`);
      // commands that set up the network are written down too, while they run
      return entriesOf(pid)[0]?.processes.find((one) => commandOf(one.pid) === 'sleep')?.pid;
    },
    240,
  );
  expect(namespacesOf(pid)).toHaveLength(2);
  return { cli, pid, sleeper };
}

function expectNothingLeft({ pid, sleeper }: { pid: number; sleeper: number }): void {
  expect(namespacesOf(pid)).toEqual([]);
  expect(entriesOf(pid)).toEqual([]);
  expect(isRunning(sleeper)).toBe(false);
}

function records({ stdout }: Pick<Ended, 'stdout'>): ReproRecord[] {
  const lines = stdout.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as ReproRecord).filter(({ type }) => type === 'repro');
}

const played = (...words: string[]) => new Cli(['repro', ...words]).ended;

describe('a session that is ended', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('by %s removes all that it has made, and says so', async (signal) => {
    const session = await waiting();
    session.cli.process.kill(signal);
    const { code, stderr } = await session.cli.ended;
    expect(stderr).toContain('interrupted; what was made is removed');
    expect(code).toBe(130);
    expectNothingLeft(session);
  });

  it('removes it also where it was to be kept: how to enter it is told only of what was played', async () => {
    const session = await waiting('--keep');
    session.cli.process.kill('SIGINT');
    const { code, stderr } = await session.cli.ended;
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: expect.stringContaining('what was being played is removed'),
    });
    expect(stderr).not.toContain('left standing');
    expectNothingLeft(session);
  });

  it('by two SIGINTs in a row removes it too', async () => {
    const session = await waiting();
    session.cli.process.kill('SIGINT');
    session.cli.process.kill('SIGINT');
    await session.cli.ended;
    expectNothingLeft(session);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)(
    'by %s does not leave settings of the machine as it has set them',
    async (signal) => {
      const budget = () => readFileSync('/proc/sys/net/core/netdev_budget', 'utf8').trim();
      const former = budget();
      const session = await waiting('--set', `budget=${Number(former) + 1}`);
      expect(budget()).toBe(String(Number(former) + 1));
      session.cli.process.kill(signal);
      await session.cli.ended;
      if (signal === 'SIGKILL') await played('tcp-no-listener');
      expect(budget()).toBe(former);
      await until('its process is gone', () => !isRunning(session.sleeper));
      expectNothingLeft(session);
    },
  );

  it('by SIGKILL leaves it to the next start, which removes it, and nothing of those that live', async () => {
    const dead = await waiting();
    const living = await waiting();
    dead.cli.process.kill('SIGKILL');
    await dead.cli.ended;
    // any start removes it, one of a session beside this test too
    expect((await played('tcp-no-listener')).code).toBe(0);
    await until('its process is gone', () => !isRunning(dead.sleeper));
    expectNothingLeft(dead);
    expect(namespacesOf(living.pid)).toHaveLength(2);
    expect(isRunning(living.sleeper)).toBe(true);
    living.cli.process.kill('SIGINT');
    await living.cli.ended;
    expectNothingLeft(living);
  });
});

describe('sessions at once', () => {
  it('do not disturb each other: each sees its own packets only', async () => {
    const both = await Promise.all([
      played(GREETS, '--json', '--set', 'port=8000'),
      played(GREETS, '--json', '--set', 'port=9000'),
    ]);
    for (const [i, ended] of both.entries()) {
      const [record] = records(ended);
      expect(record?.checks.filter(({ status }) => status === 'failed')).toEqual([]);
      expect(ended.code, ended.stderr).toBe(0);
      const ports = [...ended.stdout.matchAll(/"dport":(8000|9000),?/g)].map(([, port]) => port);
      expect(new Set(ports)).toEqual(new Set([['8000'], ['9000']][i]));
    }
  });
});

describe('nettrace repro', () => {
  it('says with 1 that a case is not as expected, and what was seen', async () => {
    const { code, stdout } = await played(GREETS, '--set', 'fail=true', '--set', 'greeting=good day');
    expect(code).toBe(1);
    expect(stdout).toMatch(/NOT OK: ESTABLISHED tcp socket on server remains, 7 times\n\s+seen: .*ESTABLISHED/);
    expect(stdout).toContain("ok: what TCP brought is 'good day'");
    expect(stdout).toContain('NOT as expected');
  });

  it('plays a case several times, and gives what was asked for', async () => {
    const ended = await played('tcp-no-listener', 'udp-no-listener', '--repeat', '2', '--seed', '5', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const told = records(ended).map(({ case: name, repetition, seed }) => [name, repetition, seed]);
    expect(told).toEqual([
      ['tcp-no-listener', 1, 5],
      ['tcp-no-listener', 2, 5],
      ['udp-no-listener', 1, 5],
      ['udp-no-listener', 2, 5],
    ]);
  });

  it('writes a file that nettrace show reads, and packets that tcpdump reads', async () => {
    const words = ['--json', '-o', path('t.ndjson.gz'), '--pcap', path('t.pcap')];
    const ended = await played('tcp-no-listener', ...words);
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 0, stdout: '' });
    const shown = await new Cli(['show', path('t.ndjson.gz'), '--tcp-flags', 'R']).ended;
    expect({ code: shown.code, stdout: shown.stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/flags:AR/) });
    const dumped = spawnSync('tcpdump', ['-nr', path('t.pcap')], { encoding: 'utf8' }).stdout;
    expect(dumped.split('\n').filter(Boolean)).toEqual([
      expect.stringMatching(/10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.8000: Flags \[S\]/),
      expect.stringMatching(/10\.0\.0\.2\.8000 > 10\.0\.0\.1\.\d+: Flags \[R\.\]/),
    ]);
  });

  it('sees each packet once, also while packets are captured', async () => {
    const cases = ['data-after-close', 'linger-zero', 'time-wait-syn-sequence'];
    const ended = await played(...cases, '--json', '--pcap', path('t.pcap'));
    const failed = records(ended).flatMap(({ checks }) => checks.filter(({ status }) => status === 'failed'));
    expect({ failed, code: ended.code }).toEqual({ failed: [], code: 0 });
  });

  it('leaves the network standing when it is asked to, and says how to enter and to remove it', async () => {
    const { code, stderr } = await played('tcp-no-listener', '--keep');
    expect(code).toBe(0);
    const [, enter = ''] = /server: (ip netns exec \S+) bash/.exec(stderr) ?? [];
    const [, remove = ''] = /to remove it: (.*)/.exec(stderr) ?? [];
    try {
      const { stdout } = spawnSync('sh', ['-c', `${enter} ip -o address show eth0`], { encoding: 'utf8' });
      expect(stdout).toContain('10.0.0.2/24');
      // it is nobody's any more: the next start leaves it alone
      expect((await played('tcp-no-listener')).code).toBe(0);
      expect(spawnSync('sh', ['-c', `${enter} true`]).status).toBe(0);
    } finally {
      spawnSync('sh', ['-c', remove]);
    }
    expect(spawnSync('sh', ['-c', `${enter} true`]).status).not.toBe(0);
  });

  it('leaves only those networks standing whose results are taken, also where more have been played', async () => {
    const before = new Set(namespacesOf(process.pid));
    const added = () => namespacesOf(process.pid).filter((name) => !before.has(name));
    const ended = new Set<string>();
    let kept: string[] = [];
    const definition: AnyCase = {
      name: 'one-host',
      group: 'test',
      title: 'x',
      description: 'x',
      network: (net) => ({ one: net.host('one') }),
      play: async () => {},
    };
    // told before the network's end is decided, and right after it
    const onNetwork = (network: Network) => async () => void ended.add(network.hosts[0]!.namespace);
    try {
      for await (const { hosts } of playCases([definition], { keep: true, jobs: 2, repeat: 2, onNetwork })) {
        kept = hosts.map(({ namespace }) => namespace);
        await until('the other has been played too', () => ended.size === 2);
        await new Promise(setImmediate);
        break;
      }
      expect(added()).toEqual(kept);
      expect(kept).toHaveLength(1);
      expect(entriesOf(process.pid)).toEqual([]);
    } finally {
      for (const name of added()) spawnSync('ip', ['netns', 'delete', name]);
    }
  });

  it('leaves no network standing that could not be made', async () => {
    const wrong = path('no-route.mjs');
    writeFileSync(
      wrong,
      `import { defineCase } from 'nettrace/repro';
       export default defineCase({ name: 'no-route', group: 'test', title: 'x', description: 'x', async play() {},
         network(net) { net.link(net.host('a', { ip: ['route add nonsense'] }), net.host('b')); } });`,
    );
    const cli = new Cli(['repro', wrong, '--keep']);
    const { code, stdout } = await cli.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining('nonsense') });
    expect(namespacesOf(cli.process.pid!)).toEqual([]);
  });

  it.each([
    [
      'what is no case',
      'wrong.mjs',
      "export default { name: 'x' };",
      /a case needs a group\n {2}it must have: export default defineCase/,
    ],
    [
      'a case that lacks something',
      'wrong.ts',
      "import { defineCase } from 'nettrace/repro';\nexport default defineCase({ name: 'x', group: 'g', title: 't' } as any);",
      /a case needs a description \(\S+wrong\.ts:2:16\)\n {2}it must have: export default defineCase/,
    ],
    ['a syntax error', 'wrong.ts', 'const x = ;', /Expression expected \(\S+wrong\.ts\)\n[\s\S]* 1 \| const x = ;\n/],
    [
      'what it throws',
      'wrong.ts',
      "const x: string = 'at load';\nthrow new Error(x);",
      /at load \(\S+wrong\.ts:2:7\)\n/,
    ],
    ['null that it throws', 'wrong.mjs', 'throw null;', /cannot be loaded: null was thrown\n/],
  ])('tells with 2 what is wrong with a file, and plays nothing: %s', async (_, name, text, message) => {
    writeFileSync(path(name), text);
    const { code, stdout, stderr } = await played(path(name), 'tcp-no-listener');
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(stderr).not.toContain('\\x0a');
  });

  it('tells where a case goes wrong, or says nothing that can be judged, and plays the others', async () => {
    const write = (name: string, play: string, expectations: string) => {
      const head = `import { defineCase } from 'nettrace/repro';\nexport default defineCase({ name: '${name}', group: 'g', title: 't',`;
      writeFileSync(
        path(`${name}.ts`),
        `${head} description: 'd',\n  network: (net) => net.link(net.host('a'), net.host('b')),\n  async play() { ${play} },\n  expectations({ expect }) { ${expectations} } });`,
      );
      return path(`${name}.ts`);
    };
    const files = [
      write('throws', "throw new Error('at play');", ''),
      write('mistaken', '', 'expect.trace({ soprt: 1 } as object).toBeSeen();'),
      write('promises', '', "expect.that('it holds', (async () => ({ ok: true, seen: '' })) as never);"),
      write('silent', '', ''),
    ];
    const ended = await played(...files, 'tcp-no-listener', '--json');
    const told = records(ended).map(({ case: name, outcome, reason, checks }) => [
      name,
      outcome,
      reason ?? checks[0]?.seen,
    ]);
    expect(told).toEqual([
      ['throws', 'error', expect.stringMatching(/^at play \(\S+throws\.ts:4:24\)$/)],
      ['mistaken', 'error', expect.stringMatching(/has no field 'soprt' \(\S+mistaken\.ts:5:\d+\)$/)],
      ['promises', 'failed', expect.stringMatching(/^the check gave a promise/)],
      ['silent', 'shown', undefined],
      ['tcp-no-listener', 'passed', expect.anything()],
    ]);
    expect(ended.code).toBe(1);
  });

  it.each([
    ['a name behind list', ['list', 'tcp-no-listener'], /repro list takes no names/],
    ['a capture to standard output', ['tcp-no-listener', '--pcap', '-'], /--pcap takes the name of a file, not '-'/],
    ['a file named -', ['tcp-no-listener', '-o', '-'], /-o takes the name of a file, not '-'/],
  ])('refuses %s', async (_, words, message) => {
    const { code, stderr } = await played(...words);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(message) });
  });

  it('lists the cases with their parameters', async () => {
    const { code, stdout } = await played('list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^handshake:\n(.*\n)* {2}rst-timestamp-zero-before-ack +RST with timestamp 0/m);
    expect(stdout).toMatch(/--set port=8000: port/);
    const lines = (await played('list', '--json')).stdout.split('\n').filter(Boolean);
    expect(lines.map((line) => JSON.parse(line) as { name: string }).map(({ name }) => name)).toContain(
      'tcp-no-listener',
    );
  });
});
