import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NettraceError, type TraceOptions } from '../../dist/index.js';
import type { AgentSocket } from '../support/kernel-agent.js';
import { expectOrderedSubset } from '../support/kernel-match.js';
import { kernelFrom, type Recording, record } from '../support/kernel-recording.js';
import { Topology } from '../support/kernel-topology.js';
import { EMULATED } from '../support/machine.js';

const PORT = 8000;
const FUNCTIONS = ['__netif_receive_skb_core', 'ip_rcv', 'tcp_v4_rcv', '__inet_lookup_listener', 'tcp_conn_request'];

/** `here` says where a test machine's kernel must have it; elsewhere it may be missing. */
const BACKENDS = [
  { backend: 'fentry', here: EMULATED, probes: FUNCTIONS },
  { backend: 'kprobe', here: EMULATED, probes: FUNCTIONS },
  { backend: 'kprobe-multi', here: EMULATED && kernelFrom(6, 12), probes: FUNCTIONS },
  { backend: 'tracepoint', here: true, probes: ['net_dev_queue', 'netif_receive_skb', 'kfree_skb'] },
] as const;

let net: Topology;
let listener: AgentSocket;

beforeAll(async () => {
  net = new Topology();
  net.add('solo');
  net.ip('solo', `address add ${net.v4}.9.1/24 dev lo`);
  listener = await (await net.agent('solo')).listen(`${net.v4}.9.1`, PORT);
});
afterAll(() => net?.close());

async function connect(): Promise<void> {
  const address = `${net.v4}.9.1`;
  const socket = await (await net.agent('solo')).socket('AF_INET', 'SOCK_STREAM');
  await socket.call('connect', [address, PORT]);
  await (await listener.accept()).close();
  await socket.close();
}

describe.each(BACKENDS)('the backend $backend', ({ backend, here, probes }) => {
  it('attaches what it is told to, and shows a SYN', async (ctx) => {
    let recording: Recording;
    try {
      recording = await record({ backend, trace: [...probes], addr: net.nets }, connect);
    } catch (error) {
      if (here || !(error instanceof NettraceError)) throw error;
      return ctx.skip(`not on this kernel: ${error.message.split('\n')[0]}`);
    }
    const { attached, backends } = recording;
    if (!here && !probes.some((name) => attached.has(name)))
      return ctx.skip('none of these functions can be attached on this kernel');
    // one function that cannot be attached costs that function: 5.10 and 6.1 refuse fentry to the lookup of listeners,
    // and BTF has no function with a compiler's suffix (__netif_receive_skb_core.constprop.0)
    const may = backend === 'fentry' ? ['__inet_lookup_listener', '__netif_receive_skb_core'] : [];
    expect([...attached, ...may]).toEqual(expect.arrayContaining([...probes]));
    expect(new Set(probes.flatMap((name) => backends.get(name) ?? []))).toEqual(new Set([backend]));
    const syn = recording.find({ proto: 'tcp', dport: PORT, flags: 'S' });
    const steps = probes.filter((name) => attached.has(name) && name !== 'kfree_skb');
    expectOrderedSubset(
      syn,
      steps.map((func) => ({ func, skb: 'syn' })),
    );
  });
});

/** What comes nearest to the limits of the older verifiers, which walk through a way again for each way that led to it. */
describe('the programs', () => {
  const nets = ['10.1.2.0/24', '10.2.0.0/16', '2001:db8::/32'];
  it.for([
    { what: 'two nets and large records', options: { addr: nets, detail: true, bytes: true } },
    { what: 'an expression', options: { expression: 'tcp port 8000 and host 10.1.2.3', detail: true, bytes: true } },
    { what: 'all kinds of filters', options: { expression: 'ip or ip6', addr: nets, proto: 'tcp', tcpFlags: ['S'] } },
    { what: 'single events', options: { mode: 'basic', addr: nets, detail: true } },
    { what: 'drops', options: { mode: 'drop', addr: nets, detail: true, bytes: true } },
    { what: 'latencies', options: { mode: 'latency', addr: nets } },
    {
      what: "sockets' devices, and an expression",
      options: {
        mode: 'sock',
        trace: ['tcp_close', 'inet_sock_set_state'],
        ifname: 'lo',
        addr: nets,
        expression: 'tcp port 8000',
        detail: true,
      },
    },
    {
      what: 'sockets beside packets, and an expression',
      options: { mode: 'monitor', addr: nets, expression: 'tcp port 8000', detail: true },
    },
    { what: 'owners', options: { comm: 'nobody', addr: nets, detail: true, bytes: true } },
  ] as const)('are taken by this kernel with $what', async ({ options }, ctx) => {
    ctx.skip(
      EMULATED && kernelFrom(6, 12),
      'newer verifiers are far from their limits; each is a load of the programs',
    );
    const probes = options.mode === 'drop' || options.mode === 'monitor' ? {} : { trace: ['ip_rcv', 'kfree_skb'] };
    const { statistics } = await record({ ...probes, ...options } as TraceOptions, async () => {});
    expect(statistics.malformed).toBe(0);
  });
});
