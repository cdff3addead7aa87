import type { NftRule, Note, TraceEvent } from '../types.js';

/** A rule as it is listed. */
export interface ListedRule {
  handle: number;
  chain: string;
  text: string;
}

/** A table of nftables at one moment. */
export interface ListedTable {
  /** Chains, each with its rules in order, and its policy where it has one. */
  chains: ReadonlyMap<string, { policy: string | undefined; rules: readonly ListedRule[] }>;
}

/** The tables of that name that packets of the family pass, in their network namespace; undefined where they cannot be listed. */
export type ListRules = (netns: number, family: string, table: string) => readonly ListedTable[] | undefined;

/** include/uapi/linux/netfilter.h */
const NF_DROP = 0;
const NF_STOLEN = 2;
const MAX_SUSPECTS = 8;

/**
 * The chains and rules of `nft -a list table`. Undefined for what cannot be taken apart without doubt: a comment may hold
 * anything, also what looks like another rule.
 */
export function parseTable(text: string): ListedTable | undefined {
  const chains = new Map<string, { policy: string | undefined; rules: ListedRule[] }>();
  let chain = '';
  let known: { policy: string | undefined; rules: ListedRule[] } | undefined;
  let begun = '';
  for (const line of text.split('\n')) {
    if (((line.match(/"/g) ?? []).length & 1) === 1) return undefined;
    const head = /^\tchain (\S+) \{( # handle \d+)?$/.exec(line)?.[1];
    if (head !== undefined) {
      chain = head;
      known = { policy: undefined, rules: [] };
      chains.set(chain, known);
      begun = '';
    } else if (/^\t\}/.test(line)) {
      known = undefined;
    } else if (known) {
      const words = `${begun} ${line.trim()}`.trim();
      const [, text, handle] = /^(.*) # handle (\d+)$/.exec(words) ?? [];
      begun = '';
      if (/^type \w+ hook /.test(words)) known.policy = /; policy (\w+);/.exec(words)?.[1] ?? 'accept';
      else if (text !== undefined) known.rules.push({ handle: Number(handle), chain, text });
      else if (!/^comment /.test(words)) begun = words; // a set's elements may take several lines
    }
  }
  return chains.size > 0 ? { chains } : undefined;
}

/** Words of a rule, without what stands in quotes. */
function statement(rule: ListedRule): string {
  return rule.text.replace(/"[^"]*"/g, '');
}

/** May it end a packet's way? By its verdict, one out of a map, or an extension of iptables or a statement that may do so. */
function mayDrop(rule: ListedRule): boolean {
  return /\b(drop|reject|vmap|synproxy|fwd|xt)\b/.test(statement(rule));
}

/** Chains that a packet may come to from this one, itself included; undefined where the text does not say which. */
function reachable({ chains }: ListedTable, from: string): Set<string> {
  const found = new Set<string>();
  const next = [from];
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    for (const rule of chains.get(name)?.rules ?? []) {
      // where a map decides, it may be any chain
      if (/\bvmap @/.test(statement(rule))) next.push(...chains.keys());
      for (const [, target] of statement(rule).matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)) next.push(target ?? '');
    }
  }
  return found;
}

/** What may have dropped a packet in this base chain, or in one that it leads to. */
export function suspects(table: ListedTable, chain: string): NftRule[] {
  const { policy } = table.chains.get(chain) ?? {};
  const rules: NftRule[] = [...reachable(table, chain)]
    .flatMap((name) => table.chains.get(name)?.rules ?? [])
    .filter(mayDrop);
  return policy === 'drop' ? [...rules, { chain, text: 'policy drop' }] : rules;
}

export function ruleText({ handle, chain, text }: NftRule): string {
  const where = handle === undefined ? `chain ${chain}` : `handle ${handle}`;
  return text === undefined ? where : `${where}: ${text}`;
}

/** The rule that dropped the packet, where that can only be one. */
export function droppingRule({ netfilter }: TraceEvent): NftRule | undefined {
  const { rule, suspects: [first, ...others] = [] } = netfilter ?? {};
  if (rule?.verdict === 'NF_DROP') return rule;
  return others.length === 0 ? first : undefined;
}

function ruleNote(rule: NftRule, table: string | undefined): Note {
  const isDrop = rule.verdict === 'NF_DROP';
  const note: Note = {
    level: isDrop ? 'error' : 'info',
    text: `${isDrop ? 'dropped by rule' : 'rule'} ${ruleText(rule)}${rule.text ? '' : `, ${rule.verdict}`}`,
  };
  if (isDrop && table !== undefined && rule.chain !== undefined)
    note.advice = `nft -a list chain FAMILY ${table} ${rule.chain}; nft delete rule FAMILY ${table} ${rule.chain} handle ${rule.handle}`;
  return note;
}

/** Tables where the chain is there: an inet table and one of ip may have the same name. */
function tablesOf(event: TraceEvent, list: ListRules): readonly ListedTable[] {
  const { family, table, chain } = event.netfilter ?? {};
  if (!family || !table || !chain || event.netns === undefined) return [];
  return (list(event.netns, family, table) ?? []).filter(({ chains }) => chains.has(chain));
}

/** The rule of the kernel's trace, by what the chain that is being passed says of its table. */
function nameTraced(event: TraceEvent, passed: TraceEvent | undefined, list: ListRules): void {
  const rule = event.netfilter?.rule;
  if (!rule) return;
  if (event.netfilter && passed?.netfilter?.table) event.netfilter.table = passed.netfilter.table;
  const found = (passed ? tablesOf(passed, list) : []).flatMap(({ chains }) =>
    [...chains.values()].flatMap(({ rules }) => rules.filter(({ handle }) => handle === rule.handle)),
  );
  // handles are of their table: where two tables could be meant, it is neither
  const only = found.length === 1 ? found[0] : undefined;
  if (only) Object.assign(rule, { chain: only.chain, text: only.text });
  event.notes.push(ruleNote(rule, event.netfilter?.table));
}

function suspectsNote(found: readonly NftRule[]): Note {
  const shown = found.slice(0, MAX_SUSPECTS).map(ruleText);
  const more = found.length > shown.length ? `; ${found.length - shown.length} more` : '';
  const text =
    found.length === 1
      ? `only this rule drops here: ${shown[0]}`
      : `one of ${found.length} rules dropped it: ${shown.join('; ')}${more}`;
  return {
    level: 'warning',
    text,
    ...(found.length > 1 ? { advice: 'a rule with "meta nftrace set 1" lets the kernel tell which' } : {}),
  };
}

function nameSuspects(event: TraceEvent, list: ListRules): void {
  const tables = tablesOf(event, list);
  const table = tables.length === 1 ? tables[0] : undefined;
  const found = table ? suspects(table, event.netfilter?.chain ?? '') : [];
  if (found.length === 0 || !event.netfilter) return;
  event.netfilter.suspects = found.slice(0, MAX_SUSPECTS);
  event.notes.push(suspectsNote(found));
}

function hasDropped(event: TraceEvent): boolean {
  return typeof event.ret === 'number' && [NF_DROP, NF_STOLEN].includes(event.ret & 0xff);
}

/**
 * Says which rule of nftables it was that dropped the packet. Where nftables traces the packet the kernel tells; else the
 * rules that may have been are named, and never one of several.
 */
export function nameRules(events: readonly TraceEvent[], list: ListRules): void {
  const chains = new Map<number, TraceEvent>();
  const told = new Set<TraceEvent>();
  for (const event of events) {
    if (event.func === 'nft_do_chain') chains.set(event.skb, event);
    if (!event.netfilter?.rule) continue;
    const passed = chains.get(event.skb);
    nameTraced(event, passed, list);
    if (passed) told.add(passed);
  }
  for (const event of events)
    if (event.func === 'nft_do_chain' && hasDropped(event) && !told.has(event)) nameSuspects(event, list);
}
