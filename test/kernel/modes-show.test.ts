import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Agent } from '../support/kernel-agent.js';
import {
  beginToConnect,
  both,
  converse,
  expectOnly,
  expectOnlyRecords,
  knock,
  type Output,
  onlyOnRealMachines,
  ping,
  watch,
} from '../support/kernel-modes.js';
import { kernelFrom } from '../support/kernel-recording.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const PORT = 8501;
const OTHER_PORT = 8502;
const FILTERED = 8503;
const CLOSED = 8504;
const TABLE = 'a_table';
const CHAIN = 'a_chain';

let stage: Stage;
let nets: string;

beforeAll(async () => {
  stage = await buildStage();
  nets = stage.net.nets.join(',');
  await must(
    stage.server,
    'nft -f -',
    `table inet ${TABLE} { chain ${CHAIN} { type filter hook input priority 0; tcp dport ${FILTERED} drop; }; }`,
  );
});
afterAll(() => stage?.net.close());

/** A SYN that a rule drops. */
async function sendIntoRule(): Promise<void> {
  await (await beginToConnect(stage, FILTERED)).close();
}

/** Frames of the call stack that belongs to a function's line. */
function stackOf(output: Output, func: string): string[] {
  const lines = output.stdout.split('\n');
  const at = lines.findIndex((line) => line.includes(`[${func.padEnd(20)}]`));
  if (lines[at + 1] !== 'Call Stack:') return [];
  const rest = lines.slice(at + 2);
  return rest.slice(0, rest.indexOf(''));
}

describe('nettrace --basic', () => {
  it('prints each function by itself, at once, and only of that port', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--basic', '--addr', nets, '-p', 'tcp', '-P', String(PORT)];
    const { text, json } = await watch(both(...words), async () => {
      await converse(stage, PORT);
      await converse(stage, OTHER_PORT);
      await ping(stage);
    });
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
    expect(text.blocks).toEqual([]);
    for (const line of text.lines)
      expect(line).toMatch(/^\[\d+\.\d{6}\] \[\w+ *\] TCP: \S+ -> \S+ seq:\d+, ack:\d+, flags:[A-Z]*( \*[^*]+\*)*$/);
    expect(new Set(json.of('packet').map(({ mode }) => mode))).toEqual(new Set(['basic']));
    expect(json.records).toHaveLength(text.lines.length);
    const flags = new Set(json.of('packet').map(({ event }) => event.tcp?.flags));
    for (const each of ['S', 'SA', 'A', 'AP', 'AF']) expect(flags).toContain(each);
  });

  it('counts lines with -c', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--basic', '--addr', nets, '-p', 'icmp', '-c', '3'] }, async (clis) => {
      await ping(stage, 2);
      await clis.text.ended;
    });
    expect(text.code).toBe(0);
    expect(text.lines).toHaveLength(3);
  });
});

