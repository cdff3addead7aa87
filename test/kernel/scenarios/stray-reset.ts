import { expect, it } from 'vitest';
import type { Agent, AgentSocket, Segment } from '../../support/kernel-agent.js';
import { KERNEL, kernelFrom } from '../../support/kernel-recording.js';
import { until } from '../../support/kernel-topology.js';
import type { Scenario, Stage } from './scenario.js';

const PORT = 8010;
const FIRST_CLIENT_PORT = 41000;
/** Not an address of the client's kernel, which would answer the SYN-ACK with a reset of its own. */
const CLIENT = '1.77';
const ISN = 1000;
const TIMESTAMP = 100_000;
const ETH_P_IP_IN_NETWORK_ORDER = 0x0008;
const ESTABLISHED = '01';

interface Case {
  text: string;
  /** The RST's timestamp; null: the RST has none. */
  timestamp: number | null;
  /** The ACK goes first. */
  handshake?: boolean;
  refused: boolean;
}

/** A health checker's RST overtakes the last ACK of its handshake. */
const CASES: readonly Case[] = [
  { text: 'a handshake, then RST', timestamp: TIMESTAMP + 2, handshake: true, refused: false },
  { text: "an RST with the SYN's timestamp, then ACK", timestamp: TIMESTAMP, refused: false },
  { text: 'an RST without timestamp, then ACK', timestamp: null, refused: false },
  { text: 'an RST with timestamp 0, then ACK', timestamp: 0, refused: true },
  { text: 'an RST with an older timestamp, then ACK', timestamp: TIMESTAMP - 1000, refused: true },
];

interface Seen {
  embryonicRsts: number;
  pawsEstab: number;
  established: boolean;
  /** Flags of the server's answer to the ACK. */
  answer: string | undefined;
}
const seen: Seen[] = [];

/** Counters of TcpExt in the agent's namespace. */
async function counters(agent: Agent): Promise<Pick<Seen, 'embryonicRsts' | 'pawsEstab'>> {
  const lines = (await agent.read('/proc/net/netstat')).split('\n').filter((line) => line.startsWith('TcpExt:'));
  const [names = [], values = []] = lines.map((line) => line.split(' '));
  const value = (name: string) => Number(values[names.indexOf(name)]);
  return { embryonicRsts: value('EmbryonicRsts'), pawsEstab: value('PAWSEstab') };
}

async function isEstablished(agent: Agent, clientPort: number): Promise<boolean> {
  const port = (n: number) => n.toString(16).toUpperCase().padStart(4, '0');
  const rows = (await agent.read('/proc/net/tcp')).split('\n').map((line) => line.trim().split(/\s+/));
  return rows.some(
    ([, local, peer, state]) =>
      local?.endsWith(`:${port(PORT)}`) && peer?.endsWith(`:${port(clientPort)}`) && state === ESTABLISHED,
  );
}

async function receive(client: Agent, sniffer: AgentSocket, port: number): Promise<{ flags: string; seq: number }> {
  return (await client.ask('receive_segment', { name: sniffer.name, port })) as { flags: string; seq: number };
}

async function playCase(stage: Stage, sniffer: AgentSocket, one: Case, clientPort: number): Promise<Seen> {
  const { client, server, address } = stage;
  const send = (flags: string, seq: number, ack: number, options: Segment['options']) =>
    client.sendSegment({
      src: address(CLIENT),
      dst: address('1.2'),
      sport: clientPort,
      dport: PORT,
      flags,
      seq,
      ack,
      options,
    });
  const before = await counters(server);
  await send('S', ISN, 0, [
    ['MSS', 1460],
    ['Timestamp', [TIMESTAMP, 0]],
  ]);
  const synAck = await receive(client, sniffer, clientPort);
  expect(synAck.flags).toBe('SA');
  const sendAck = () => send('A', ISN + 1, synAck.seq + 1, [['Timestamp', [TIMESTAMP + 1, 0]]]);
  const sendReset = () => send('R', ISN + 1, 0, one.timestamp === null ? [] : [['Timestamp', [one.timestamp, 0]]]);
  let answer: string | undefined;
  if (one.handshake) {
    await sendAck();
    await until('the connection stands', () => isEstablished(server, clientPort));
    await sendReset();
    await until('the connection is gone', async () => !(await isEstablished(server, clientPort)));
  } else {
    await sendReset();
    await sendAck();
    if (one.refused) await until('the connection stands', () => isEstablished(server, clientPort));
    else answer = (await receive(client, sniffer, clientPort)).flags;
  }
  const after = await counters(server);
  return {
    embryonicRsts: after.embryonicRsts - before.embryonicRsts,
    pawsEstab: after.pawsEstab - before.pawsEstab,
    established: await isEstablished(server, clientPort),
    answer,
  };
}

/** The reason that this kernel gives, by the version that began to. */
function reasons() {
  const notSpecified = kernelFrom(5, 17) ? 'NOT_SPECIFIED' : undefined;
  return {
    worked: notSpecified,
    refused: kernelFrom(6, 15) ? 'TCP_RFC7323_PAWS' : notSpecified,
    ack: kernelFrom(6, 12) ? 'TCP_FLAGS' : notSpecified,
  };
}

