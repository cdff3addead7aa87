import { expect, it } from 'vitest';
import type { Agent } from '../../support/kernel-agent.js';
import type { Step } from '../../support/kernel-match.js';
import { kernelFrom, type Way } from '../../support/kernel-recording.js';
import type { Scenario } from './scenario.js';

const PORT = 8000;
const CLIENT_PORT = 40001;
const CLOSED_PORT = 8001;
const CLOSED_CLIENT_PORT = 40002;
const DATA = 'a request of thirty-one letters';

const SENT: Step = { func: 'dev_hard_start_xmit', note: 'skb is successfully sent to the NIC driver' };
const SENT_TRACEPOINT: Step = { func: 'net_dev_xmit', note: 'skb is successfully sent to the NIC driver' };

/** Connect, send, receive, close on both sides, step by step. */
async function converse(client: Agent, server: Agent, from: string, to: string): Promise<void> {
  const listener = await server.listen(to, PORT);
  const near = await client.bound(from, CLIENT_PORT);
  await near.call('connect', [to, PORT]);
  const far = await listener.accept();
  await near.call('sendall', DATA);
  expect(await far.call('recv', 100)).toBe(DATA);
  await near.close();
  expect(await far.call('recv', 100)).toBe('');
  await far.close();
  await listener.close();
}

/** Each step on the skb `name`. */
function on(name: string, ...funcs: (string | Step)[]): Step[] {
  return funcs.map((step) => ({ ...(typeof step === 'string' ? { func: step } : step), skb: name }));
}

const OUT_4 = [
  '__ip_queue_xmit',
  '__ip_local_out',
  'ip_output',
  'ip_finish_output',
  'ip_finish_output2',
  '__dev_queue_xmit',
];
const IN_4 = ['__netif_receive_skb_core', 'ip_rcv', 'ip_local_deliver', 'ip_local_deliver_finish', 'tcp_v4_rcv'];
const OUT_6 = ['ip6_xmit', 'ip6_output', 'ip6_finish_output2', '__dev_queue_xmit'];
const IN_6 = ['__netif_receive_skb_core', 'ipv6_rcv', 'ip6_input', 'tcp_v6_rcv'];
const TRACEPOINTS: Step[] = on(
  'sent',
  'net_dev_queue',
  'net_dev_start_xmit',
  'netif_rx',
  SENT_TRACEPOINT,
  'netif_receive_skb',
);

/** TCP keeps the segment, to send it again, and gives a clone to IP: the clone goes all the way. */
function clonedWay(out: string[], into: string[], ...atTheEnd: Step[]): Way {
  return {
    functions: [
      ...on('kept', '__tcp_transmit_skb', { func: 'skb_clone', note: 'packet is cloned' }),
      ...on('sent', ...out, SENT, ...into, ...atTheEnd),
    ],
    tracepoints: TRACEPOINTS,
  };
}

