import type { Agent } from '../../support/kernel-agent.js';
import type { Recording } from '../../support/kernel-recording.js';
import { Topology } from '../../support/kernel-topology.js';

/**
 * The network that all scenarios of one run of the tracer share:
 *
 *   client c0 ---- s0 server          .1.0/24, and ::1:0/112
 *   client c1 ---- r0 router          .2.0/24
 *                  r1 router ---- s1 server   .3.0/24
 */
export interface Stage {
  net: Topology;
  client: Agent;
  server: Agent;
  router: Agent;
  /** IPv4 address of this network with these last two bytes, as in `address('1.2')`. */
  address(end: string): string;
  address6(end: string): string;
}

export interface Scenario {
  name: string;
  /** Rules, listeners: what has to be there before the tracer looks at the kernel. */
  prepare?(stage: Stage): Promise<void>;
  /** The traffic. */
  play(stage: Stage): Promise<void>;
  /** Declares the tests. */
  tests(recorded: () => { recording: Recording; stage: Stage }): void;
}

export async function buildStage(): Promise<Stage> {
  const net = new Topology();
  const address = (end: string) => `${net.v4}.${end}`;
  const address6 = (end: string) => `${net.v6}::${end}`;
  try {
    net.add('client', 'server', 'router');
    await net.join(
      { node: 'client', ifname: 'c0', addresses: [`${address('1.1')}/24`, `${address6('1:1')}/112`] },
      { node: 'server', ifname: 's0', addresses: [`${address('1.2')}/24`, `${address6('1:2')}/112`] },
    );
    await net.join(
      { node: 'client', ifname: 'c1', addresses: [`${address('2.1')}/24`] },
      { node: 'router', ifname: 'r0', addresses: [`${address('2.254')}/24`] },
    );
    await net.join(
      { node: 'router', ifname: 'r1', addresses: [`${address('3.254')}/24`] },
      { node: 'server', ifname: 's1', addresses: [`${address('3.2')}/24`] },
    );
    const [client, server, router] = await Promise.all(['client', 'server', 'router'].map((node) => net.agent(node)));
    return { net, client: client!, server: server!, router: router!, address, address6 };
  } catch (error) {
    await net.close();
    throw error;
  }
}

/** Runs a command by an agent; fails where it fails. */
export async function must(agent: Agent, words: string, input?: string): Promise<string> {
  const { status, stdout, stderr } = await agent.run(words.split(' '), input);
  if (status !== 0) throw new Error(`${words}: exit code ${status}: ${stderr}`);
  return stdout;
}
