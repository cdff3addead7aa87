import { NetnsFiles } from './netns-files.js';
import { type ListedTable, type ListRules, parseTable } from './nft-rules.js';
import { runInNetns } from './run-in-netns.js';

const CACHED_MS = 1000;
/** A list that takes too long, or fails, is not asked for again for a while: packets wait meanwhile. */
const AGAIN_MS = 30_000;
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
  const { text, complaint } = runInNetns(path, ['nft', '-a', 'list', 'table', family, table]);
  return { text, failed: text === undefined && !/No such file or directory/.test(complaint) };
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
