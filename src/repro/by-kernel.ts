import { release } from 'node:os';
import { UsageError } from '../errors.js';

/** A kernel's version: [6, 12]. */
export type KernelVersion = readonly [major: number, minor: number];

/** A value that is another one on other kernels; made by `byKernel`. */
export class ByKernel<T> {
  readonly table: Readonly<Record<string, T>>;

  constructor(table: Readonly<Record<string, T>>) {
    for (const range of Object.keys(table)) parseRange(range);
    this.table = table;
  }

  /** The value of the first range that this version is in. Throws UsageError where it is in none. */
  for(version: KernelVersion): T {
    for (const [range, value] of Object.entries(this.table)) if (isInRange(version, range)) return value;
    throw new UsageError(`nothing is declared for Linux ${version.join('.')}: ${Object.keys(this.table).join(', ')}`);
  }
}

export type MaybeByKernel<T> = T | ByKernel<T>;

/**
 * What differs between kernels, by ranges of versions: `byKernel({ '<5.17': undefined, '5.17-6.14': 'NOT_SPECIFIED',
 * '>=6.15': 'TCP_RFC7323_PAWS' })`. Ranges are `<`, `<=`, `>`, `>=` or `=` with a version, both ends with a hyphen, several
 * with a space (all must hold), or `else`. The first that fits is taken.
 */
export function byKernel<T>(table: Readonly<Record<string, T>>): ByKernel<T> {
  return new ByKernel(table);
}

export function resolveByKernel<T>(value: MaybeByKernel<T>, version: KernelVersion): T {
  return value instanceof ByKernel ? value.for(version) : value;
}

/** major.minor of a release such as 6.12.107+deb13-amd64. */
export function parseVersion(text: string): KernelVersion {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined) throw new UsageError(`'${text}' is not a kernel's version`);
  return [Number(major), Number(minor)];
}

export function runningVersion(): KernelVersion {
  return parseVersion(release());
}

function compare(a: KernelVersion, b: KernelVersion): number {
  return a[0] - b[0] || a[1] - b[1];
}

type Test = (version: KernelVersion) => boolean;

const OPERATORS: Readonly<Record<string, (difference: number) => boolean>> = {
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
  '=': (difference) => difference === 0,
};

function parseRange(range: string): Test {
  if (range.trim() === 'else') return () => true;
  const tests = range
    .trim()
    .split(/\s+/)
    .map((word): Test => {
      const [, operator, version, low, high] = /^(?:(<=|>=|<|>|=)(\d+\.\d+)|(\d+\.\d+)-(\d+\.\d+))$/.exec(word) ?? [];
      const holds = OPERATORS[operator ?? ''];
      if (holds && version) return (one) => holds(compare(one, parseVersion(version)));
      if (!low || !high)
        throw new UsageError(`'${range}' is no range of kernels: '<6.15', '>=5.17', '5.17-6.14', 'else'`);
      return (one) => compare(one, parseVersion(low)) >= 0 && compare(one, parseVersion(high)) <= 0;
    });
  return (version) => tests.every((test) => test(version));
}

/** Throws UsageError for what is no range. */
export function isInRange(version: KernelVersion, range: string): boolean {
  return parseRange(range)(version);
}
