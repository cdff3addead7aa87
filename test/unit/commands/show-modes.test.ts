import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { jsonLine } from '../../../src/sinks/json.js';
import type { TraceEvent } from '../../../src/types.js';
import { nettrace, ROOT } from '../../support/command.js';
import { useFolder } from '../../support/folder.js';
import { RECORDS } from '../../support/output-records.js';
import { skbTrace, traceEvent } from '../../support/traces.js';

// each test starts Node anew
vi.setConfig({ testTimeout: 60_000 });

const at = useFolder();
const TCP = { seq: 1, ack: 2, win: 3, payload: 0 };
const DETAILS = { mark: 5, ifname: 'eth0', ifindex: 2, netns: 4026531840, len: 60 };
const STACK = [{ address: 'ffffffff81000000', symbol: 'tcp_v4_rcv+0x65' }];

/** Two packets to ports 80 and 443; the first is dropped, the second freed when it has been received. */
const TRACES = [80, 443].map((dport, i) =>
  skbTrace({
    id: i.toString(16),
    start: i,
    tuple: { saddr: '10.0.0.1', sport: 40000, daddr: '10.0.0.2', dport },
    events: [
      traceEvent({ t: i, ...DETAILS, mark: i, tcp: { ...TCP, flags: i ? 'A' : 'S' } }),
      traceEvent({
        t: i + 0.0001,
        func: 'nf_hook_slow',
        stage: 'netfilter',
        netfilter: { hook: 'INPUT', hooks: [{ name: 'nft_do_chain' }] },
      }),
      i
        ? traceEvent({ t: i + 0.0005, func: 'consume_skb', stage: 'life' })
        : traceEvent({
            t: i + 0.0005,
            func: 'kfree_skb',
            stage: 'life',
            drop: { location: 'tcp_v4_rcv+0x65', reason: 'NO_SOCKET' },
            owner: { pid: 77, comm: 'nginx' },
            stack: STACK,
            notes: [{ level: 'error', text: 'packet is dropped by kernel' }],
          }),
    ],
  }),
);

let path = '';
beforeEach(() => {
  path = at('t.ndjson');
  writeFileSync(path, TRACES.map(jsonLine).join(''));
});

async function show(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await nettrace('show', path, ...words);
  expect(code, stderr).toBe(0);
  return stdout;
}

const PACKET = 'TCP: 10.0.0.1:40000 -> 10.0.0.2:';

