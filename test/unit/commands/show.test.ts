import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { jsonLine } from '../../../src/sinks/json.js';
import { TextFormatter } from '../../../src/sinks/text.js';
import { nettrace, ROOT, run } from '../../support/command.js';
import { useFolder } from '../../support/folder.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

// each test starts Node anew
vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const CLI = `${ROOT}dist/cli.js`;
const drop = { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' };
const TRACES = Array.from({ length: 6 }, (_, i) =>
  skbTrace({
    id: i.toString(16),
    tuple: { saddr: '10.0.0.1', sport: 40000 + i, daddr: '10.0.0.2', dport: i % 2 ? 8000 : 443 },
    complete: i !== 5,
    events: [
      traceEvent({ ret: 0, len: 60, comm: 'curl' }),
      traceEvent({ func: 'kfree_skb', ...(i === 3 ? { drop } : {}) }),
    ],
  }),
);
const NDJSON = TRACES.map(jsonLine).join('');
const PLAIN = { detail: false, date: false, ret: false, color: false };
const SUMMARY = '6 packets, 12 events\n1 drop:\n       1  NO_SOCKET at tcp_v4_rcv+0x65\n';

function textOf(traces: typeof TRACES, options: Partial<typeof PLAIN> = {}): string {
  const formatter = new TextFormatter({ ...PLAIN, ...options });
  return traces.map((trace) => formatter.trace(trace)).join('');
}

/** A file of the test's folder with this in it. */
function file(content: string | Uint8Array = NDJSON, name = 't.ndjson'): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** Waits until the process has written this to standard output, then sends it a signal; gives how it ended. */
async function interrupt(words: readonly string[], untilSeen: string, stdin: 'ignore' | 'pipe' = 'ignore') {
  const child = spawn(process.execPath, [CLI, ...words], { stdio: [stdin, 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (bytes) => {
    stdout += bytes;
  });
  child.stderr!.on('data', (bytes) => {
    stderr += bytes;
  });
  child.stdin?.write(NDJSON);
  await vi.waitFor(() => expect(stdout).toContain(untilSeen), { timeout: 30_000, interval: 20 });
  child.kill('SIGINT');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('nettrace show', () => {
  it('shows the text that was shown live, and the summary', async () => {
    const { code, stdout, stderr } = await nettrace('show', file());
    expect(stdout).toBe(textOf(TRACES));
    expect(stderr).toBe(`${SUMMARY}       1  packets incomplete: events were lost when they were traced\n`);
    expect(code).toBe(0);
  });

  it('shows --detail, --date and --ret', async () => {
    const { stdout } = await nettrace('show', '--detail', '--date', file(), '--ret');
    expect(stdout).toBe(textOf(TRACES, { detail: true, date: true, ret: true }));
  });

  it('reads several files, compressed or not, whatever they are called', async () => {
    const { stdout } = await nettrace('show', file(), file(gzipSync(NDJSON), 'plain.txt'));
    expect(stdout).toBe(textOf([...TRACES, ...TRACES]));
  });

  it('reads standard input', () => {
    const { stdout } = spawnSync(process.execPath, [CLI, 'show', '-'], { input: gzipSync(NDJSON), encoding: 'utf8' });
    expect(stdout).toBe(textOf(TRACES));
  });

  it('gives JSON back byte by byte, of every kind of record', async () => {
    const text = RECORDS.map(jsonLine).join('');
    expect((await nettrace('show', '--json', file(text))).stdout).toBe(text);
  });

  it.each([
    [
      ['-P', '8000'],
      [1, 3, 5],
    ],
    [
      ['-p', 'tcp', '-S', '40002-40003'],
      [2, 3],
    ],
    [
      ['--addr', '10.0.0.0/24', '-c', '2'],
      [0, 1],
    ],
    [['--comm', 'nginx'], []],
    [['--netns', '7'], []],
  ])('with %j shows what matches', async (words, wanted) => {
    const { code, stdout } = await nettrace('show', file(), ...words);
    expect(stdout).toBe(textOf(TRACES.filter((_, i) => wanted.includes(i))));
    expect(code).toBe(0);
  });

  it('takes its options before its name as well', async () => {
    expect((await nettrace('-P', '8000', 'show', file())).stdout).toBe(textOf(TRACES.filter((_, i) => i % 2 === 1)));
  });

  it('writes to files as live traces are written: compressed and rotated', async () => {
    const { stdout } = await nettrace('show', file(), '--json', '-o', at('out.gz'), '--rotate', '4K,3');
    expect(stdout).toBe('');
    expect(readdirSync(at()).sort()).toEqual(['out.gz', 't.ndjson']);
    expect((await nettrace('show', '--json', at('out.gz'))).stdout).toBe(NDJSON);
  });

  it('tells of lines that are no records, goes on, and ends with 1', async () => {
    const { code, stdout, stderr } = await nettrace('show', file(`hello\n${NDJSON}{"v":1}\n`));
    expect(stdout).toBe(textOf(TRACES));
    expect(stderr).toContain(`nettrace: skipped: ${at('t.ndjson')}:1: no JSON: 'hello'\n`);
    expect(stderr).toContain(`nettrace: skipped: ${at('t.ndjson')}:8: .type is no string: '{"v":1}'\n`);
    expect(stderr).toContain('       2  lines skipped: no records\n');
    expect(code).toBe(1);
  });

  it('does not fill the terminal with them', async () => {
    const { stderr } = await nettrace('show', file(`${'hello\n'.repeat(1000)}${NDJSON}`));
    expect(stderr).toContain('nettrace: skipped: 980 more lines that are no records\n');
    expect(stderr.split('\n').length).toBeLessThan(30);
  });

  it('warns of an end that is cut off, which is no failure', async () => {
    const { code, stdout, stderr } = await nettrace('show', file(NDJSON.slice(0, -100)));
    expect(stdout).toBe(textOf(TRACES.slice(0, 5)));
    expect(stderr).toMatch(/^nettrace: warning: .*t\.ndjson:6: the last line is cut off: '\{"v":1,/);
    expect(code).toBe(0);
  });

  it('says what it reads where a file holds nothing of it', async () => {
    const { code, stderr } = await nettrace('show', file('begin trace...\n'));
    expect(stderr).toContain('no traces of nettrace\n  what is read is what nettrace --json writes');
    expect(code).toBe(1);
  });

  it('ends quietly when its reader has gone', async () => {
    const path = file(NDJSON.repeat(500));
    const { stdout, stderr } = await run('sh', ['-c', `"$0" "$1" show "$2" | head -n 1`, process.execPath, CLI, path]);
    expect(stdout).toBe(`${textOf(TRACES).split('\n', 1)[0]}\n`);
    expect(stderr).toBe('');
  });

  it('needs neither the addon nor anything of BPF', () => {
    mkdirSync(at('lib/node_modules'), { recursive: true });
    for (const part of ['dist', 'schema', 'package.json'])
      cpSync(`${ROOT}${part}`, at(`lib/${part}`), { recursive: true });
    for (const name of Object.keys(JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')).dependencies)) {
      cpSync(`${ROOT}node_modules/${name}`, at(`lib/node_modules/${name}`), { recursive: true });
    }
    const cli = at('lib/dist/cli.js');
    expect(execFileSync(process.execPath, [cli, 'show', file()], { encoding: 'utf8', stdio: 'pipe' })).toBe(
      textOf(TRACES),
    );
    expect(spawnSync(process.execPath, [cli, 'diff', file(), file()]).status).toBe(0);
    for (const words of [['--drop'], ['--latency-summary'], ['--diag'], ['--filter-meta', 'len == 60', '-t', 'ip']])
      expect(spawnSync(process.execPath, [cli, 'show', file(), ...words]).status).toBe(0);
    const { status, stderr } = spawnSync(process.execPath, [cli, 'show', file(), '--filter', 'tcp'], {
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^nettrace: --filter needs the addon, .* it is not here\n {2}without it: /);
    expect(status).toBe(1);
    const program =
      "import { readTraces } from 'nettrace/read'; for await (const { id } of readTraces(process.argv[1])) console.log(id);";
    const library = spawnSync(process.execPath, ['--input-type=module', '-e', program, file()], {
      cwd: at('lib'),
      encoding: 'utf8',
    });
    expect(library.stdout.trim().split('\n')).toEqual(TRACES.map(({ id }) => id));
  });
});

describe('the last packet that was asked for', () => {
  it.for([gzipSync(NDJSON), Buffer.from(NDJSON), spawnSync('zstd', ['-q', '-c'], { input: NDJSON }).stdout])(
    'ends the run, though the pipe is still open',
    async (input, ctx) => {
      ctx.skip(!input, 'there is no command zstd');
      const child = spawn(process.execPath, [CLI, 'show', '-', '-c', '1'], { stdio: ['pipe', 'pipe', 'ignore'] });
      // more than the command zstd waits for before it begins
      for (let i = 0; i < 2; i++) child.stdin.write(input);
      child.stdin.on('error', () => {});
      if (input[0] === 0x28) child.stdin.end();
      expect(await once(child, 'close')).toEqual([0, null]);
    },
  );
});

describe('wrong use of nettrace show', () => {
  it.each([
    [['show'], "missing required argument 'file'", 2],
    [['show', 'missing'], "cannot read 'missing': there is no such file", 1],
    [['show', '.'], "cannot read '.': it is a directory", 1],
    [['show', '-', '-'], 'standard input can be read only once', 2],
    [['show', '-F', '-'], '--follow takes one file by its name', 2],
    [['show', '-F', 'a', 'b'], '--follow takes one file by its name', 2],
    [['show', '-P', 'http', 'x'], "port must be a whole number from 0 to 65535, not 'http'", 2],
    [['show', '-c', '0', 'x'], "count must be a whole number from 1 to 2147483647, not '0'", 2],
    [['show', '--rotate', '1M', '/dev/null'], '--rotate needs a file to rotate', 2],
    [['show', '--backend', 'kprobe', 'x'], "unknown option '--backend'", 2],
    [['--backend', 'kprobe', 'show', 'x'], "option '--backend <name>' is not for nettrace show", 2],
  ])('%j is told in one message', async (words, message, exitCode) => {
    const { code, stdout, stderr } = await nettrace(...words);
    expect(stderr.split('\n')[0]).toBe(`nettrace: ${message}`);
    expect(stdout).toBe('');
    expect(code).toBe(exitCode);
  });

  it('does not write to the file that it reads', async () => {
    const path = file();
    for (const words of [
      ['-o', path],
      ['-o', at('t'), '--rotate', '4K'],
    ]) {
      const input = words.length > 2 ? file(NDJSON, 't.1') : path;
      const { code, stderr } = await nettrace('show', input, '--json', ...words);
      expect(stderr).toContain(`'${input}' is read: it cannot be written at the same time`);
      expect(code).toBe(2);
      expect(readFileSync(input, 'utf8')).toBe(NDJSON);
    }
  });
});

describe('a hostile file', () => {
  it('has nothing reach the terminal, whichever of its names it is in', async () => {
    const evil = '\x1b]0;evil\x07\u202e\n';
    const poison = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(poison);
      if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poison(inner)]));
      }
      return typeof value === 'string' ? `${value}${evil}` : value;
    };
    // a date that is none makes a line no record
    const kept = ['v', 'type', 'proto', 'closed', 'mode', 'name', 'unit', 'date'];
    const lines = RECORDS.map((record) => {
      const bad = poison(record) as Record<string, unknown>;
      for (const key of kept) if (key in record) bad[key] = (record as unknown as Record<string, unknown>)[key];
      let text = JSON.stringify(bad);
      for (const word of ['tcp', 'error', 'freed'])
        text = text.replaceAll(`"${word}${JSON.stringify(evil).slice(1)}`, `"${word}"`);
      return text;
    });
    const path = file(`${lines.join('\n')}\n${evil}`);
    const modes = ['--basic', '--drop', '--monitor', '--sock', '--latency', '--func-stats', '--diag'];
    for (const words of [[], ['--detail', '--date', '--ret', '--hooks'], ['--json'], ...modes.map((mode) => [mode])]) {
      const { stdout, stderr } = await nettrace('show', path, ...words);
      for (const text of [stdout, stderr]) expect(text.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\p{Cc}\u202e]/u);
      if (words.length === 0) expect(stdout).toContain('ip_rcv\\x1b]0;evil\\x07\\u202e\\x0a');
    }
    const { stdout } = await nettrace('diff', path, path);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  });
});

describe('Ctrl-C', () => {
  it('ends --follow with the summary', async () => {
    const path = file();
    setTimeout(() => appendFileSync(path, jsonLine(skbTrace({ id: 'ff', skbs: ['00000000deadbeef'] }))), 1500);
    const { code, stderr } = await interrupt(['show', '-F', path], 'deadbeef');
    expect(stderr).toMatch(/^7 packets, 12 events\n/);
    expect(code).toBe(0);
  });

  it('ends the wait for standard input with the summary', async () => {
    const { code, stderr } = await interrupt(['show', '-'], '40005', 'pipe');
    expect(stderr).toContain(SUMMARY);
    expect(code).toBe(0);
  });

  it('ends the wait for a pipe whose writer is silent', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const writer = spawn('sh', ['-c', 'exec 3>"$0"; cat "$1" >&3; exec sleep 60', at('pipe'), file()], {
      stdio: 'ignore',
    });
    await sleep(20);
    const { code, stderr } = await interrupt(['show', at('pipe')], '40005');
    writer.kill('SIGKILL');
    expect(stderr).toContain(SUMMARY);
    expect(code).toBe(0);
  });
});
