import { expect, it } from 'vitest';
import { trace } from '../../dist/index.js';
import { withTopology } from '../support/kernel-topology.js';

/** Datagrams to a port where nobody listens: no answer is waited for. */
const BURST = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + 2
while time.time() < end:
    for _ in range(200):
        try: s.sendto(b'x' * 64, (sys.argv[1], 4242))
        except ConnectionRefusedError: pass
`;

it('a ring buffer that is too small loses what it counts, exactly, and says so in the traces', async () => {
  await withTopology(async (net) => {
    net.add('a');
    net.ip('a', `address add ${net.v4}.0.1/32 dev lo`);
    const run = trace({ addr: net.nets, proto: 'udp', bufferBytes: 4096 });
    await run.ready;
    let incomplete = 0;
    let all = 0;
    const reading = (async () => {
      for await (const one of run) {
        all++;
        if (!one.complete) incomplete++;
      }
    })();
    const agent = await net.agent('a');
    const { status, stderr } = await agent.run(['/usr/bin/python3', '-c', BURST, `${net.v4}.0.1`]);
    expect(status, stderr).toBe(0);
    run.stop();
    await reading;
    const counts = run.statistics();
    expect(counts.ringFull).toBeGreaterThan(0);
    expect(counts.malformed).toBe(0);
    expect(counts.delivered).toBeGreaterThan(0);
    expect(counts.delivered + counts.ringFull).toBe(counts.produced);
    expect(all).toBeGreaterThan(0);
    expect(incomplete).toBeGreaterThan(0);
  });
});
