import type { NamedValue } from '../types.js';
import { qdiscText, queueLengthText } from './device-values.js';
import { NetnsFiles, readOwn } from './netns-files.js';
import { type RunInNetns, runInNetns } from './run-in-netns.js';

/** Where a packet is: what {ifname} stands for, and whose sysctls and counters count. */
export interface Place {
  ifname?: string | undefined;
  /** Inode of the network namespace. */
  netns?: number | undefined;
}

/** What values are read from. */
export interface ValueFiles {
  read(netns: number, file: string): string | undefined;
  readInitial(file: string): string | undefined;
  /** A path that leads to the namespace; null for this process's own, undefined where none is known. */
  pathTo(netns: number): string | null | undefined;
}

/** What commands say of the packet's interface: how they are called, and what of their answer is the value. */
const OF_DEVICE: Readonly<Record<string, { words: readonly string[]; text: (json: string) => string | undefined }>> = {
  'qdisc:{ifname}': { words: ['tc', '-s', '-j', 'qdisc', 'show', 'dev'], text: qdiscText },
  'txqueuelen:{ifname}': { words: ['ip', '-j', 'link', 'show', 'dev'], text: queueLengthText },
};

const CACHED_MS = 1000;
/** A command that fails is not asked again for a while: packets wait meanwhile. */
const AGAIN_MS = 30_000;
const MAX_CACHED = 1000;
const MAX_LENGTH = 200;
const IFNAMSIZ = 16;
/** Counters as nstat names them: two lines a protocol, or (IPv6) one a counter. */
const COUNTER_FILES = ['netstat', 'snmp', 'snmp6'].map((name) => `/proc/thread-self/net/${name}`);
const SOFTNET = '/proc/thread-self/net/softnet_stat';

/** As dev_valid_name() in the kernel has it. */
function isInterfaceName(name: string | undefined): name is string {
  return (
    Boolean(name) &&
    name !== '.' &&
    name !== '..' &&
    !/[\0/:\s]/.test(name ?? '') &&
    Buffer.byteLength(name ?? '') < IFNAMSIZ
  );
}

/**
 * The file of a sysctl, and its name as sysctl(8) writes it; undefined where the interface cannot have one. An
 * interface's name is not ours: it may hold dots, which separate nothing then, and in theory anything else.
 */
export function sysctlFile(pattern: string, ifname: string | undefined): { name: string; file: string } | undefined {
  if (!pattern.includes('{ifname}')) return { name: pattern, file: `/proc/sys/${pattern.replaceAll('.', '/')}` };
  // these are no interface's there (sysctl_dev_name_is_allowed() in the kernel)
  if (!isInterfaceName(ifname) || ifname === 'all' || ifname === 'default') return undefined;
  const parts = pattern.split('.');
  const path = parts.map((part) => (part === '{ifname}' ? ifname : part)).join('/');
  const name = parts.map((part) => (part === '{ifname}' ? ifname.replaceAll('.', '/') : part)).join('.');
  return { name, file: `/proc/sys/${path}` };
}

/** Counters of /proc/net/netstat, snmp and snmp6 by the names that nstat(8) has for them. */
export function parseCounters(text: string): Map<string, string> {
  const counters = new Map<string, string>();
  const heads = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [first = '', ...rest] = line.trim().split(/\s+/);
    if (!first.endsWith(':')) {
      if (rest.length === 1 && rest[0]) counters.set(first, rest[0]);
      continue;
    }
    const names = heads.get(first);
    if (!names) heads.set(first, rest);
    else for (const [i, name] of names.entries()) if (rest[i]) counters.set(`${first.slice(0, -1)}${name}`, rest[i]);
  }
  return counters;
}

/** Sum over all CPUs of the second column of /proc/net/softnet_stat: packets that found the backlog full. */
export function softnetDropped(text: string): string | undefined {
  const rows = text.split('\n').filter(Boolean);
  const sum = rows.reduce((total, row) => total + Number.parseInt(row.trim().split(/\s+/)[1] ?? '', 16), 0);
  return rows.length > 0 && Number.isSafeInteger(sum) ? String(sum) : undefined;
}

