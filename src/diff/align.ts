/** Indices into both lists; where one is absent the other stands alone. */
export interface Row {
  a?: number;
  b?: number;
}

/** Cells of the table of lengths: larger ones would take seconds, and the result could not be read. */
const MAX_CELLS = 8_000_000;

/**
 * The longest common subsequence of two lists, as rows in the order of both; where the lists differ, those of `a` come
 * first. Lists whose differing parts are too large for the table are not aligned between their common ends.
 *
 * Kept here rather than taken from a package: traces have some hundred steps, and it is a page.
 */
export function align(a: readonly string[], b: readonly string[]): Row[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  const shorter = Math.min(a.length, b.length) - head;
  while (tail < shorter && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const rows: Row[] = [];
  for (let i = 0; i < head; i++) rows.push({ a: i, b: i });
  rows.push(...alignMiddle(a.slice(head, a.length - tail), b.slice(head, b.length - tail), head));
  for (let i = tail; i > 0; i--) rows.push({ a: a.length - i, b: b.length - i });
  return rows;
}

function alignMiddle(a: readonly string[], b: readonly string[], offset: number): Row[] {
  const width = b.length + 1;
  const cells = (a.length + 1) * width;
  // lengths[i * width + j]: of the longest common subsequence of what follows a[i] and b[j]
  const lengths = cells <= MAX_CELLS ? new Uint32Array(cells) : undefined;
  const at = (i: number, j: number) => lengths?.[i * width + j] ?? 0;
  if (lengths) {
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  const rows: Row[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (lengths && i < a.length && j < b.length && a[i] === b[j]) rows.push({ a: offset + i++, b: offset + j++ });
    else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) rows.push({ a: offset + i++ });
    else rows.push({ b: offset + j++ });
  }
  return rows;
}

/** 1 for equal lists, 0 for such that have nothing in common. */
export function similarity(a: readonly string[], b: readonly string[]): number {
  if (a.length + b.length === 0) return 1;
  const common = align(a, b).filter((row) => row.a !== undefined && row.b !== undefined).length;
  return (2 * common) / (a.length + b.length);
}