function openingTests(version: 4 | 6, out: string[], into: string[]) {
  return (recorded: Parameters<Scenario['tests']>[0]) => {
    const there = () => {
      const { recording, stage } = recorded();
      const [client, server] =
        version === 4 ? [stage.address('1.1'), stage.address('1.2')] : [stage.address6('1:1'), stage.address6('1:2')];
      const sent = { proto: 'tcp', saddr: client, daddr: server, sport: CLIENT_PORT, dport: PORT } as const;
      const answered = { proto: 'tcp', saddr: server, daddr: client, sport: PORT, dport: CLIENT_PORT } as const;
      return { recording, sent, answered };
    };

    it('shows the SYN from the socket to the listener', () => {
      const { recording, sent } = there();
      const syn = recording.find({ ...sent, flags: 'S' });
      recording.expectWay(syn, clonedWay(out, into, { func: 'tcp_conn_request' }, { func: 'consume_skb' }));
      expect(syn).toMatchObject({ complete: true, closed: 'freed' });
      if (recording.hasFunctions)
        expect(syn.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket', facts: [] });
    });

    it('has the options of the SYN and of the SYN-ACK', () => {
      const { recording, sent, answered } = there();
      for (const one of [recording.find({ ...sent, flags: 'S' }), recording.find({ ...answered, flags: 'SA' })]) {
        const received = one.events.find(({ func }) =>
          ['tcp_v4_rcv', 'tcp_v6_rcv', 'netif_receive_skb'].includes(func),
        );
        expect(received?.tcp).toMatchObject({
          mss: version === 4 ? 1460 : 1440,
          windowScale: expect.any(Number),
          sackPermitted: true,
          tsval: expect.any(Number),
          tsecr: expect.any(Number),
        });
      }
      const echo = recording.find({ ...answered, flags: 'SA' }).events.find(({ tcp }) => tcp?.tsecr)?.tcp?.tsecr;
      expect(echo).toBe(recording.find({ ...sent, flags: 'S' }).events.find(({ tcp }) => tcp?.tsval)?.tcp?.tsval);
    });

    it('shows the ACK that makes the connection', () => {
      const { recording, sent } = there();
      const ack = recording.find({ ...sent, flags: 'A', payload: 0 });
      const note = 'TCP socket state has changed: SYN_RECV -> ESTABLISHED';
      const way = {
        functions: on('ack', '__tcp_transmit_skb', ...out, SENT, ...into, 'tcp_check_req', 'tcp_child_process', {
          func: 'tcp_rcv_state_process',
          note,
        }),
        tracepoints: [...TRACEPOINTS, { func: 'inet_sock_set_state', note, skb: 'sent' }],
      };
      recording.expectWay(ack, way);
      expect(ack.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket' });
    });

    it('shows the data up to the receive queue', () => {
      const { recording, sent } = there();
      const data = recording.find({ ...sent, flags: 'AP', payload: DATA.length });
      const copied: Step = { func: 'skb_copy_datagram_iovec', note: 'data is copied to user space', skb: 'sent' };
      const way = clonedWay(out, into, { func: 'tcp_rcv_established' }, { func: 'tcp_queue_rcv' });
      recording.expectWay(data, { functions: [...way.functions, copied], tracepoints: [...TRACEPOINTS, copied] });
      expect(data.complete).toBe(true);
      expect(data.verdict).toMatchObject({ outcome: 'delivered', cause: 'taken-by-socket', advice: [] });
    });

    it('shows both FINs', () => {
      const { recording, sent, answered } = there();
      for (const direction of [sent, answered]) {
        const fin = recording.find({ ...direction, flags: 'AF' });
        recording.expectWay(fin, clonedWay(out, into));
        expect(fin.complete).toBe(true);
        if (recording.hasFunctions) expect(fin.verdict.outcome).toMatch(/^(delivered|worked)$/);
      }
    });

    it('says where each event was', () => {
      const { recording, sent } = there();
      const syn = recording.find({ ...sent, flags: 'S' });
      const names = syn.events.flatMap(({ ifname }) => (ifname ? [ifname] : []));
      expect([...new Set(names)]).toEqual(['c0', 's0']);
      expect(new Set(syn.events.flatMap(({ netns }) => (netns ? [netns] : []))).size).toBe(2);
    });
  };
}

export const tcp: Scenario = {
  name: 'a TCP connection',
  play: ({ client, server, address }) => converse(client, server, address('1.1'), address('1.2')),
  tests: openingTests(4, OUT_4, IN_4),
};

export const tcp6: Scenario = {
  name: 'a TCP connection over IPv6',
  play: ({ client, server, address6 }) => converse(client, server, address6('1:1'), address6('1:2')),
  tests: openingTests(6, OUT_6, IN_6),
};

export const closedPort: Scenario = {
  name: 'a port that nobody listens on',
  async play({ client, address }) {
    const socket = await client.bound(address('1.1'), CLOSED_CLIENT_PORT);
    await expect(socket.call('connect', [address('1.2'), CLOSED_PORT])).rejects.toThrow('ConnectionRefused');
    await socket.close();
  },
  tests(recorded) {
    it('says that the SYN found no listener, and is answered with a reset', () => {
      const { recording, stage } = recorded();
      const syn = recording.find({ saddr: stage.address('1.1'), dport: CLOSED_PORT, flags: 'S' });
      const drop = { func: 'kfree_skb', note: 'packet is dropped by kernel', skb: 'syn' };
      recording.expectWay(syn, {
        functions: [
          { func: 'tcp_v4_rcv', skb: 'syn' },
          { func: '__inet_lookup_listener', note: 'tcp port is not listened', skb: 'syn' },
          { func: 'tcp_v4_send_reset', note: 'connection reset initiated by the TCP stack', skb: 'syn' },
          drop,
        ],
        tracepoints: [{ func: 'netif_receive_skb', skb: 'syn' }, drop],
      });
      const event = syn.events.find((e) => e.drop);
      expect(event?.drop?.location).toMatch(/^tcp_v4_rcv\+0x/);
      expect(syn.verdict).toMatchObject({ outcome: 'rejected', cause: 'no-listener' });
      expect(syn.verdict.text).toContain('the answer is an RST');
    });

    it('gives NO_SOCKET as the reason where the kernel has reasons', (ctx) => {
      const { recording, stage } = recorded();
      const syn = recording.find({ saddr: stage.address('1.1'), dport: CLOSED_PORT, flags: 'S' });
      const reason = syn.events.find((e) => e.drop)?.drop?.reason;
      if (reason === undefined) ctx.skip('this kernel has no drop reasons');
      expect(reason).toBe('NO_SOCKET');
    });

    it('shows the reset that comes back', () => {
      const { recording, stage } = recorded();
      const reset = recording.find({ saddr: stage.address('1.2'), sport: CLOSED_PORT, dport: CLOSED_CLIENT_PORT });
      expect(reset.events.find((e) => e.tcp)?.tcp?.flags).toBe('AR');
      recording.expectWay(reset, {
        // tcp_reset takes the skb since 5.11
        functions: kernelFrom(5, 11)
          ? on('reset', '__ip_local_out', SENT, 'ip_rcv', 'tcp_v4_rcv', {
              func: 'tcp_reset',
              note: 'connection is reset by the peer',
            })
          : on('reset', '__ip_local_out', SENT, 'ip_rcv', 'tcp_v4_rcv'),
        tracepoints: TRACEPOINTS,
      });
      expect(reset.verdict).toMatchObject({ outcome: 'worked', cause: 'rst-did-its-work' });
    });
  },
};