/** Reads what advice is about. What was read counts for a second, so that a burst of packets costs one reading. */
export class ValueReader {
  readonly #files: ValueFiles;
  readonly #now: () => number;
  readonly #run: RunInNetns;
  readonly #cache = new Map<string, { until: number; value: unknown }>();

  constructor(
    files: ValueFiles = new NetnsFiles(),
    now: () => number = () => performance.now(),
    run: RunInNetns = runInNetns,
  ) {
    this.#files = files;
    this.#now = now;
    this.#run = run;
  }

  read(names: readonly string[], place: Place): NamedValue[] {
    return names.flatMap((name) => this.#readOne(name, place) ?? []);
  }

  #readOne(name: string, { ifname, netns }: Place): NamedValue | undefined {
    if (name === 'softnet:dropped')
      return namedValue('softnet_stat dropped', softnetDropped(this.#text(netns, SOFTNET) ?? ''));
    if (name.startsWith('nstat:')) {
      const counter = name.slice('nstat:'.length);
      return namedValue(counter, netns === undefined ? undefined : this.#counters(netns).get(counter));
    }
    if (OF_DEVICE[name]) return this.#ofDevice(name, ifname, netns);
    const sysctl = sysctlFile(name, ifname);
    return sysctl && namedValue(sysctl.name, this.#sysctl(netns, sysctl.file, !name.includes('{ifname}')));
  }

  #ofDevice(name: string, ifname: string | undefined, netns: number | undefined): NamedValue | undefined {
    const { words = [], text } = OF_DEVICE[name] ?? {};
    const path = netns === undefined ? undefined : this.#files.pathTo(netns);
    if (path === undefined || !isInterfaceName(ifname)) return undefined;
    const answer = this.#cached(
      `${netns} ${name} ${ifname}`,
      () => this.#run(path, [...words, ifname]).text,
      (said) => (said === undefined ? AGAIN_MS : CACHED_MS),
    );
    const shown = `${name.slice(0, name.indexOf(':'))} of ${ifname}`;
    return namedValue(shown, answer === undefined ? undefined : text?.(answer));
  }

  /** A sysctl that a namespace does not have is the machine's, but for those of an interface. One that was not read may be any. */
  #sysctl(netns: number | undefined, file: string, mayBeInitial: boolean): string | undefined {
    const own = this.#text(netns, file);
    if (own !== undefined || !mayBeInitial || netns === undefined) return own;
    return this.#files.pathTo(netns) === undefined ? undefined : this.#initial(file);
  }

  #text(netns: number | undefined, file: string): string | undefined {
    const isEverywhere = file === SOFTNET || file.startsWith('/proc/sys/vm/');
    if (isEverywhere) return this.#cached(file, () => readOwn(file));
    return netns === undefined ? undefined : this.#cached(`${netns} ${file}`, () => this.#files.read(netns, file));
  }

  #initial(file: string): string | undefined {
    return this.#cached(`initial ${file}`, () => this.#files.readInitial(file));
  }

  #counters(netns: number): Map<string, string> {
    return this.#cached(`${netns} counters`, () => {
      const texts = COUNTER_FILES.map((file) => this.#files.read(netns, file) ?? '');
      return parseCounters(texts.join('\n'));
    });
  }

  #cached<T>(key: string, make: () => T, lasts: (value: T) => number = () => CACHED_MS): T {
    const now = this.#now();
    const known = this.#cache.get(key);
    if (known && now < known.until) return known.value as T;
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    const value = make();
    this.#cache.set(key, { until: this.#now() + lasts(value), value });
    return value;
  }
}

function namedValue(name: string, text: string | undefined): NamedValue | undefined {
  const value = text?.trim().replace(/\s+/g, ' ').slice(0, MAX_LENGTH);
  return value ? { name, value } : undefined;
}
