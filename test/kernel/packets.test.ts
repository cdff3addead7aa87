import { afterAll, beforeAll, describe } from 'vitest';
import { type Recording, record } from '../support/kernel-recording.js';
import { arp } from './scenarios/arp.js';
import { iptablesDrop, nftDrop } from './scenarios/firewall.js';
import { nat } from './scenarios/nat.js';
import { packetSocket } from './scenarios/packet-socket.js';
import { ping, ping6 } from './scenarios/ping.js';
import { buildStage, must, type Stage } from './scenarios/scenario.js';
import { strayReset } from './scenarios/stray-reset.js';
import { closedPort, tcp, tcp6 } from './scenarios/tcp.js';
import { udp } from './scenarios/udp.js';

/** Attaching takes half a minute on some emulated kernels, so one run of the tracer sees all of them. */
const SCENARIOS = [tcp, tcp6, udp, ping, ping6, arp, closedPort, nftDrop, iptablesDrop, nat, packetSocket, strayReset];

let stage: Stage;
let recording: Recording;
/** Why a scenario could not be played; its tests say so. */
const failures = new Map<string, unknown>();

beforeAll(async () => {
  stage = await buildStage();
  const attempt = async (name: string, action: () => Promise<void> | undefined) => {
    try {
      if (!failures.has(name)) await action();
    } catch (error) {
      failures.set(name, error);
    }
  };
  for (const { name, prepare } of SCENARIOS) await attempt(name, () => prepare?.(stage));
  recording = await record({ addr: stage.net.nets }, async () => {
    for (const { name, play } of SCENARIOS) await attempt(name, () => play(stage));
    // when its answer is there, so is what was sent before it
    await must(stage.client, `ping -c 1 -W 20 ${stage.address('1.2')}`);
  });
}, 240_000);

afterAll(() => stage?.net.close());

for (const { name, tests } of SCENARIOS) {
  describe(name, () => {
    tests(() => {
      if (failures.has(name)) throw failures.get(name);
      return { recording, stage };
    });
  });
}
