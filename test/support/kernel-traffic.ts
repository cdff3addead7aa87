import type { TraceOptions } from '../../dist/index.js';
import type { Agent } from './kernel-agent.js';
import { type Recording, record } from './kernel-recording.js';

/** Connects from a port to a listener that is there only for this, and closes at once from both ends. */
export async function shortConnection(
  client: Agent,
  server: Agent,
  from: readonly [address: string, port: number],
  to: readonly [address: string, port: number],
): Promise<void> {
  const listener = await server.listen(...to);
  const near = await client.bound(...from);
  await near.call('connect', [...to]);
  const far = await listener.accept();
  await near.close();
  await far.close();
}

/** Runs of the tracer, one for each set of options by name, all around the same traffic. */
export async function recordAll(
  runs: Readonly<Record<string, TraceOptions>>,
  play: () => Promise<void>,
): Promise<Map<string, Recording>> {
  const recordings = new Map<string, Recording>();
  const around = Object.entries(runs).reduceRight<() => Promise<void>>(
    (inner, [name, options]) =>
      async () => {
        recordings.set(name, await record(options, inner));
      },
    play,
  );
  await around();
  return recordings;
}
