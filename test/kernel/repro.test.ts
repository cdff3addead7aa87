import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureFile } from '../../dist/repro/capture.js';
import {
  type AnyCase,
  builtinCases,
  type CaseResult,
  playCases,
  resolveCases,
  toRecord,
} from '../../dist/repro/index.js';
import { EMULATED } from '../support/machine.js';

// their types are those of src/vitest.ts already
await import(new URL('../../dist/vitest.js', import.meta.url).href);

const file = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const builtin = await builtinCases();
const [own] = await resolveCases([file('test/fixtures/repro/greets.ts')]);
const folder = mkdtempSync(join(tmpdir(), 'nettrace-test-'));
const pcap = join(folder, 'greets.pcap');
const results = new Map<string, CaseResult>();
let failure: unknown;
/** A virtual machine is ours: its settings may be changed too. */
const settings = new Map(EMULATED ? [['machine', 1]] : []);

/** Cases that were not as expected the first time, with what was seen then. */
const again: CaseResult[] = [];

/**
 * Attaching takes half a minute on some emulated kernels, so one run of the tracer plays all cases. An emulated machine may
 * stand still for longer than timers of the kernel allow: there a case that is not as expected is played once more, and
 * what was seen the first time is told.
 */
beforeAll(async () => {
  const capture = new CaptureFile(pcap);
  try {
    const session = playCases([...builtin, own!], {
      settings,
      // most of a case is waiting, for timers of the kernel too
      jobs: EMULATED ? 3 : 1,
      onNetwork: (network, { name }) => (name === own!.name ? capture.begin(network) : async () => {}),
    });
    for await (const result of session) results.set(result.case, result);
    if (!EMULATED) return;
    again.push(...[...results.values()].filter(({ outcome }) => outcome !== 'passed' && outcome !== 'skipped'));
    const names = new Set(again.map((result) => result.case));
    for (const { case: name, reason, checks } of again)
      console.log(`played once more: ${name}`, reason ?? checks.filter(({ status }) => status === 'failed'));
    const repeated = builtin.filter(({ name }) => names.has(name));
    if (repeated.length > 0)
      for await (const result of playCases(repeated, { settings })) results.set(result.case, result);
  } catch (error) {
    failure = error;
  } finally {
    capture.close();
  }
}, 1_200_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** The result of a case; what ended the session fails every test that asks for one. */
function resultOf(name: string): CaseResult {
  const result = results.get(name);
  if (result) return result;
  throw failure ?? new Error(`${name} was not played`);
}

/** Why the case may be skipped here: a machine that was made for these tests has all modules and tools. */
function declaredSkip({ requires = {} }: AnyCase, { outcome, reason = '' }: CaseResult): string | undefined {
  if (outcome !== 'skipped') return undefined;
  const isKernel = requires.kernel !== undefined && reason.startsWith(`it needs Linux ${requires.kernel},`);
  return isKernel || !EMULATED ? reason : undefined;
}

describe('the cases', () => {
  for (const definition of builtin) {
    const { name, title } = definition;
    it(`${name}: ${title}`, (ctx) => {
      const result = resultOf(name);
      const skip = declaredSkip(definition, result);
      ctx.skip(skip !== undefined, skip);
      expect(result.reason).toBeUndefined();
      expect(result.checks.filter(({ status }) => status === 'failed')).toEqual([]);
      expect(result.checks.some(({ status }) => status === 'ok')).toBe(true);
      expect(result.outcome).toBe('passed');
    });
  }

  it('each say something that can be seen without functions, or are skipped there', () => {
    for (const result of results.values())
      if (result.outcome === 'passed') expect(result.checks.map(({ status }) => status)).toContain('ok');
  });

  it('leave no namespace behind', () => {
    for (const { hosts } of results.values())
      for (const { namespace } of hosts) expect(existsSync(`/run/netns/${namespace}`)).toBe(false);
  });

  it('get the traces of their own network only', () => {
    for (const { case: name, hosts, traces } of results.values()) {
      const own = new Set(hosts.map(({ netns }) => netns));
      for (const trace of traces) expect([name, own.has(trace.events[0]!.netns!)]).toEqual([name, true]);
    }
  });

  it('have traces that are complete', () => {
    for (const { case: name, traces } of results.values())
      expect([name, traces.filter(({ complete }) => !complete)]).toEqual([name, []]);
  });

  it('are written as the schema says', () => {
    const validate = new Ajv2020({ strict: false }).compile(
      JSON.parse(readFileSync(file('schema/repro.schema.json'), 'utf8')) as object,
    );
    for (const result of results.values()) {
      expect(validate(JSON.parse(JSON.stringify(toRecord(result)))), JSON.stringify(validate.errors)).toBe(true);
    }
  });
});

/** Counters, the host, whether functions are needed to see what moved them. */
const ACCOUNTED: [name: string, counter: string, host: string, needs?: 'functions'][] = [
  ['time-wait-own-port', 'TcpExtTWRecycled', 'client'],
  ['zero-window', 'TcpExtTCPToZeroWindowAdv', 'server'],
  ['zero-window', 'TcpExtTCPFromZeroWindowAdv', 'server'],
  ['zero-window', 'TcpExtTCPACKSkippedSeq', 'server', 'functions'],
  ['arp-not-answered', 'TcpAttemptFails', 'client', 'functions'],
  ['two-subnets-one-vlan', 'TcpAttemptFails', 'client', 'functions'],
  ['syn-unanswered', 'TcpAttemptFails', 'client', 'functions'],
  ['syn-unanswered', 'TcpExtTCPAbortOnTimeout', 'client', 'functions'],
  ['syn-unanswered', 'TcpExtTCPTimeouts', 'client', 'functions'],
  ['data-unanswered', 'TcpExtTCPAbortOnTimeout', 'client', 'functions'],
  ['data-unanswered', 'TcpEstabResets', 'client', 'functions'],
  ['data-unanswered', 'TcpExtTCPTimeouts', 'client', 'functions'],
  ['user-timeout', 'TcpExtTCPAbortOnTimeout', 'client', 'functions'],
  ['user-timeout', 'TcpRetransSegs', 'client'],
  ['tcp-backlog-full', 'TcpExtTCPRcvCollapsed', 'server', 'functions'],
  ['tcp-receive-buffer-full', 'TcpExtTCPRcvCollapsed', 'server', 'functions'],
  ['udp-receive-buffer-full', 'UdpRcvbufErrors', 'server'],
  ['tcp-receive-buffer-full', 'TcpExtRcvPruned', 'server', 'functions'],
];

describe('counters of the cases are accounted for', () => {
  for (const [name, counter, host, needs] of ACCOUNTED)
    it(`${name}: ${counter} of ${host}`, (ctx) => {
      const result = resultOf(name);
      ctx.skip(result.outcome === 'skipped', result.reason);
      ctx.skip(needs === 'functions' && !result.functions, 'not visible with tracepoints alone');
      const moved = result.counters.find((one) => one.host === host)?.counters.find((one) => one.name === counter);
      ctx.skip(moved === undefined, `${counter} has not moved`);
      // an interrupt while a program ran: what came with it was not looked at
      ctx.skip(result.lost > 0 && moved?.unexplained !== 0, `${result.lost} events were lost`);
      expect(moved).toMatchObject({ unexplained: 0 });
      expect(moved?.evidence).toBeGreaterThan(0);
    });
});

describe("a user's own case in TypeScript", () => {
  it('is played, through a router, by TCP and UDP, IPv4 and IPv6', () => {
    const { outcome, reason, checks } = resultOf('greets');
    expect({ outcome, reason, failed: checks.filter(({ status }) => status === 'failed') }).toEqual({
      outcome: 'passed',
      reason: undefined,
      failed: [],
    });
  });

  it('can be asserted with matchers', async () => {
    const session = resultOf('greets');
    await expect(session).toBeAsExpected();
    await expect(session).toDrop({ flags: 'S', dport: 8001 }, { at: 'tcp_v4_rcv' });
    await expect(session).not.toDrop({ flags: 'S', dport: 8000 }, { at: 'tcp_v4_rcv' });
    await expect(session).toRemain({ state: 'ESTABLISHED', on: 'server' }, 1);
    await expect(session).not.toRemain('TIME_WAIT');
    await expect(session).toRaise('TcpOutRsts', 1, { on: 'server' });
    await expect(session).toHaveVerdict({ flags: 'S', dport: 8001 }, { outcome: 'rejected', cause: 'no-listener' });
    await expect(expect(session).toRaise('TcpOutRsts', 7)).rejects.toThrow(/rises by 7[\s\S]*it rose by 1/);
    if (session.functions) await expect(session).toPass({ flags: 'S', dport: 8000 }, 'ip_forward');
    else
      await expect(expect(session).toPass({ flags: 'S', dport: 8000 }, 'ip_forward')).rejects.toThrow(
        /not visible with tracepoints alone/,
      );
  });

  it('has its packets in a file that tcpdump reads, each once on each link', () => {
    resultOf('greets');
    const { stdout, stderr } = spawnSync('tcpdump', ['-nr', pcap, 'tcp[tcpflags] == tcp-syn'], { encoding: 'utf8' });
    const lines = stdout.split('\n').filter(Boolean);
    // two SYNs on two links
    expect(lines, stderr).toHaveLength(4);
    expect(lines.filter((line) => line.includes('> 10.0.1.2.8001: Flags [S]'))).toHaveLength(2);
    const arp = spawnSync('tcpdump', ['-nr', pcap, 'arp'], { encoding: 'utf8' }).stdout;
    expect(arp).toMatch(/Reply 10\.0\.1\.2 is-at 02:00:0a:00:01:02/);
  });
});