describe('nettrace --diag', () => {
  it('says what, where and why, and what to do, and ends at the first error', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--diag', '--addr', nets, '-P', String(FILTERED)] }, async (clis) => {
      await sendIntoRule();
      await clis.text.ended;
    });
    expect(text.code).toBe(0);
    expectOnly(text, 'TCP', FILTERED);
    expect(text.blocks).toHaveLength(1);
    const analysis = text.stdout.slice(text.stdout.indexOf('---------------- ANALYSIS RESULT'));
    expect(analysis).toMatch(/^-{16} ANALYSIS RESULT -{21}\n\[1\] ERROR happens in \w+\(\w+\):\n\t/);
    const reason = kernelFrom(5, 19) ? String.raw` {4}drop reason:\n\tNETFILTER_DROP\n` : '';
    expect(analysis).toMatch(
      new RegExp(
        String.raw`\[\d\] ERROR happens in kfree_skb\(life\):\n\tpacket is dropped by kernel\n` +
          String.raw` {4}location:\n\t\w+\+0x[0-9a-f]+( \[\w+\])?\n${reason} {4}fix advice:\n\t.*(nft|netfilter).*\n`,
      ),
    );
    expect(analysis).toMatch(/\n\nanalysis finished!\nend trace\.\.\.\n$/);
  });

  it('--diag-quiet --diag-keep shows all packets with an error, and no others', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--diag', '--diag-quiet', '--diag-keep', '--addr', nets, '-p', 'tcp'];
    const { text, json } = await watch(both(...words), async () => {
      await sendIntoRule();
      await converse(stage, PORT);
      await knock(stage, CLOSED);
    });
    expect(text.blocks.map((block) => /:(\d+) seq/.exec(block)?.[1])).toEqual(
      expect.arrayContaining([String(FILTERED), String(CLOSED)]),
    );
    expect(text.stdout).not.toContain(`:${PORT} `);
    expect(text.stdout).not.toContain('analysis finished!');
    for (const block of text.blocks) expect(block).toMatch(/\[1\] (ERROR|WARNING) happens in /);
    for (const { findings } of json.of('trace')) expect(findings?.length).toBeGreaterThan(0);
    for (const { events } of json.of('trace'))
      expect(events.flatMap(({ notes }) => notes.map(({ level }) => level))).toEqual(
        expect.arrayContaining([expect.stringMatching(/^(error|warning)$/)]),
      );
  });

  it('--diag-quiet -c counts what it shows, not the packets that it hides', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--diag', '--diag-quiet', '--diag-keep', '--addr', nets, '-p', 'tcp', '-c', '1'];
    const { text } = await watch({ text: words }, async (clis) => {
      await converse(stage, PORT);
      await sendIntoRule();
      await clis.text.ended;
    });
    expect(text.code).toBe(0);
    expect(text.blocks).toHaveLength(1);
    expect(text.blocks[0]).toContain(`:${FILTERED} `);
  });

  it('--hooks names the functions at the netfilter hook, and the one to blame', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--diag', '--hooks', '--addr', nets, '-P', String(FILTERED)];
    const { text } = await watch({ text: words }, async (clis) => {
      await sendIntoRule();
      await clis.text.ended;
    });
    if (!text.hasFunctions) ctx.skip('hooks are read in nf_hook_slow, and this kernel gives tracepoints only');
    expect(text.stdout).toMatch(/\[nf_hook_slow {8}\] .*\*hooks: .*\w+ \(blamed\).*\*/);
    expect(text.stdout).toMatch(
      /\n\n {4}following hook functions are blamed:\n\tnft_do_chain_inet( \[\w+\])? <- returned the verdict\n/,
    );
  });
});

