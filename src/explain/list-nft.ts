import { spawnSync } from 'node:child_process';
import { NetnsFiles } from './netns-files.js';
import { type ListedTable, type ListRules, parseTable } from './nft-rules.js';

const CACHED_MS = 1000;
/** A list that takes longer, or fails, is not asked for again for a while: packets wait meanwhile. */
const TIMEOUT_MS = 5000;
const AGAIN_MS = 30_000;
const MAX_BYTES = 4 << 20;
const MAX_CACHED = 100;
/** nft reads its words as a script: a name that is none of its own words could be anything. */
const NAME = /^[A-Za-z][\w/\\.]*$/;
/** Families of tables whose chains see packets of a family. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  ipv4: ['ip', 'inet'],
  ipv6: ['ip6', 'inet'],
  arp: ['arp'],
  bridge: ['bridge'],
  netdev: ['netdev'],
};

function listTable(path: string | null, family: string, table: string): { text: string | undefined; failed: boolean } {
  const words = ['nft', '-a', 'list', 'table', family, table];
  const [command = 'nft', ...rest] = path === null ? words : ['nsenter', `--net=${path}`, ...words];
  const { status, stdout, stderr } = spawnSync(command, rest, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: MAX_BYTES,
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) return { text: stdout, failed: false };
  return { text: undefined, failed: !/No such file or directory/.test(stderr ?? '') };
}

/** Lists rules with nft(8), if it is there. What was listed counts for a second. */
export function listWithNft(files = new NetnsFiles(), now: () => number = () => performance.now()): ListRules {
  const cache = new Map<string, { until: number; tables: readonly ListedTable[] | undefined }>();
  const list = (netns: number, family: string, table: string) => {
    const path = files.pathTo(netns);
    if (path === undefined) return { tables: undefined, failed: false };
    const lists = (FAMILIES[family] ?? []).map((one) => listTable(path, one, table));
    const failed = lists.some((one) => one.failed);
    const tables = lists.map(({ text }) => (text === undefined ? undefined : { table: parseTable(text) }));
    // one that is there and cannot be read may be the one that counts
    const isUnsure = failed || tables.some((one) => one && !one.table);
    return { tables: isUnsure ? undefined : tables.flatMap((one) => one?.table ?? []), failed };
  };
  return (netns, family, table) => {
    if (!NAME.test(table)) return undefined;
    const key = `${netns} ${family} ${table}`;
    const known = cache.get(key);
    if (known && now() < known.until) return known.tables;
    if (cache.size >= MAX_CACHED) cache.clear();
    const { tables, failed } = list(netns, family, table);
    cache.set(key, { until: now() + (failed ? AGAIN_MS : CACHED_MS), tables });
    return tables;
  };
}
