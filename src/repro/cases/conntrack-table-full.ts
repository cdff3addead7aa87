import { defineCase } from '../case.js';

const MAX = 'net.netfilter.nf_conntrack_max';
const ENTRIES = 4;

export default defineCase({
  name: 'conntrack-table-full',
  group: 'path',
  title: 'The table of connection tracking is full: new connections are dropped, old ones go on',
  description: `Connection tracking makes an entry for each new connection. When nf_conntrack_count has reached nf_conntrack_max and
no entry can be thrown out early, the packet that needs a new one is dropped: the kernel's log says "nf_conntrack: table full,
dropping packet", conntrack -S counts drop and early_drop. Connections that have an entry work on, which is why such a machine answers
those who are logged in and nobody else. The limit is the whole machine's, also where each network namespace counts its own
entries: the case sets it only when it is told to (--set machine=1) and puts it back.`,
  parameters: {
    machine: { default: 0, text: "1: set the machine's nf_conntrack_max for the time of the case", range: [0, 1] },
  },
  requires: { modules: ['veth', 'nf_tables', 'nft_ct', 'nf_conntrack'], tools: ['nft'] },
  skip: ({ parameters: { machine } }) =>
    machine === 1 ? undefined : `${MAX} is the whole machine's: it is set only with --set machine=1`,
  trace: ['conntrack'],
  network(net) {
    const client = net.host('client');
    const server = net.host('server', {
      nft: 'table ip t { chain pre { type filter hook prerouting priority 0; ct state new accept; }; }',
    });
    net.link(client, server);
    return { client, server };
  },
  async play({ net: { client, server }, step, setMachineSysctl }) {
    const receiver = server.udp({ port: 5000 });
    const first = client.udp();
    const to = { address: server.address, port: 5000 };
    // an entry that has seen both directions and is assured is not thrown out early
    const assure = async (sender: typeof first) => {
      for (let i = 0; i < 3; i++) {
        await sender.send('there', to);
        const { from } = await receiver.receive();
        await receiver.send('and back', from);
        await sender.receive();
      }
    };
    const senders = [first, ...Array.from({ length: ENTRIES - 1 }, () => client.udp())];
    await step(`${ENTRIES} conversations have entries`, async () => {
      for (const sender of senders) await assure(sender);
    });
    await step(`${MAX} is ${ENTRIES}`, () => setMachineSysctl(MAX, ENTRIES));
    const late = client.udp();
    await step('one more is begun, and an old one goes on', async () => {
      await late.send('too late', to);
      await first.send('still there', to);
    });
    const { data } = await receiver.receive();
    return { received: data.toString(), late: late.port };
  },
  expectations({ expect, facts, net: { server } }) {
    const late = { proto: 'udp', sport: facts.late } as const;
    expect.value('what the server receives', facts.received).toBe('still there');
    expect.trace(late).toHaveOutcome('dropped');
    expect.trace(late, { needs: 'functions' }).toHaveCause('conntrack-table-full');
    expect
      .trace(late)
      .toSatisfy('is dropped by the prerouting hook', ({ events }) =>
        events.some(({ drop }) => drop && /^(nf_hook_slow|nf_conntrack_in|ipv4_conntrack_in)/.test(drop.location)),
      );
    expect.trace(late).toNotPass('ip_local_deliver');
    expect.counter('UdpInDatagrams', { on: server }).toRise(3 * ENTRIES + 1);
  },
});