describe('lines that are longer or shorter', () => {
  it('--trace-stack shows the way to the function: itself or its caller first, and no frame of the tracer', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--addr', nets, '-p', 'icmp', '--trace-stack', 'consume_skb,netif_receive_skb'];
    const { text, json } = await watch(both(...words), () => ping(stage));
    expectOnly(text, 'ICMP');
    for (const [func, first] of [
      ['consume_skb', /^(consume_skb|icmp_rcv)\+0x/],
      ['netif_receive_skb', /^__netif_receive_skb(_core)?[\w.]*\+0x/],
    ] as const) {
      const frames = stackOf(text, func);
      expect(frames.length, func).toBeGreaterThan(3);
      for (const frame of frames) expect(frame).toMatch(/^ {4}-> \[[0-9a-f]{16}\]\S+( \[\w+\])?$/);
      const symbols = frames.map((frame) => frame.replace(/^.*\]/, ''));
      expect(symbols[0]).toMatch(first);
      expect(symbols.join('\n')).not.toMatch(/bpf|__traceiter|kprobe|ftrace|fprobe/);
    }
    const withStack = json
      .of('trace')
      .flatMap(({ events }) => events.filter(({ stack }) => stack).map(({ func }) => func));
    expect(new Set(withStack)).toEqual(new Set(['consume_skb', 'netif_receive_skb']));
  });

  it('--trace-exclude leaves functions out, frees too, and packets still end', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { json } = await watch(
      { json: ['--json', '--addr', nets, '-p', 'icmp', '--trace-exclude', 'netif_rx,enqueue_to_backlog,consume_skb'] },
      () => ping(stage, 2),
    );
    const traces = json.of('trace');
    expect(traces).toHaveLength(4);
    for (const { events, closed } of traces) {
      expect(closed).toBe('freed');
      for (const { func } of events) expect(['netif_rx', 'enqueue_to_backlog', 'consume_skb']).not.toContain(func);
    }
  });

  it('--trace-noclone leaves clones to themselves', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--trace-noclone', '--addr', nets, '-P', String(PORT)] }, () =>
      converse(stage, PORT).then(() => {}),
    );
    expectOnly(text, 'TCP', PORT);
    for (const block of text.blocks) expect(block).toMatch(/^\*{17} [0-9a-f]{8} \*{15}\n/);
    expect(text.stdout).not.toContain('packet is cloned');
  });

  it('--ret prints return values', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--ret', '--addr', nets, '-p', 'icmp'] }, () => ping(stage));
    expectOnly(text, 'ICMP');
    expect(text.stdout).toMatch(/\[(net_dev_xmit {8}|dev_hard_start_xmit )\] .* ret:0 \*skb is successfully sent/);
  });

  it('--detail says where, and which process has the socket', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: ['--detail', '--addr', nets, '-p', 'tcp', '-D', String(PORT)] }, () =>
      converse(stage, PORT).then(() => {}),
    );
    expectOnly(text, 'TCP', PORT);
    const head = String.raw`^\[\d+\.\d{6}\] \[[0-9a-f]{8}\]\[\w+ *\]\[cpu:\d+ *\]\[(c0|s0)? *\]\[(.+-\d+|no owner)\]\[ns:\d*\] TCP: `;
    for (const line of text.lines) expect(line).toMatch(new RegExp(head));
    const inode = (node: string) => statSync(`/run/netns/${stage.net.namespace(node)}`).ino;
    const sent = text.lines.filter((line) => line.includes('][c0   ]'));
    expect(sent.length).toBeGreaterThan(3);
    for (const line of sent) expect(line).toContain(`[python3-${stage.client.pid}][ns:${inode('client')}]`);
    expect(text.lines.some((line) => line.includes(`][ns:${inode('server')}]`))).toBe(true);
    expect(text.lines[0]).toMatch(/flags:S, win:\d+, mss:1460, wscale:\d+, sackOK, ts:\d+, ecr:0, len:\d+/);
  });

  it('--tiny-show has the packet on the first line only, and --date the time of day', async (ctx) => {
    onlyOnRealMachines(ctx);
    const before = new Date();
    const { text } = await watch(
      { text: ['--tiny-show', '--date', '--addr', nets, '-p', 'tcp', '-P', String(FILTERED)] },
      () => sendIntoRule(),
    );
    const [head, first, ...rest] = text.blocks[0]?.split('\n').filter(Boolean) ?? [];
    const time = String.raw`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d{6}\] \[\w+ *\]`;
    expect(head).toMatch(/^\*{17} [0-9a-f,]+ \*{15}$/);
    expect(first).toMatch(new RegExp(`${time} TCP: .* flags:S`));
    const [, date = ''] = new RegExp(time).exec(first ?? '') ?? [];
    expect(new Date(date).getTime()).toBeGreaterThan(before.getTime() - 5000);
    expect(new Date(date).getTime()).toBeLessThan(Date.now() + 5000);
    const lines = rest.filter((line) => line.startsWith('['));
    expect(lines.length).toBeGreaterThan(3);
    // only a drop says more than where it was
    for (const line of lines.filter((one) => !one.includes('dropped'))) expect(line).toMatch(new RegExp(`${time}$`));
    expect(lines.filter((line) => line.includes('*packet is dropped by kernel*'))).toHaveLength(1);
  });
});

describe('packets of one process among several', () => {
  const NAME = `mode-${process.pid}`;
  let other: Agent;

  beforeAll(async () => {
    other = await Agent.start(stage.net.namespace('client'));
    await other.ask('rename', { comm: NAME });
  });
  afterAll(() => other?.stop());

  /** Both talk to the same server, in the same range of ports. */
  async function bothTalk(): Promise<{ mine: number; others: number }> {
    const mine = await converse(stage, PORT);
    return { mine, others: await converse({ ...stage, client: other }, OTHER_PORT) };
  }

  it('--pid shows those of that process', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--addr', nets, '-P', `${PORT}-${OTHER_PORT}`, '--pid', String(stage.client.pid)];
    const { text, json } = await watch(both(...words), async () => {
      await bothTalk();
    });
    expectOnly(text, 'TCP', PORT);
    expectOnlyRecords(json, 'tcp', PORT);
  });

  it('--comm shows those of processes of that name', async (ctx) => {
    onlyOnRealMachines(ctx);
    const words = ['--addr', nets, '-P', `${PORT}-${OTHER_PORT}`, '--comm', NAME];
    const { text, json } = await watch(both(...words), async () => {
      await bothTalk();
    });
    expectOnly(text, 'TCP', OTHER_PORT);
    expectOnlyRecords(json, 'tcp', OTHER_PORT);
  });
});
