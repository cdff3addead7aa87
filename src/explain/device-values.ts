import { spawnSync } from 'node:child_process';

/** Packets wait meanwhile. An emulated machine takes a second for what takes others some milliseconds. */
const TIMEOUT_MS = 5000;
const MAX_BYTES = 1 << 20;
/** Of an interface with many queues so many are told. */
const MAX_QDISCS = 4;

/** Runs a command in a network namespace, null for our own; undefined where it fails or says nothing in time. */
export type RunInNetns = (path: string | null, words: readonly string[]) => string | undefined;

export const runInNetns: RunInNetns = (path, words) => {
  const [command = '', ...rest] = path === null ? words : ['nsenter', `--net=${path}`, ...words];
  const { status, stdout } = spawnSync(command, rest, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_BYTES,
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout : undefined;
};

interface ListedQdisc {
  kind?: unknown;
  options?: { limit?: unknown };
  backlog?: unknown;
  qlen?: unknown;
  drops?: unknown;
}

function parsedList(text: string): unknown[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** What `tc -s -j qdisc show` says of an interface's queueing disciplines; undefined where it says of none. */
export function qdiscText(json: string): string | undefined {
  const texts = (parsedList(json) as ListedQdisc[])
    .filter(({ kind }) => kind !== 'ingress' && kind !== 'clsact')
    .map(({ kind, options, backlog, qlen, drops }) => {
      // of packets or of bytes, as the kind has it
      const limit = options?.limit === undefined ? '' : `limit ${options.limit}, `;
      return `${kind} (${limit}backlog ${qlen} packets, ${backlog} bytes; ${drops} dropped)`;
    });
  return texts.length === 0 ? undefined : texts.slice(0, MAX_QDISCS).join(', ');
}

/** What `ip -j link show` says of the length of an interface's queue. */
export function queueLengthText(json: string): string | undefined {
  const [link] = parsedList(json) as { txqlen?: unknown }[];
  return typeof link?.txqlen === 'number' ? String(link.txqlen) : undefined;
}
