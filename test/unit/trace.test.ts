import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, expect, it, type TestContext } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { requireTraceable } from '../../src/load/preflight.js';
import type { TraceOptions } from '../../src/options.js';
import { trace } from '../../src/trace.js';
import type { SkbTrace } from '../../src/types.js';
import { nettrace, ROOT } from '../support/command.js';

/** Skips the test where nothing can be traced, with the reason that a user would be told. */
async function needTracing(ctx: TestContext): Promise<void> {
  try {
    requireTraceable();
  } catch (error) {
    ctx.skip((error as Error).message);
  }
  const { code, stdout } = await nettrace('doctor', '--json');
  ctx.skip(code !== 0, `nettrace doctor: ${(JSON.parse(stdout) as { error?: string }).error}`);
}

describe('the library', () => {
  it('tells wrong options from ready and from the iteration, as the same error', async () => {
    const run = trace({ port: ['http'] });
    const [ready, iteration] = await Promise.allSettled([run.ready, run[Symbol.asyncIterator]().next()]);
    expect(ready).toMatchObject({ status: 'rejected', reason: expect.any(UsageError) });
    expect(iteration).toEqual(ready);
  });

  it.each([
    [{ port: '9000' }, "the option port must be an array of numbers, or of strings such as 8000-8010, not '9000'"],
    [{ port: 9000 }, 'the option port must be an array of numbers, or of strings such as 8000-8010, not 9000'],
    [{ dport: [null] }, /^the option dport must be an array of numbers, .*, not \[ null \]$/],
    [{ addr: '127.0.0.1' }, "the option addr must be an array of strings, not '127.0.0.1'"],
    [{ tcpFlags: 'S' }, "the option tcpFlags must be an array of strings, not 'S'"],
    [{ trace: 'tcp' }, "the option trace must be an array of strings, not 'tcp'"],
    [{ netns: 5 }, 'the option netns must be a string or an array of strings, not 5'],
    [{ proto: true }, 'the option proto must be a string or a number, not true'],
    [{ expression: 5 }, 'the option expression must be a string, not 5'],
    [{ ifname: 5 }, 'the option ifname must be a string, not 5'],
    [{ comm: 5 }, 'the option comm must be a string, not 5'],
    [{ btfPath: new URL('file:///x') }, /^the option btfPath must be a string, not URL/],
    [{ netnsCurrent: 'no' }, "the option netnsCurrent must be true or false, not 'no'"],
    [{ detail: 5 }, 'the option detail must be true or false, not 5'],
    [{ minLatency: '5' }, "the option minLatency must be a number, not '5'"],
    [{ count: null }, 'the option count must be a number, not null'],
    [{ signal: {} }, 'the option signal must be an AbortSignal, not {}'],
    [{ signal: new AbortController() }, /^the option signal must be an AbortSignal, not AbortController/],
    [{ netns: '1', netnsCurrent: true }, 'netns and netnsCurrent are both given'],
    [{ prot: 'tcp' }, "there is no option 'prot'"],
    [{ constructor: 1 }, "there is no option 'constructor'"],
    [null, 'the options must be an object, not null'],
    ['x', "the options must be an object, not 'x'"],
    [['x'], "the options must be an object, not [ 'x' ]"],
  ])('refuses %j with the option, the rule and what came', async (options, message) => {
    // what the types forbid, JavaScript can send
    const run = trace(options as TraceOptions);
    const [ready, iteration] = await Promise.allSettled([run.ready, run[Symbol.asyncIterator]().next()]);
    expect(ready).toMatchObject({ status: 'rejected', reason: expect.any(UsageError) });
    const { reason } = ready as PromiseRejectedResult;
    if (typeof message === 'string') expect(reason.message).toBe(message);
    else expect(reason.message).toMatch(message);
    expect(iteration).toEqual(ready);
    run.stop();
  });

  it('of a run whose signal came first rejects ready with its reason, and ends the iteration', async () => {
    for (const reason of [undefined, new Error('enough')]) {
      const signal = AbortSignal.abort(reason);
      const run = trace({ signal });
      run.stop();
      await expect(run.ready).rejects.toBe(signal.reason);
      expect(await run[Symbol.asyncIterator]().next()).toEqual({ value: undefined, done: true });
      expect(() => run.addNamespace(1)).toThrow('the run has ended');
    }
  });

  it('makes no noise of its own where only the iteration is looked at', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    try {
      await expect(async () => {
        for await (const _ of trace({ count: 0 }));
      }).rejects.toThrow('count must be');
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });

  it('can be stopped after it failed, and told of nothing lost', async () => {
    const run = trace({ pid: -1 });
    await expect(run.ready).rejects.toThrow(UsageError);
    run.stop();
    run.stop();
    expect(run.statistics()).toMatchObject({ produced: 0, delivered: 0, malformed: 0, orphans: 0, queueFull: 0 });
  });

  it('traces a packet for a program that imports it by name, and ends when its signal says so', {
    timeout: 60_000,
  }, async (ctx) => {
    await needTracing(ctx);
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const program = spawn(process.execPath, ['test/support/library-user.mjs', String(port)], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    program.stderr.on('data', (bytes) => {
      stderr += bytes;
    });
    const ended = once(program, 'close');
    const client = createSocket('udp4');
    const lines: string[] = [];
    for await (const line of createInterface({ input: program.stdout })) {
      lines.push(line);
      if (line === 'ready') client.send('hello', port, '127.0.0.1');
    }
    client.close();
    server.close();
    expect(stderr).toBe('');
    expect(await ended).toEqual([0, null]);
    expect(lines[0]).toBe('ready');
    const packets = lines.slice(1, -1).map((line) => JSON.parse(line) as SkbTrace);
    expect(packets.length).toBeGreaterThan(0);
    for (const packet of packets) {
      expect(packet).toMatchObject({ v: 1, proto: 'udp', tuple: { daddr: '127.0.0.1', dport: port } });
      expect(packet.events.length).toBeGreaterThan(0);
    }
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ malformed: 0, ringFull: 0 });
  });
});
