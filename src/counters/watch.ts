import { readdirSync, statSync } from 'node:fs';
import { NettraceError } from '../errors.js';
import { NetnsFiles, scanNamespaces } from '../explain/netns-files.js';
import { WallClock } from '../explain/wall-clock.js';
import { currentNetnsInode } from '../load/netns.js';
import type { CountersRecord, MovedCounter, SkbTrace } from '../types.js';
import { Attribution, trafficOf } from './attribution.js';
import { linkChanges } from './links.js';
import { type Counters, counterDeltas } from './proc-files.js';
import { type CounterSnapshot, isSameNetns, monotonicTime, readCounters, readMachineCounters } from './snapshot.js';

/** Namespaces that are read before the first packet; those beyond, and later ones, when their first packet is seen. */
const MAX_AT_BEGIN = 64;
const MAX_NAMESPACES = 1024;
const NANOSECONDS = 1e9;

type Reading = { snapshot: CounterSnapshot } | { why: string };

interface Watched {
  from: CountersRecord['from'];
  first: Reading;
  /** Once it is there. */
  since?: number;
}

function likelyNamespaces(): number[] {
  return [currentNetnsInode(), ...[...scanNamespaces().keys()].slice(0, MAX_AT_BEGIN)];
}

/** Names of namespaces that `ip netns` lists, by inode. */
function namesOfNamespaces(): Map<number, string> {
  const names = new Map<number, string>();
  try {
    for (const name of readdirSync('/run/netns')) names.set(statSync(`/run/netns/${name}`).ino, name);
  } catch {
    // there are none, or one has gone just now
  }
  return names;
}

/**
 * Reads counters before and after, and says which traces moved them. `begin()` first, `see()` for each namespace as its
 * packets come, `add()` for each trace, `end()` before anything is detached, and `records()` when the last trace was added.
 */
export class CounterWatch {
  readonly #clock = new WallClock();
  /** Namespaces that are reported even if no packet of theirs is seen. */
  readonly #wanted: ReadonlySet<number>;
  readonly #seen = new Set<number>();
  readonly #watched = new Map<number, Watched>();
  /** First readings that are under way. */
  readonly #reading: Promise<void>[] = [];
  readonly #last = new Map<number, Reading>();
  readonly #attribution: Attribution;
  #machine: { before: Counters; after: Counters } = { before: new Map(), after: new Map() };
  #start = 0;
  #hasEnded = false;
  #end = Number.POSITIVE_INFINITY;

