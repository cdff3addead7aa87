import { ALL_STATES } from '../connections/inet-diag.js';
import { ConnectionWatch } from '../connections/leftovers.js';
import { listSockets } from '../connections/list.js';
import { ListedStates } from '../connections/socket-states.js';
import { type CounterSnapshot, readCounters } from '../counters/snapshot.js';
import { CounterWatch } from '../counters/watch.js';
import { ConnectionJudge } from '../explain/connections/connection-judge.js';
import { NetnsFiles } from '../explain/netns-files.js';
import type { ConnectionRecord, InetSocket, SkbTrace } from '../types.js';
import { type KernelVersion, runningVersion } from './by-kernel.js';
import type { Observation } from './check.js';
import { counterByName } from './counter-names.js';
import type { Host } from './host.js';
import type { HostCounters, HostSocket } from './result.js';
import type { SharedTracer } from './shared-tracer.js';

type SocketsByHost = ReadonlyMap<Host, InetSocket[]>;

function judgeConnections(traces: readonly SkbTrace[], sockets: SocketsByHost): ConnectionRecord[] {
  const judge = new ConnectionJudge();
  for (const trace of traces) judge.add(trace);
  const states = new ListedStates();
  for (const [{ inode }, listed] of sockets) states.add(inode, listed);
  return [...judge.end(states)].filter((record) => record.type === 'connection');
}

/** All sockets, with the packets that made those of traced connections. */
function hostSockets(traces: readonly SkbTrace[], sockets: SocketsByHost): HostSocket[] {
  const watch = new ConnectionWatch();
  for (const trace of traces) watch.add(trace);
  const made = new Map(watch.leftovers([...sockets.values()].flat()).map((leftover) => [leftover.socket, leftover]));
  return [...sockets].flatMap(([{ name }, listed]) =>
    listed.map((socket) => ({ host: name, ...(made.get(socket) ?? { socket, isStray: false }) })),
  );
}

/** What is said of a case in the end. */
export interface Account {
  counters: HostCounters[];
  connections: ConnectionRecord[];
  sockets: HostSocket[];
}

/** Looks at the hosts of a case from before it is played until after it. */
export class Observer {
  readonly #hosts: readonly Host[];
  readonly #version: KernelVersion = runningVersion();
  readonly #files = new NetnsFiles();
  readonly #counters: CounterWatch;
  #before: ReadonlyMap<string, CounterSnapshot> = new Map();

  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts;
    this.#counters = new CounterWatch(hosts.map(({ inode }) => inode));
  }

  async begin(): Promise<void> {
    await this.#counters.begin([]);
    this.#before = await this.#snapshots();
  }

  async #snapshots(): Promise<Map<string, CounterSnapshot>> {
    const snapshots = new Map<string, CounterSnapshot>();
    for (const { name, inode } of this.#hosts) snapshots.set(name, await readCounters(inode, this.#files));
    return snapshots;
  }

  /** How things are now. */
  async observe(traces: readonly SkbTrace[], tracer: SharedTracer): Promise<Observation> {
    const after = await this.#snapshots();
    const sockets = await this.#listSockets();
    const rise = (host: string, name: string) => {
      const [first, last] = [this.#before.get(host), after.get(host)];
      const value = last && counterByName(last.counters, name);
      return value === undefined || !first ? undefined : value - (counterByName(first.counters, name) ?? 0);
    };
    return {
      version: this.#version,
      traces,
      counter: (name, host) => {
        const rises = (host === undefined ? [...after.keys()] : [host]).map((one) => rise(one, name));
        const known = rises.filter((one) => one !== undefined);
        return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0);
      },
      sockets: hostSockets(traces, sockets),
      connections: judgeConnections(traces, sockets),
      hosts: this.#hosts.map(({ name }) => name),
      isTraced: (name) => tracer.isTraced(name),
      invisible: (name) => tracer.invisible(name),
      standIns: (name) => tracer.standIns(name),
      noFunctions: tracer.noFunctions,
    };
  }

  async #listSockets(): Promise<SocketsByHost> {
    const sockets = new Map<Host, InetSocket[]>();
    for (const host of this.#hosts) {
      const choice = { states: ALL_STATES, files: this.#files };
      const tcp = await listSockets(host.inode, { proto: 'tcp', ...choice });
      sockets.set(host, [...tcp, ...(await listSockets(host.inode, { proto: 'udp', ...choice }))]);
    }
    return sockets;
  }

  /** The last reading of counters: before the traces are taken, so that these have all that moved them. */
  async readLast(): Promise<void> {
    await this.#counters.end();
  }

  /** The last look. `complete`: no events were lost. */
  async end(traces: readonly SkbTrace[], complete: boolean): Promise<Account> {
    for (const trace of traces) this.#counters.add(trace);
    const hosts = new Map(this.#hosts.map(({ inode, name }) => [inode, name]));
    const counters = (await this.#counters.records(complete)).flatMap((record) => {
      const host = record.netns === undefined ? undefined : hosts.get(record.netns);
      return host === undefined ? [] : [{ host, ...record }];
    });
    const sockets = await this.#listSockets();
    return { counters, connections: judgeConnections(traces, sockets), sockets: hostSockets(traces, sockets) };
  }
}
