import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { NettraceError } from '../errors.js';
import { MACHINE_SYSCTL, NAMESPACE_NAME, namePrefix } from './names.js';

/** Where sessions write down what they are about to make. */
export const REGISTRY_FOLDER = '/run/nettrace/repro';
const PRIVATE = 0o700;

/** A sysctl of the machine that a session has set. */
export interface MachineSetting {
  name: string;
  former: string;
  /** What it was set to. */
  value: string;
}

/** What a session has made on this machine, and who it is. */
export interface RegistryEntry {
  pid: number;
  /** When that process began, in clock ticks since boot: a process id is used again, with this it is not. */
  startTime: string;
  /** The namespace in which `pid` counts: `pid:[...]`. */
  pidNamespace: string;
  /** Network namespaces by their names. */
  namespaces: string[];
  /** Leaders of process groups. */
  processes: { pid: number; startTime: string }[];
  /** In the order in which they were set. */
  settings: MachineSetting[];
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), behind the name, which may hold anything; undefined where there is no such process. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid');
}

/** Who asks: this process. */
function ownIdentity(): Pick<RegistryEntry, 'pid' | 'startTime' | 'pidNamespace'> {
  return { pid: process.pid, startTime: processStartTime(process.pid) ?? '', pidNamespace: pidNamespace() };
}

/** Makes the folder, ours alone; whoever could put a link there could have us remove what is not ours. */
function openFolder(path: string): void {
  let at = '';
  for (const part of path.split('/').slice(1)) {
    at += `/${part}`;
    try {
      mkdirSync(at, { mode: PRIVATE });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new NettraceError(`cannot make the folder ${at}: ${(error as Error).message}`, { cause: error });
      }
    }
  }
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0) {
    throw new NettraceError(`${path} is not a folder of this user alone`, {
      advice: 'sessions write there what they make; remove it, it is made anew',
    });
  }
}

function isEntry(value: unknown): value is RegistryEntry {
  const entry = value as Partial<RegistryEntry> | null;
  return (
    typeof entry === 'object' &&
    Number.isInteger(entry?.pid) &&
    typeof entry?.startTime === 'string' &&
    typeof entry.pidNamespace === 'string' &&
    Array.isArray(entry.namespaces) &&
    entry.namespaces.every((name) => typeof name === 'string' && NAMESPACE_NAME.test(name)) &&
    Array.isArray(entry.processes) &&
    entry.processes.every((one) => Number.isInteger(one?.pid) && one.pid > 1 && typeof one.startTime === 'string') &&
    Array.isArray(entry.settings) &&
    entry.settings.every((one) => MACHINE_SYSCTL.test(one?.name) && /^\d+$/.test(one.former) && /^\d+$/.test(one.value))
  );
}

function readEntry(path: string): RegistryEntry | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined; // another start has swept it meanwhile, or its writer died before the file had its name
  }
}

/** Dead for certain: an owner in another pid namespace cannot be asked for. */
function isDead(entry: RegistryEntry, own: string): boolean {
  return entry.pidNamespace === own && processStartTime(entry.pid) !== entry.startTime;
}

/** What sessions have left which ended without cleaning up; their entries go with `forget`. */
export interface Leftovers {
  namespaces: string[];
  processes: RegistryEntry['processes'];
  settings: MachineSetting[];
  forget(): void;
}

/** Looks for what dead owners have left. Throws NettraceError where the folder is not to be trusted. */
export function findLeftovers(folder = REGISTRY_FOLDER): Leftovers {
  openFolder(folder);
  const own = pidNamespace();
  const dead = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
    .flatMap((path) => {
      const entry = readEntry(path);
      return entry && isDead(entry, own) ? [{ path, entry }] : [];
    });
  return {
    namespaces: dead.flatMap(({ entry }) => entry.namespaces),
    processes: dead.flatMap(({ entry }) => entry.processes),
    settings: dead.flatMap(({ entry }) => entry.settings.toReversed()),
    forget: () => {
      for (const { path } of dead) rmSync(path, { force: true });
    },
  };
}

let sessions = 0;

/** What one session makes, written down before it is made. */
export class RegistryFile {
  /** What the names of this session's namespaces begin with: no other session's do. */
  readonly prefix: string;
  readonly #path: string;
  readonly #namespaces: string[] = [];
  readonly #settings: MachineSetting[] = [];
  #processes: RegistryEntry['processes'] = [];
  #isRemoved = false;

  constructor(folder = REGISTRY_FOLDER) {
    openFolder(folder);
    sessions++;
    this.prefix = namePrefix(process.pid, sessions);
    this.#path = join(folder, `${process.pid}-${sessions}.json`);
  }

  add(...namespaces: string[]): void {
    this.#namespaces.push(...namespaces);
    this.#write();
  }

  addProcess(one: RegistryEntry['processes'][number]): void {
    this.#processes.push(one);
    this.#write();
  }

  removeProcess(pid: number): void {
    this.#processes = this.#processes.filter((one) => one.pid !== pid);
    this.#write();
  }

  addSetting(setting: MachineSetting): void {
    this.#settings.push(setting);
    this.#write();
  }

  #write(): void {
    if (this.#isRemoved) return;
    const entry: RegistryEntry = {
      ...ownIdentity(),
      namespaces: this.#namespaces,
      processes: this.#processes,
      settings: this.#settings,
    };
    const draft = `${this.#path}.new`;
    writeFileSync(draft, JSON.stringify(entry), { mode: 0o600 });
    renameSync(draft, this.#path);
  }

  /** Everything is gone again, or is meant to stay. */
  remove(): void {
    this.#isRemoved = true;
    rmSync(this.#path, { force: true });
  }
}
