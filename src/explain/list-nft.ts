import type { NetnsFiles } from './netns-files.js';
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

/** nft says so of a table that is not there; nsenter, of an nft that is not there, says it with other words before. */
const NO_TABLE = /^Error: .*No such file or directory/m;

/**
 * Lists rules with nft(8), if it is there. What was listed counts for a second. `warn`: told once, in words for users, when
 * rules cannot be listed.
 */
export function listWithNft(files: NetnsFiles, warn: (text: string) => void): ListRules {
  let hasWarned = false;
  const listTable = (path: string | null, family: string, table: string) => {
    const { text, complaint } = runInNetns(path, ['nft', '-a', 'list', 'table', family, table]);
    const failed = text === undefined && !NO_TABLE.test(complaint);
    if (failed && !hasWarned) {
      hasWarned = true;
      const [why = ''] = complaint.trim().split('\n');
      warn(`which rule of nftables dropped a packet is not told, as nft cannot list them: ${why}`);
    }
    return { text, failed };
  };
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
    if (known && performance.now() < known.until) return known.tables;
    if (cache.size >= MAX_CACHED) cache.clear();
    const { tables, failed } = list(netns, family, table);
    cache.set(key, { until: performance.now() + (failed ? AGAIN_MS : CACHED_MS), tables });
    return tables;
  };
}
