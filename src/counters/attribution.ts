import type { CounterTraces, MovedCounter, SkbTrace } from '../types.js';
import type { CounterDefinition } from './counter-definition.js';
import { ATTRIBUTED, type CounterScope, counterKind } from './counter-table.js';
import { GivenUp, type LetGo, letGo, type Stage } from './given-up.js';
import { localView, namespacesOf } from './match-rule.js';
import { RuleIndex, type RuleList } from './rule-index.js';
import { type SentBefore, SentHistory } from './sent-history.js';
import { type CountedTrace, type WindowChange, WindowHistory } from './window-history.js';

const MAX_IDS = 8;
const MAX_VERDICTS = 20;
/** Namespaces and interfaces that are counted for; a machine has fewer. */
const MAX_PLACES = 4096;
/** Traces that wait for what else was sent and came. */
const MAX_WAITING = 1024;

/** Traces that moved a counter, and how often. */
class Tally {
  evidence = 0;
  #count = 0;
  readonly #ids: string[] = [];
  readonly #verdicts = new Map<string, CounterTraces['verdicts'][number]>();

  add({ id, verdict: { outcome, cause } }: CountedTrace, times: number): void {
    this.evidence += times;
    this.#count++;
    if (this.#ids.length < MAX_IDS) this.#ids.push(id);
    const key = `${outcome} ${cause}`;
    const known = this.#verdicts.get(key);
    if (known) known.count++;
    else if (this.#verdicts.size < MAX_VERDICTS) this.#verdicts.set(key, { outcome, cause, count: 1 });
  }

  get traces(): CounterTraces {
    const verdicts = [...this.#verdicts.values()].sort((a, b) => b.count - a.count);
    return { count: this.#count, ids: [...this.#ids], verdicts };
  }
}

const RULES: Readonly<Record<CounterScope, RuleIndex>> = {
  link: new RuleIndex(ATTRIBUTED.link),
  machine: new RuleIndex(ATTRIBUTED.machine),
  netns: new RuleIndex(ATTRIBUTED.netns),
};

type Views = Record<RuleList, Tally>;
/** Of one namespace, interface, or the machine. */
type PlaceTallies = Map<CounterDefinition, Views>;

function distance(tally: Tally, delta: bigint): bigint {
  const difference = BigInt(tally.evidence) - delta;
  return difference < 0n ? -difference : difference;
}

function jsonNumber(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** Which namespaces count, from when, and up to when: seconds of the monotonic clock. */
export interface Readings {
  /** Of a namespace's first reading; undefined where there is none. */
  since(netns: number): number | undefined;
  /** Of its last reading; infinity before that. */
  until(netns: number): number;
  /** Of the whole machine. */
  readonly start: number;
  readonly end: number;
}

/** Goes through finished traces and keeps which counters each of them moved, in bounded memory. */
export class Attribution {
  readonly #readings: Readings;
  readonly #places = new Map<string, PlaceTallies>();
  readonly #sent = new SentHistory();
  readonly #windows = new WindowHistory();
  readonly #givenUp = new GivenUp();
  readonly #waiting: { trace: SkbTrace; before: SentBefore; end: LetGo }[] = [];

  constructor(readings: Readings) {
    this.#readings = readings;
  }

  add(trace: SkbTrace): void {
    const before = this.#sent.add(trace);
    for (const change of this.#windows.add(trace)) this.#addWindow(change);
    this.#givenUp.see(trace);
    const end = letGo(trace);
    if (!end) this.#attribute(trace, before);
    else if (this.#waiting.push({ trace, before, end }) > MAX_WAITING) this.#settleWaiting(MAX_WAITING / 2);
  }

  /** The oldest: what was sent and came shortly before they ended has been seen. */
  #settleWaiting(count: number): void {
    for (const { trace, before, end } of this.#waiting.splice(0, count)) {
      const stage = end.isSyn ? 'handshake' : this.#sent.hasClosed(end.way) ? 'closing' : 'connection';
      this.#attribute(trace, before, this.#givenUp.has(end) ? stage : undefined);
    }
  }

  #addWindow({ netns, t, window, trace }: WindowChange): void {
    const since = this.#readings.since(netns);
    if (since === undefined || t < since || t > this.#readings.until(netns)) return;
    for (const definition of ATTRIBUTED.netns)
      if (definition.by?.some((rule) => rule.window === window))
        this.#tallies(`${netns}`, definition)?.by.add(trace, 1);
  }

  #attribute(trace: SkbTrace, before: SentBefore, stage?: Stage): void {
    const namespaces = namespacesOf(trace);
    const { start, end } = this.#readings;
    for (const netns of new Set(namespaces)) {
      const since = netns === undefined ? undefined : this.#readings.since(netns);
      if (netns === undefined || since === undefined) continue;
      const bounds = { netns, since, until: this.#readings.until(netns) };
      this.#addView('netns', `${netns}`, trace, namespaces, bounds, before, stage);
      const names = new Set(trace.events.flatMap((event, i) => (namespaces[i] === netns ? (event.ifname ?? []) : [])));
      for (const ifname of names)
        this.#addView('link', `${netns} ${ifname}`, trace, namespaces, { ...bounds, ifname }, before, stage);
    }
    this.#addView('machine', '', trace, namespaces, { since: start, until: end }, before, stage);
  }

  #addView(
    scope: CounterScope,
    place: string,
    trace: SkbTrace,
    namespaces: readonly (number | undefined)[],
    bounds: Parameters<typeof localView>[2],
    before: SentBefore,
    stage: Stage | undefined,
  ): void {
    const view = localView(trace, namespaces, bounds, before, stage);
    if (!view) return;
    for (const { definition, by, instead } of RULES[scope].match(view)) {
      const tallies = this.#tallies(place, definition);
      if (by > 0) tallies?.by.add(trace, by);
      if (instead > 0) tallies?.instead.add(trace, instead);
    }
  }

  #tallies(place: string, definition: CounterDefinition): Views | undefined {
    let tallies = this.#places.get(place);
    if (!tallies) {
      if (this.#places.size >= MAX_PLACES) return undefined;
      tallies = new Map();
      this.#places.set(place, tallies);
    }
    let views = tallies.get(definition);
    if (!views) {
      views = { by: new Tally(), instead: new Tally() };
      tallies.set(definition, views);
    }
    return views;
  }

  /** What is to be said of a counter that moved; undefined for what any traffic moves, and for settings. */
  explain(
    name: string,
    delta: bigint,
    { netns, ifname }: { netns?: number; ifname?: string },
  ): MovedCounter | undefined {
    this.#settleWaiting(this.#waiting.length);
    for (const change of this.#windows.end()) this.#addWindow(change);
    const kind = counterKind(name);
    if (kind === 'traffic' || kind === 'setting') return undefined;
    const place = netns === undefined ? '' : ifname === undefined ? `${netns}` : `${netns} ${ifname}`;
    const views = kind && this.#places.get(place)?.get(kind);
    let tally = views?.by ?? new Tally();
    // what has no other rules, or none that fits, has nothing that may come nearer
    if (views && views.instead.evidence > 0 && distance(views.instead, delta) < distance(tally, delta))
      tally = views.instead;
    const explained = delta > 0n && BigInt(tally.evidence) > delta ? Number(delta) : delta > 0n ? tally.evidence : 0;
    return {
      name: name.replace(/^link:/, ''),
      ...(ifname === undefined ? {} : { ifname }),
      delta: jsonNumber(delta),
      ...(kind ? { meaning: kind.meaning } : {}),
      explained,
      unexplained: jsonNumber(delta - BigInt(explained)),
      evidence: tally.evidence,
      traces: tally.traces,
    };
  }
}

/** Deltas that are only listed, as numbers for JSON. */
export function trafficOf(
  deltas: ReadonlyMap<string, bigint>,
  ifname?: string,
): { name: string; ifname?: string; delta: number | string }[] {
  return [...deltas].flatMap(([name, delta]) =>
    counterKind(name) === 'traffic'
      ? [{ name: name.replace(/^link:/, ''), ...(ifname === undefined ? {} : { ifname }), delta: jsonNumber(delta) }]
      : [],
  );
}
