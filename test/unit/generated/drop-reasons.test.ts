import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dropReason } from '../../../src/explain/drop-reasons.js';
import { NO_LOSS, NOT_FOR_ADMINISTRATORS, REASONS } from '../../../src/generated/drop-reasons.js';

const FIXTURES = new URL('../../fixtures/drop-reasons/', import.meta.url);
/** What kernels between those of the fixtures had and renamed: 5.17, 5.18 and 6.13. */
const RENAMED = ['TCP_FILTER', 'PTYPE_ABSENT', 'VXLAN_NO_REMOTE'];

/** Names as Kernel.dropReason() gives them, from what scripts/list-drop-reasons.mjs printed on a kernel. */
function namesOf(file: string): string[] {
  const lines = readFileSync(new URL(file, FIXTURES), 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('  ')).map((line) => line.trim().replace('SKB_DROP_REASON_', ''));
}

const kernels = readdirSync(FIXTURES).map((file) => [file.replace('.txt', ''), namesOf(file)] as const);

describe('the table of drop reasons', () => {
  it.each(kernels)('has all of Linux %s, or says why not', (_series, names) => {
    expect(names.length).toBeGreaterThan(50);
    expect(names.filter((name) => !dropReason(name) && !NOT_FOR_ADMINISTRATORS.includes(name))).toEqual([]);
  });

  it('has what kernels in between have renamed', () => {
    for (const name of RENAMED) expect(dropReason(name), name).toBeDefined();
  });

  it('invents none: each name is of some kernel', () => {
    const known = new Set([...RENAMED, ...kernels.flatMap(([, names]) => names)]);
    for (const { names } of REASONS) {
      for (const name of names) {
        const prefix = name.endsWith('*') ? name.slice(0, -1) : undefined;
        expect(prefix ? [...known].some((n) => n.startsWith(prefix)) : known.has(name), name).toBe(true);
      }
    }
  });

  it('has sentences, not names', () => {
    for (const { names, meaning, advice } of REASONS) {
      for (const text of [meaning, advice]) expect(text, names[0]).toMatch(/^[a-z"'A-Z].{4,}[^.;]$/);
      expect(meaning, names[0]).not.toContain(';');
    }
  });

  it('calls no reason a loss and none at once', () => {
    for (const { names, level, noLoss } of REASONS) expect(level === 'info', names[0]).toBe(noLoss !== undefined);
  });

  it('lets no rule speak against a reason that names a refusal', () => {
    const refusals = ['TCP_RFC7323_PAWS', 'TCP_RESET', 'TCP_INVALID_SEQUENCE', 'NETFILTER_DROP', 'NOMEM'];
    for (const { at, reasons } of NO_LOSS) for (const name of refusals) expect(reasons, at[0]).not.toContain(name);
  });
});
