// bpf/drop-reasons.yaml, checked, as a TypeScript table.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { makeChecks, tableText } from './table.mjs';

const { requireThat, checkKeys, checkLevel, checkValues } = makeChecks('bpf/drop-reasons.yaml');
const REASON_KEYS = new Set(['names', 'meaning', 'advice', 'level', 'values', 'no_loss', 'cause']);
const FREE_KEYS = new Set(['at', 'reasons', 'protos', 'flags', 'no_payload', 'types', 'daddr', 'why', 'cause']);
const PROTOS = new Set(['tcp', 'udp', 'icmp', 'icmpv6', 'arp', 'ip', 'ipv6', 'unknown']);
const DESTINATIONS = new Set(['multicast', 'broadcast']);

function convertReason(reason, { group, cause: usual }, seen) {
  const what = `reason ${reason.names?.[0]}`;
  checkKeys(reason, REASON_KEYS, what);
  requireThat(reason.meaning && reason.advice, `${what}: meaning and advice are needed`);
  requireThat(reason.cause ?? usual, `${what}: the group ${group} needs a cause`);
  const level = reason.level ?? 'error';
  checkLevel(level, what);
  requireThat(!reason.no_loss || level === 'info', `${what}: what is no loss has the level info`);
  checkValues(reason.values, what);
  for (const name of reason.names) {
    requireThat(!seen.has(name), `${name} is there twice`);
    seen.add(name);
  }
  const { names, meaning, advice, values, no_loss: noLoss, cause = usual } = reason;
  return { group, cause, names, meaning, advice, level, values, noLoss };
}

function convertFree(free) {
  const what = `no_loss at ${free.at}`;
  checkKeys(free, FREE_KEYS, what);
  requireThat(free.at?.length > 0 && free.why && free.cause, `${what}: at, cause and why are needed`);
  for (const proto of free.protos ?? []) requireThat(PROTOS.has(proto), `${what}: unknown protocol '${proto}'`);
  for (const kind of free.daddr ?? []) requireThat(DESTINATIONS.has(kind), `${what}: unknown kind of daddr '${kind}'`);
  requireThat(/^[SARPFU]*$/.test(free.flags ?? ''), `${what}: flags are letters of SARPFU`);
  const { at, protos, flags, types, daddr, cause, why, no_payload: noPayload } = free;
  return { at, reasons: free.reasons ?? ['none', 'NOT_SPECIFIED'], protos, flags, noPayload, types, daddr, cause, why };
}

export function generateDropReasons(root) {
  const table = parse(readFileSync(join(root, 'bpf/drop-reasons.yaml'), 'utf8'));
  const seen = new Set();
  const reasons = table.groups.flatMap((group) => group.reasons.map((r) => convertReason(r, group, seen)));
  const others = table.not_for_administrators.flatMap(({ names, why }) => {
    requireThat(why, `${names}: why is this not for administrators?`);
    return names;
  });
  for (const name of others) requireThat(!seen.has(name), `${name} is there twice`);
  return [
    '// Generated from bpf/drop-reasons.yaml: do not edit.',
    "import type { NoLossRule, ReasonDefinition } from '../explain/drop-reason-definition.js';",
    '',
    tableText('REASONS', 'ReasonDefinition', reasons),
    '/** The first that fits says why a free through kfree_skb is no loss. */',
    tableText('NO_LOSS', 'NoLossRule', table.no_loss.map(convertFree)),
    '/** Members of the enums that no packet is freed with. */',
    `export const NOT_FOR_ADMINISTRATORS: readonly string[] = ${JSON.stringify(others)};`,
    '',
  ].join('\n');
}