describe('nettrace show in the modes of live traces', () => {
  it('--basic shows a line for each event', async () => {
    expect((await show('--basic')).split('\n').filter((line) => line.startsWith('['))).toHaveLength(6);
  });

  it('--drop shows a line for each drop, with its owner', async () => {
    const line = `[0.000500] ${PACKET}80 *packet is dropped by kernel* owner:nginx-77\n`;
    expect(await show('--drop')).toBe(line);
    expect(await show('--drop', '--drop-stack')).toBe(
      `${line}Call Stack:\n    -> [ffffffff81000000]tcp_v4_rcv+0x65\n\n`,
    );
  });

  it('--monitor shows what is not normal', async () => {
    expect(await show('--monitor')).toMatch(/^\[0\.000500\] \[kfree_skb /);
  });

  it('--explain adds what says so to each verdict, and judges connections at the end', async () => {
    const text = await show('--explain');
    expect(text).toMatch(/^verdict: \w+ \([a-z-]+\): .+$/m);
    expect(text).toMatch(/^connection \S+ -> \S+ \(\d+ packets?\): \w+ \([a-z-]+\): .+\n {2}seen: /m);
    expect(await show()).not.toMatch(/^connection /m);
    const json = await show('--explain', '--json');
    expect(
      json
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).type),
    ).toContain('connection');
  });

  it('--latency shows a line for each packet', async () => {
    const text = await show('--latency', '--min-latency', '200');
    expect(text).toBe(
      `[0.000500] [kfree_skb           ][ip_rcv -> kfree_skb          ] ${PACKET}80 latency: 0.500ms\n`,
    );
    expect(await show('--latency', '--latency-free', '-P', '443')).toContain('latency: 0.500ms');
  });

  it('--latency-summary and --func-stats come at the end', async () => {
    expect(await show('--latency-summary')).toContain('64 -   127us: 1        0.5000');
    expect(await show('--func-stats')).toBe(
      `${[
        ['ip_rcv', 2],
        ['nf_hook_slow', 2],
        ['consume_skb', 1],
        ['kfree_skb', 1],
      ]
        .map(([func, hits]) => `${String(func).padEnd(20)} ${String(hits).padStart(12)}`)
        .join('\n')}\n`,
    );
  });

  it('counts no more packets than were asked for', async () => {
    expect(await show('--latency-summary', '-c', '1')).toMatch(/^latency distribution: +1\n/);
    expect(await show('--basic', '-c', '4', '--json')).toMatch(/^(.*\n){4}$/);
  });

  it('shows hooks and stacks where they are asked for', async () => {
    expect(await show()).not.toContain('hooks:');
    expect(await show('--hooks')).toContain('*hooks: nft_do_chain*');
    expect(await show('--trace-stack', 'ip_rcv')).not.toContain('Call Stack');
    expect(await show('--tiny-show', '--latency-show')).toContain('total latency: 0.500ms');
  });

  it('--diag shows findings, and hooks with them', async () => {
    expect(await show('--diag', '--diag-quiet')).toContain('ERROR happens in kfree_skb(life)');
  });

  it('writes JSON that the schema allows, of every kind of record', async () => {
    const validate = new Ajv2020({ strict: false }).compile(
      JSON.parse(readFileSync(`${ROOT}schema/output.schema.json`, 'utf8')),
    );
    writeFileSync(path, [...TRACES, ...RECORDS].map(jsonLine).join(''));
    const modes = ['basic', 'drop', 'monitor', 'sock', 'rtt', 'rtt-detail', 'latency', 'latency-summary', 'func-stats'];
    for (const mode of modes) {
      const lines = (await show(`--${mode}`, '--json')).trimEnd().split('\n');
      for (const line of lines)
        expect(validate(JSON.parse(line)), `${line} ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });
});

describe('records of another mode', () => {
  it('are named where nothing of them can be shown', async () => {
    writeFileSync(
      path,
      RECORDS.filter(({ type }) => type === 'packet' || type === 'socket')
        .map(jsonLine)
        .join(''),
    );
    const { code, stdout, stderr } = await nettrace('show', path, '--latency');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(
      /^nettrace: nothing to show in this mode of what was read: 1 of --drop, 1 of --rtt-detail\n0 packets/,
    );
  });

  it('are not blamed for what a filter leaves out', async () => {
    const { stderr } = await nettrace('show', path, '--latency', '-P', '1');
    expect(stderr).not.toContain('in this mode');
  });
});

describe('nettrace show with the filters of live traces', () => {
  it.each([
    [['--filter', 'tcp port 80'], ['80']],
    [['--filter', 'tcp[tcpflags] & tcp-ack != 0'], ['443']],
    [['--filter', 'host 10.0.0.2', '-P', '443'], ['443']],
    [['--filter-meta', 'mark == 1 && dev.name == "eth0"'], ['443']],
    [['--netns', '4026531840', '--filter-meta', '!mark'], ['80']],
    [['--netns-current', '--filter', 'udp'], []],
    [
      ['-t', 'tcp-in,life'],
      ['80', '443'],
    ],
    [['-t', 'tcp_v4_rcv'], []],
    [
      ['--trace-exclude', 'life', '--trace-matcher', 'nf'],
      ['80', '443'],
    ],
  ])('%j', async (words, ports) => {
    const heads = (await show(...words)).split('\n').filter((line) => /\d:(80|443) /.test(`${line} `));
    expect([...new Set(heads.map((line) => /10\.0\.0\.2:(\d+)/.exec(line)?.[1]))]).toEqual(ports);
  });

  it.each([
    [['--basic', '--drop'], '--basic and --drop: choose one mode'],
    [['--drop-stack'], '--drop-stack makes no sense without --drop'],
    [['--latency-free'], '--latency-free makes no sense without another mode: it takes no times between functions'],
    [['--sock', '--tcp-flags', 'S'], '--tcp-flags makes no sense with --sock: it sees sockets, not packets'],
    [['--drop', '-t', 'ip_rcv'], '--trace makes no sense with --drop: its functions are fixed'],
    [['--filter-tunnel', 'tcp prot 80'], 'tunnel filter, column 5: syntax error'],
    [['--filter', ''], 'filter expression must not be empty'],
    [['--filter', 'tcp prot 80'], 'filter expression, column 5: syntax error'],
    [
      ['--filter', 'ip[8] < 5'],
      'filter expression: whether packets match depends on the TTL, which traces do not record',
    ],
    [['--filter', 'vlan'], 'filter expression: whether packets match depends on VLAN tags, which traces do not record'],
    [['--filter-meta', 'cb == 3'], "metadata filter, column 1: 'cb' is not recorded in traces;"],
    [['-t', 'no_such'], "unknown function or group 'no_such': nothing that was read has it"],
    [['--trace-exclude', 'all'], 'nothing is left to trace'],
    [['-t', 'ip_rcv,nf', '--trace-exclude', 'netfilter,ip-in'], 'nothing is left to trace'],
    [['-t', 'no_such,ip_*', '--trace-exclude', 'ip_*,no_such'], 'nothing is left to trace'],
    [['--min-latency', 'x'], "--min-latency must be a number, not 'x'"],
  ])('%j is told in one message', async (words, message) => {
    const { code, stdout, stderr } = await nettrace('show', path, ...words);
    expect(stderr.split('\n')[0]).toContain(`nettrace: ${message}`);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

describe('nettrace show with the bytes of packets', () => {
  const OUTER = '4500004400010000401100000a0000010a000002c35012b500300000';
  const VXLAN = '0800000000002a00020000000001024e000000010800';
  const INNER = '450000240001000007110000c0a80001c0a80002c3500035001000004142';
  const tuple = { saddr: '10.0.0.1', sport: 50000, daddr: '10.0.0.2', dport: 4789 };
  const hex = OUTER + VXLAN + INNER;
  const sent = (more: Partial<TraceEvent>) =>
    skbTrace({ proto: 'udp', tuple, events: [traceEvent({ ...DETAILS, ...more })] });
  const record = (more: Partial<TraceEvent>) => writeFileSync(path, jsonLine(sent(more)));

  it.each([
    [['--filter', 'ip[8] = 64 and udp[8] = 8'], true],
    [['--filter', 'ip[8] = 7'], false],
    [['--filter-tunnel', 'src host 192.168.0.1 and ip[8] = 7 and udp[8:2] = 0x4142'], true],
    [['--filter-tunnel', 'ether src 02:4e:00:00:00:01'], true],
    [['--filter-tunnel', 'host 10.0.0.1'], false],
    [['--filter', 'udp port 4789', '--filter-tunnel', 'udp port 53', '--filter-meta', 'mark == 5'], true],
    [['--filter-tunnel', 'udp port 53', '--basic'], true],
  ])('%j', async (words, isShown) => {
    record({ bytes: { link: 'raw', hex, length: hex.length / 2 } });
    expect((await show(...words, '--json')).split('\n').filter(Boolean)).toHaveLength(isShown ? 1 : 0);
  });

  it.each([
    [{}, 'what is inside of tunnels', 'or trace with --json'],
    [
      { bytes: { link: 'raw' as const, hex: OUTER + VXLAN, length: 100, cut: true } },
      'bytes behind the first 50',
      'give it when tracing\n',
    ],
  ])('says what it lacks of a tunnel: %j', async (more, what, advice) => {
    record(more);
    const { code, stdout, stderr } = await nettrace('show', path, '--filter-tunnel', 'udp');
    const line = `nettrace: tunnel filter: whether packets match depends on ${what}, which traces do not record\n`;
    expect(stderr.startsWith(line), stderr).toBe(true);
    expect(stderr).toContain(advice);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('takes no bytes that are none', async () => {
    record({ bytes: { link: 'raw', hex: '4g', length: 1 } });
    const { code, stderr } = await nettrace('show', path);
    expect(stderr).toContain('.bytes.hex has not the form that it must have');
    expect(code).toBe(1);
  });
});