export const strayReset: Scenario = {
  name: `a stray RST in a handshake, on Linux ${KERNEL.join('.')}`,
  async play(stage) {
    const { net, client, server, address } = stage;
    const link = JSON.parse((await client.run(['ip', '-j', 'link', 'show', 'c0'])).stdout) as [{ address: string }];
    net.ip('server', `neighbour replace ${address(CLIENT)} lladdr ${link[0].address} dev s0 nud permanent`);
    const listener = await server.listen(address('1.2'), PORT);
    const sniffer = await client.socket('AF_PACKET', 'SOCK_DGRAM', ETH_P_IP_IN_NETWORK_ORDER);
    await sniffer.call('bind', ['c0', 0x0800]);
    for (const [i, one] of CASES.entries()) seen.push(await playCase(stage, sniffer, one, FIRST_CLIENT_PORT + i));
    await sniffer.close();
    await listener.close();
  },
  tests(recorded) {
    for (const [i, one] of CASES.entries()) {
      const segment = (flags: string) => {
        const { recording, stage } = recorded();
        const sport = FIRST_CLIENT_PORT + i;
        return {
          recording,
          trace: recording.find({
            saddr: stage.address(CLIENT),
            daddr: stage.address('1.2'),
            sport,
            dport: PORT,
            flags,
          }),
        };
      };

      it(`${one.text}: ${one.refused ? 'an ESTABLISHED socket stays behind' : 'no socket is left'}`, () => {
        recorded();
        expect(seen[i]).toEqual({
          embryonicRsts: one.handshake || one.refused ? 0 : 1,
          pawsEstab: one.refused ? 1 : 0,
          established: one.refused,
          answer: one.handshake || one.refused ? undefined : 'R',
        });
      });

      if (one.handshake) {
        it(`${one.text}: the RST ends the connection, and nothing is dropped`, () => {
          const { recording, trace } = segment('R');
          if (recording.hasFunctions)
            recording.expectWay(trace, {
              // tcp_reset takes the skb since 5.11
              functions: [{ func: 'tcp_rcv_established' }, ...(kernelFrom(5, 11) ? [{ func: 'tcp_reset' }] : [])],
              tracepoints: [],
            });
          expect(trace.events.filter((e) => e.drop)).toEqual([]);
          expect(trace.verdict).toMatchObject({ outcome: 'worked', cause: 'rst-did-its-work' });
        });
        continue;
      }

      it(`${one.text}: tcp_v4_rcv frees the RST, with this kernel's reason`, () => {
        const { recording, trace } = segment('R');
        const drop = trace.events.find((e) => e.drop)?.drop;
        expect(drop?.location).toMatch(/^tcp_v4_rcv\+0x/);
        expect(drop?.reason).toBe(one.refused ? reasons().refused : reasons().worked);
        recording.expectWay(trace, {
          functions: [
            { func: 'tcp_v4_rcv', skb: 'p' },
            { func: 'tcp_check_req', skb: 'p', with: { socket: expect.objectContaining({ tsRecent: TIMESTAMP }) } },
            { func: 'kfree_skb', skb: 'p' },
          ],
          tracepoints: [
            { func: 'netif_receive_skb', skb: 'p' },
            { func: 'kfree_skb', skb: 'p' },
          ],
        });
      });

      it(`${one.text}: the verdict is that the RST ${one.refused ? 'was refused by PAWS' : 'did its work'}`, () => {
        const { recording, trace } = segment('R');
        const { outcome, cause, evidence } = trace.verdict;
        expect({ outcome, cause }).toEqual(
          one.refused
            ? { outcome: 'dropped', cause: 'paws-reject-in-handshake' }
            : { outcome: 'worked', cause: 'rst-did-its-work' },
        );
        const drop = trace.events.find((e) => e.drop)?.drop;
        expect(drop?.noLoss === undefined).toBe(one.refused);
        if (!recording.hasFunctions) return;
        const numbers = evidence.join('\n');
        if (one.refused) expect(numbers).toContain(`timestamp ${one.timestamp} is older than ts_recent ${TIMESTAMP}`);
        expect(numbers).toContain(`the request is ${one.refused ? 'still there' : 'gone'} afterwards`);
      });

      it(`${one.text}: the verdict on the ACK is that ${one.refused ? 'a socket took it' : 'no connection was there'}`, () => {
        const { outcome, cause } = segment('A').trace.verdict;
        expect({ outcome, cause }).toEqual(
          one.refused
            ? { outcome: 'delivered', cause: 'taken-by-socket' }
            : { outcome: 'rejected', cause: 'no-connection' },
        );
      });

      it(`${one.text}: the ACK ${one.refused ? 'makes the connection' : 'finds no request and is answered with a reset'}`, () => {
        const { recording, trace } = segment('A');
        const drop = trace.events.find((e) => e.drop)?.drop;
        const established = 'SYN_RECV -> ESTABLISHED';
        if (one.refused) {
          expect(drop).toBeUndefined();
          recording.expectWay(trace, {
            functions: [
              { func: 'tcp_check_req' },
              { func: 'tcp_child_process' },
              { func: 'tcp_rcv_state_process', note: established },
            ],
            tracepoints: [{ func: 'inet_sock_set_state', note: established }],
          });
          return;
        }
        expect(drop?.location).toMatch(/^tcp_v4_do_rcv\+0x/);
        expect(drop?.reason).toBe(reasons().ack);
        if (recording.hasFunctions)
          recording.expectWay(trace, {
            functions: [{ func: 'tcp_v4_do_rcv' }, { func: 'tcp_v4_send_reset' }, { func: 'kfree_skb' }],
            tracepoints: [],
          });
      });
    }
  },
};
