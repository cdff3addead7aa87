import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  beginToConnect,
  both,
  connect,
  converse,
  counter,
  expectOnly,
  expectOnlyRecords,
  knock,
  onlyOnRealMachines,
  ping,
  TRACEPOINTS_ONLY,
  watch,
} from '../support/kernel-modes.js';
import { until } from '../support/kernel-topology.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';

const OPEN = 8201;
const CLOSED = 8202;
const FILTERED = 8203;
const FULL = 8204;
const NOBODY = '1.99';

let stage: Stage;
let mine: string[];

beforeAll(async () => {
  stage = await buildStage();
  mine = ['--monitor', '--addr', stage.net.nets.join(',')];
  await must(
    stage.server,
    'nft -f -',
    `table inet t { chain in { type filter hook input priority 0; tcp dport ${FILTERED} drop; }; }`,
  );
});
afterAll(() => stage?.net.close());

describe('nettrace --monitor', () => {
  it('prints nothing for connections, pings and datagrams as they should be', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine), async () => {
      await converse(stage, OPEN);
      await ping(stage, 2);
    });
    expect({ code: text.code, stdout: text.stdout }).toEqual({ code: 0, stdout: 'begin trace...\nend trace...\n' });
    expect(json.stdout).toBe('');
  });

  it('reports a drop, and nothing of other ports', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '-P', String(FILTERED)), async () => {
      const socket = await beginToConnect(stage, FILTERED);
      await knock(stage, CLOSED);
      await socket.close();
    });
    expectOnly(text, 'TCP', FILTERED);
    expectOnlyRecords(json, 'tcp', FILTERED);
    expect(text.lines[0]).toMatch(/\[kfree_skb {11}\] .* flags:S .*nft_do_chain\+0x.*\*packet is dropped by kernel\*$/);
    expect(json.of('packet')[0]).toMatchObject({ mode: 'monitor', event: { func: 'kfree_skb', drop: {} } });
  });

  it('reports a reset where it is sent, with its reason, and where it is received', async (ctx) => {
    onlyOnRealMachines(ctx);
    let from = 0;
    const { text, json } = await watch(both(...mine, '-P', String(CLOSED)), async () => {
      from = await knock(stage, CLOSED);
    });
    expectOnly(text, 'TCP', CLOSED);
    const resets = json.records.filter((one) => {
      const notes = one.type === 'packet' ? one.event.notes : one.type === 'socket' ? one.notes : [];
      return notes.some((note) => /reset/.test(note.text));
    });
    const sent = text.lines.find((line) => line.includes('*connection reset initiated by the TCP stack*'));
    const received = text.lines.find((line) => line.includes('*connection is reset by the peer*'));
    // older kernels have no such tracepoint for segments without a socket
    if (sent)
      expect(sent).toMatch(
        /\[tcp_(v4_)?send_reset {2,6}\] TCP: .* flags:S (\*reason: NO_SOCKET, |\*)state: no socket\*/,
      );
    expect(received).toMatch(
      new RegExp(
        String.raw`\[tcp_receive_reset {3}\] TCP: ${stage.address('1.1')}:${from} -> ${stage.address('1.2')}:${CLOSED} ` +
          String.raw`SYN_SENT CA_\w+ out:\(p1 r0\) unack:\d+ mem:\(w\d+ r0\) timer:\(retrans, \d\.\d{3}s\) `,
      ),
    );
    expect(resets).toHaveLength(sent ? 2 : 1);
    expect(json.of('socket')).toEqual([
      expect.objectContaining({
        func: 'tcp_receive_reset',
        mode: 'monitor',
        socket: expect.objectContaining({ state: 'SYN_SENT' }),
      }),
    ]);
  });

  it('reports the reset of an application that closes with data unread', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: [...mine, '-P', String(OPEN)] }, async () => {
      const { listener, near, far } = await connect(stage, OPEN);
      await near.call('sendall', 'nobody reads this');
      await far.call('recv', 1);
      await far.close();
      await expect(near.call('recv', 100)).rejects.toThrow('ConnectionReset');
      await near.close();
      await listener.close();
    });
    expectOnly(text, 'TCP', OPEN);
    expect(text.stdout).toMatch(/\[tcp_receive_reset {3}\] TCP: .* ESTABLISHED .*\*connection is reset by the peer\*/);
    if (text.hasFunctions)
      expect(text.stdout).toMatch(/\[tcp_send_active_reset\] TCP: .*\*connection is reset from here\*/);
    // freed with the socket: no loss
    expect(text.stdout).not.toContain('dropped');
  });

  it('reports a retransmission, as soon as it is sent', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '-P', String(FILTERED)), async () => {
      const before = await counter(stage.client, 'snmp', 'Tcp RetransSegs');
      const socket = await beginToConnect(stage, FILTERED);
      await until(
        'the SYN is sent again',
        async () => (await counter(stage.client, 'snmp', 'Tcp RetransSegs')) > before,
      );
      await socket.close();
    });
    expectOnly(text, 'TCP', FILTERED);
    const lines = text.lines.filter((line) => line.includes('*packet is retransmitted*'));
    expect(lines).toEqual([
      expect.stringMatching(/\[(tcp_retransmit_skb {2}|__tcp_retransmit_skb)\] TCP: .* flags:S /),
    ]);
    const events = json.of('packet').filter(({ event }) => /retransmit/.test(event.func));
    expect(events).toEqual([
      expect.objectContaining({
        event: expect.objectContaining({ fromSocket: true, tcp: expect.objectContaining({ flags: 'S' }) }),
      }),
    ]);
    // the second SYN is dropped where the first one was
    expect(text.lines.filter((line) => line.includes('*packet is dropped by kernel*'))).toHaveLength(2);
  });

  it('reports a server that does not accept: how long its queue is, and how long it may be', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text, json } = await watch(both(...mine, '-P', String(FULL)), async () => {
      const listener = await stage.server.bound(stage.address('1.2'), FULL);
      await listener.call('listen', 0);
      const first = await stage.client.socket('AF_INET', 'SOCK_STREAM');
      await first.call('connect', [stage.address('1.2'), FULL]);
      const before = await counter(stage.server, 'netstat', 'TcpExt ListenOverflows');
      const second = await beginToConnect(stage, FULL);
      await until(
        'a SYN is turned away',
        async () => (await counter(stage.server, 'netstat', 'TcpExt ListenOverflows')) > before,
      );
      for (const socket of [second, first, listener]) await socket.close();
    });
    if (!text.hasFunctions) {
      expect(text.stderr).toMatch(TRACEPOINTS_ONLY);
      ctx.skip('the SYN of a full accept queue goes without a tracepoint: this needs functions');
    }
    expectOnly(text, 'TCP', FULL);
    expect(text.stdout).toMatch(/\[tcp_conn_request {4}\] TCP: .* flags:S .*\*accept queue is full: 1 of 0\*/);
    expect(json.of('packet').find(({ event }) => event.func === 'tcp_conn_request')?.event.socket).toMatchObject({
      state: 'LISTEN',
      acceptQueue: 1,
      acceptLimit: 0,
    });
  });

  it('reports a neighbour that does not answer, and what waited for it', async (ctx) => {
    onlyOnRealMachines(ctx);
    await must(stage.client, 'sysctl -q -w net.ipv4.neigh.c0.retrans_time_ms=100 net.ipv4.neigh.c0.mcast_solicit=1');
    const { text, json } = await watch(both(...mine), async () => {
      const { status, stdout } = await stage.client.run(['ping', '-c', '1', '-W', '20', stage.address(NOBODY)]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringContaining('Host Unreachable') });
    });
    const failed = text.lines.find((line) => line.includes('[neigh_timer_handler '));
    expect(failed).toMatch(
      new RegExp(String.raw`IP: 0\.0\.0\.0 -> ${stage.address(NOBODY)}.* \*the neighbour does not answer\*$`),
    );
    const [event] = json.of('packet').filter((one) => one.event.func === 'neigh_timer_handler');
    expect(event).toMatchObject({ proto: 'ip', tuple: { daddr: stage.address(NOBODY) }, event: { ifname: 'c0' } });
    expect(event).not.toHaveProperty('skbAddress');
    expect(text.lines.find((line) => line.includes('[kfree_skb '))).toMatch(/ICMP: .*ping request.*dropped by kernel/);
  });

  it('leaves out what is more than --rate-limit a second, and says how much that was', async (ctx) => {
    onlyOnRealMachines(ctx);
    const port = ['-P', String(CLOSED)];
    const runs = { all: [...mine, ...port], ...both(...mine, ...port, '--rate-limit', '4') };
    const { all, text, json } = await watch(runs, async () => {
      for (let i = 0; i < 12; i++) await knock(stage, CLOSED);
    });
    const omitted = json.of('omitted').reduce((sum, { count }) => sum + count, 0);
    expect(omitted).toBeGreaterThan(0);
    expect(json.records.length - json.of('omitted').length + omitted).toBe(all.lines.length);
    const said = [...text.stdout.matchAll(/^\*left out by --rate-limit: (\d+)\*$/gm)].map((match) => Number(match[1]));
    expect(text.lines.length + said.reduce((sum, count) => sum + count, 0)).toBe(all.lines.length);
  });

  it('--rate-limit counts what is shown, and not frees that are no loss', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { address, client } = stage;
    const { limited } = await watch({ limited: [...mine, '--rate-limit', '1'] }, async () => {
      // each answer is freed by kfree_skb, and did its work
      expect(await client.run(['ping', '-q', '-c', '20', '-i', '0.002', address('1.2')])).toMatchObject({ status: 0 });
      await knock(stage, CLOSED);
    });
    expect(limited.lines.length).toBeGreaterThan(0);
  });

  it('says at its start what a kernel with tracepoints only cannot see', async (ctx) => {
    onlyOnRealMachines(ctx);
    const { text } = await watch({ text: mine }, async () => {});
    if (text.hasFunctions) ctx.skip('functions can be attached here');
    expect(text.stderr.split('\n')[0]).toBe(
      'nettrace: this kernel gives tracepoints only: ' +
        'functions, return values and frees inside TCP are not seen (nettrace doctor says why)',
    );
  });
});