  /** `wanted`: inodes; without any that of this process. */
  constructor(wanted: readonly number[] = []) {
    this.#wanted = new Set(wanted.length > 0 ? wanted : [currentNetnsInode()]);
    const watch = this;
    this.#attribution = new Attribution({
      since: (netns) => watch.#watched.get(netns)?.since,
      until: (netns) => watch.#untilOf(netns),
      get start() {
        return watch.#start;
      },
      get end() {
        return watch.#end;
      },
    });
  }

  /** The first readings: of what is wanted, and of the namespaces that packets may well come through. */
  async begin(others = likelyNamespaces()): Promise<void> {
    this.#start = monotonicTime() / NANOSECONDS;
    this.#machine = { before: readMachineCounters(), after: new Map() };
    const files = new NetnsFiles();
    for (const netns of new Set([...this.#wanted, ...others])) {
      const reading = await tryToRead(netns, files);
      this.#keep(netns, 'begin', reading);
    }
  }

  #keep(netns: number, from: CountersRecord['from'], first: Reading): void {
    const watched: Watched = { from, first };
    if ('snapshot' in first) watched.since = first.snapshot.time / NANOSECONDS;
    this.#watched.set(netns, watched);
  }

  /** What came between the reading of one namespace and that of another counts where it was seen. */
  #untilOf(netns: number): number {
    const last = this.#last.get(netns);
    if (!last) return Number.POSITIVE_INFINITY;
    return 'snapshot' in last ? last.snapshot.time / NANOSECONDS : this.#end;
  }

  /** A packet was seen there. */
  see(netns: number): void {
    if (this.#seen.has(netns) || this.#seen.size >= MAX_NAMESPACES) return;
    this.#seen.add(netns);
    // the last readings have been made: there is nothing to compare with a first one any more
    if (this.#hasEnded) return;
    const kept = this.#readFirst(netns, this.#watched.get(netns));
    kept.catch(() => {}); // end() throws it
    this.#reading.push(kept);
  }

  /** What was read at the start counts, unless the namespace has gone since, and another one has its inode. */
  async #readFirst(netns: number, known: Watched | undefined): Promise<void> {
    // files that were looked for before know nothing of a namespace that is new
    const now = await tryToRead(netns, new NetnsFiles());
    const before = known?.first;
    const isSame = before && 'snapshot' in before && 'snapshot' in now && isSameNetns(before.snapshot, now.snapshot);
    if (known && (isSame || 'why' in now)) return;
    this.#keep(netns, 'first-seen', now);
  }

  add(trace: SkbTrace): void {
    this.#attribution.add(trace);
  }

  /** Namespaces that are reported. */
  get namespaces(): number[] {
    return [...new Set([...this.#wanted, ...this.#seen])];
  }

  /** The last readings. What happens later does not count. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    // packets that are still on their way to us may come from any of them
    await Promise.all(this.#reading);
    this.#end = monotonicTime() / NANOSECONDS;
    this.#machine.after = readMachineCounters();
    const files = new NetnsFiles();
    for (const netns of this.#watched.keys()) this.#last.set(netns, await tryToRead(netns, files));
  }

  /** One record for each namespace, then that of the machine. `complete`: were no events lost? */
  records(complete: boolean): CountersRecord[] {
    const names = namesOfNamespaces();
    const records: CountersRecord[] = [];
    for (const netns of this.namespaces) {
      const record = this.#record(netns, complete);
      const name = names.get(netns);
      records.push(name === undefined ? record : { ...record, name });
    }
    const deltas = counterDeltas(this.#machine.before, this.#machine.after);
    records.push({
      ...this.#empty(this.#end * NANOSECONDS, complete),
      since: this.#start,
      counters: [...deltas].flatMap(([name, delta]) => this.#attribution.explain(name, delta, {}) ?? []),
      traffic: trafficOf(deltas),
    });
    return records;
  }

  #empty(time: number, complete: boolean): CountersRecord {
    return {
      v: 1,
      type: 'counters',
      t: time / NANOSECONDS,
      date: this.#clock.text(time),
      from: 'begin',
      since: this.#start,
      complete,
      counters: [],
      traffic: [],
      interfaces: [],
    };
  }

  #record(netns: number, complete: boolean): CountersRecord {
    const watched = this.#watched.get(netns);
    const first = watched?.first;
    const last = this.#last.get(netns);
    const record: CountersRecord = {
      ...this.#empty(this.#end * NANOSECONDS, complete),
      netns,
      from: watched?.from ?? 'begin',
    };
    if (!first || !last) return { ...record, unread: 'its first packet was seen at the end' };
    if ('why' in first) return { ...record, unread: first.why };
    record.since = first.snapshot.time / NANOSECONDS;
    if ('why' in last) return { ...record, unread: last.why };
    if (!isSameNetns(first.snapshot, last.snapshot))
      return { ...record, unread: 'the namespace has gone, and another one has its number' };
    const deltas = counterDeltas(first.snapshot.counters, last.snapshot.counters);
    const links = linkChanges(first.snapshot.links, last.snapshot.links);
    const moved: MovedCounter[] = [];
    for (const [name, delta] of deltas) moved.push(...asList(this.#attribution.explain(name, delta, { netns })));
    for (const { ifname, deltas: ofLink } of links.moved)
      for (const [name, delta] of ofLink)
        moved.push(...asList(this.#attribution.explain(name, delta, { netns, ifname })));
    return {
      ...record,
      t: last.snapshot.time / NANOSECONDS,
      date: this.#clock.text(last.snapshot.time),
      counters: moved,
      traffic: [...trafficOf(deltas), ...links.moved.flatMap(({ ifname, deltas: d }) => trafficOf(d, ifname))],
      interfaces: [
        ...links.came.map((ifname) => ({ ifname, what: 'appeared' as const })),
        ...links.went.map((ifname) => ({ ifname, what: 'vanished' as const })),
      ],
    };
  }
}

async function tryToRead(netns: number, files: NetnsFiles): Promise<Reading> {
  try {
    return { snapshot: await readCounters(netns, files) };
  } catch (error) {
    if (error instanceof NettraceError) return { why: error.message };
    throw error;
  }
}

function asList<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}
