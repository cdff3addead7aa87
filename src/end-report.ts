import { ConnectionWatch } from './connections/leftovers.js';
import { fillSocketOwners, listConnections } from './connections/list.js';
import { ListedStates } from './connections/socket-states.js';
import { CounterWatch } from './counters/watch.js';
import { NettraceError } from './errors.js';
import { WallClock } from './explain/wall-clock.js';
import type { InetSocket, Leftovers, OutputRecord, SkbTrace } from './types.js';

/** Sockets that are listed one by one. */
const MAX_SOCKETS = 100;

export interface EndReportOptions {
  /** Counters, beside the sockets that are left. */
  counters: boolean;
  /** States of sockets, for verdicts on connections. */
  states: boolean;
  /** Inodes of namespaces whose counters are reported in any case; without any that of this process. */
  wanted: readonly number[];
}

/** Undefined where the namespace has gone, or cannot be entered: the record of its counters says so. */
async function socketsIn(netns: number, keep: (socket: InetSocket) => boolean): Promise<InetSocket[] | undefined> {
  try {
    return await listConnections(netns, keep);
  } catch (error) {
    if (!(error instanceof NettraceError)) throw error;
    return undefined;
  }
}

/** What is said at the end of a run: with --counters counters by traces, with it and --explain sockets that are left. */
export class EndReport {
  readonly #counters: CounterWatch | undefined;
  readonly #connections = new ConnectionWatch();
  /** Of sockets, while packets were still seen; undefined where nobody asked. */
  readonly states: ListedStates | undefined;

  constructor({ counters, states, wanted }: EndReportOptions) {
    if (states) this.states = new ListedStates();
    if (counters) this.#counters = new CounterWatch(wanted);
  }

  /** When all is attached, before anything is read. */
  async begin(): Promise<void> {
    await this.#counters?.begin();
  }

  see(netns: number): void {
    this.#counters?.see(netns);
  }

  add(trace: SkbTrace): void {
    this.#counters?.add(trace);
    this.#connections.add(trace);
  }

  /** Before anything is detached: that may take long. */
  async readLast(): Promise<void> {
    await this.#counters?.end();
    for (const netns of this.states ? this.#connections.namespaces : []) {
      const seen: Pick<InetSocket, 'proto' | 'tuple' | 'state'>[] = [];
      const found = await socketsIn(netns, ({ proto, tuple, state }) => {
        seen.push({ proto, tuple, state });
        return false;
      });
      if (found) this.states?.add(netns, seen);
    }
  }

  /** When the last trace was added. */
  async records(complete: boolean): Promise<OutputRecord[]> {
    const records: OutputRecord[] = this.#counters?.records(complete) ?? [];
    const left = await this.#leftovers();
    return left ? [...records, left] : records;
  }

  async #leftovers(): Promise<Leftovers | undefined> {
    const sockets: InetSocket[] = [];
    for (const netns of this.#connections.namespaces)
      sockets.push(...((await socketsIn(netns, (socket) => this.#connections.knows(socket))) ?? []));
    const found = this.#connections.leftovers(sockets);
    if (found.length === 0) return undefined;
    const listed = found.slice(0, MAX_SOCKETS);
    fillSocketOwners(listed.map(({ socket }) => socket));
    const time = Number(process.hrtime.bigint());
    return {
      v: 1,
      type: 'leftovers',
      t: time / 1e9,
      date: new WallClock().text(time),
      sockets: listed,
      omitted: found.length - listed.length,
      forgotten: this.#connections.forgotten,
    };
  }
}
