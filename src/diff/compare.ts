import type { DiffPair, DiffSide, DiffStep, DiffValue, PathShape, TraceDiff } from '../diff-types.js';
import type { SkbTrace } from '../types.js';
import { align, similarity } from './align.js';
import { stepsOf } from './path.js';
import type { ShapeGroup, ShapeSet } from './shapes.js';
import { stepDifferences, traceDifferences } from './values.js';

/** Ways of each side among which the most similar pair is looked for: the most frequent ones. */
const MAX_CANDIDATES = 20;

export interface DiffTraces {
  good: SkbTrace;
  bad: SkbTrace;
}

/** Two traces side by side: their functions aligned, and the values that differ where both have a function. */
export function compareTraces(good: SkbTrace, bad: SkbTrace): DiffPair {
  const goodSteps = stepsOf(good);
  const badSteps = stepsOf(bad);
  const steps: DiffStep[] = [];
  const values: DiffValue[] = traceDifferences(good, bad);
  const funcs = (list: readonly { func: string }[]) => list.map(({ func }) => func);
  for (const row of align(funcs(goodSteps), funcs(badSteps))) {
    const a = row.a === undefined ? undefined : goodSteps[row.a];
    const b = row.b === undefined ? undefined : badSteps[row.b];
    const differences = a && b ? stepDifferences(a, good, b, bad) : [];
    const func = a?.func ?? b?.func ?? '';
    for (const one of differences) values.push({ step: steps.length, func, ...one });
    steps.push({ func, in: a && b ? 'both' : a ? 'good' : 'bad', differs: differences.length > 0 });
  }
  const parting = steps.findIndex((step) => step.in !== 'both');
  return { good: good.id, bad: bad.id, common: parting < 0 ? steps.length : parting, steps, values };
}

function byCount(a: ShapeGroup, b: ShapeGroup): number {
  return b.count - a.count;
}

/** Groups of one set that the other does not have; all where there is none. The most frequent first, and not too many. */
function candidates(set: ShapeSet, other: ShapeSet): ShapeGroup[] {
  const all = [...set.groups];
  const alone = all.filter(([key]) => !other.groups.has(key));
  return (alone.length > 0 ? alone : all)
    .map(([, group]) => group)
    .sort(byCount)
    .slice(0, MAX_CANDIDATES);
}

/** Of ways that differ the two most similar; of ways that both files have the first whose values differ. */
function choosePair(good: ShapeSet, bad: ShapeSet): DiffTraces {
  let best: DiffTraces | undefined;
  let highest = -1;
  const isSame = [...good.groups.keys()].every((key) => bad.groups.has(key)) && good.groups.size === bad.groups.size;
  if (isSame) {
    for (const [key, group] of [...good.groups].sort(([, a], [, b]) => byCount(a, b))) {
      const other = bad.groups.get(key);
      if (!other) continue;
      const pair = { good: group.example, bad: other.example };
      best ??= pair;
      if (compareTraces(pair.good, pair.bad).values.length > 0) return pair;
    }
  } else {
    const others = candidates(bad, good);
    for (const one of candidates(good, bad)) {
      for (const other of others) {
        const near = similarity(one.functions, other.functions);
        if (near <= highest) continue;
        highest = near;
        best = { good: one.example, bad: other.example };
      }
    }
  }
  if (!best) throw new Error('there is nothing to compare');
  return best;
}

function shapesOf(good: ShapeSet, bad: ShapeSet): PathShape[] {
  const shapes: PathShape[] = [];
  for (const key of new Set([...good.groups.keys(), ...bad.groups.keys()])) {
    const a = good.groups.get(key);
    const b = bad.groups.get(key);
    shapes.push({
      functions: a?.functions ?? b?.functions ?? [],
      good: a?.count ?? 0,
      bad: b?.count ?? 0,
      ...(a ? { goodExample: a.example.id } : {}),
      ...(b ? { badExample: b.example.id } : {}),
    });
  }
  const isShared = (shape: PathShape) => Number(shape.good > 0 && shape.bad > 0);
  return shapes.sort((x, y) => isShared(x) - isShared(y) || y.good + y.bad - x.good - x.bad);
}

function sideOf(file: string, { traces, incomplete, groups, notCompared }: ShapeSet): DiffSide {
  return { file, traces, incomplete, shapes: groups.size, notCompared };
}

/** What the comparison found, and the two traces that stand side by side in it. Neither set may be empty. */
export function compareSets(
  good: { file: string; set: ShapeSet },
  bad: { file: string; set: ShapeSet },
): { diff: TraceDiff; traces: DiffTraces } {
  const traces = choosePair(good.set, bad.set);
  const pair = compareTraces(traces.good, traces.bad);
  const shapes = shapesOf(good.set, bad.set);
  const isAll = good.set.notCompared + bad.set.notCompared === 0;
  const same = isAll && shapes.every((shape) => shape.good > 0 && shape.bad > 0) && pair.values.length === 0;
  const diff: TraceDiff = {
    v: 1,
    type: 'diff',
    same,
    good: sideOf(good.file, good.set),
    bad: sideOf(bad.file, bad.set),
    shapes,
    pair,
  };
  return { diff, traces };
}
