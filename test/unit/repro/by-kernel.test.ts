import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import {
  byKernel,
  isInRange,
  type KernelVersion,
  parseVersion,
  resolveByKernel,
} from '../../../src/repro/by-kernel.js';

const version = fc.tuple(
  fc.integer({ min: 3, max: 9 }),
  fc.integer({ min: 0, max: 40 }),
) as fc.Arbitrary<KernelVersion>;
const text = ([major, minor]: KernelVersion) => `${major}.${minor}`;
const asNumber = ([major, minor]: KernelVersion) => major * 1000 + minor;

describe('ranges of kernels', () => {
  it.each([
    ['<6.15', [6, 14], true],
    ['<6.15', [6, 15], false],
    ['<6.2', [5, 19], true],
    ['<=6.12', [6, 12], true],
    ['>6.12', [6, 12], false],
    ['>=5.17', [5, 4], false],
    ['>=5.17', [6, 1], true],
    ['=6.18', [6, 18], true],
    ['5.17-6.14', [5, 17], true],
    ['5.17-6.14', [6, 14], true],
    ['5.17-6.14', [6, 15], false],
    ['>=6.1 <6.18', [6, 12], true],
    ['>=6.1 <6.18', [6, 18], false],
    ['else', [5, 10], true],
  ] as const)('%s of %j: %s', (range, one, expected) => {
    expect(isInRange(one, range)).toBe(expected);
  });

  it('below and from a version on are each other’s contrary, compared as numbers', () => {
    fc.assert(
      fc.property(version, version, (one, other) => {
        const isBelow = isInRange(one, `<${text(other)}`);
        expect(isBelow).toBe(asNumber(one) < asNumber(other));
        expect(isInRange(one, `>=${text(other)}`)).toBe(!isBelow);
      }),
    );
  });

  it.each(['', '6.12', '<6', '~6.1', '6.1-', 'others', '<6.15,>5.1'])("'%s' is none", (range) => {
    expect(() => isInRange([6, 12], range)).toThrow(UsageError);
    expect(() => byKernel({ [range]: 1 })).toThrow(UsageError);
  });

  it('are looked through in their order', () => {
    const reason = byKernel({ '<5.17': undefined, '<6.15': 'NOT_SPECIFIED', else: 'TCP_RFC7323_PAWS' });
    expect(resolveByKernel(reason, [5, 10])).toBeUndefined();
    expect(resolveByKernel(reason, [6, 12])).toBe('NOT_SPECIFIED');
    expect(resolveByKernel(reason, [7, 2])).toBe('TCP_RFC7323_PAWS');
    expect(resolveByKernel('the same', [7, 2])).toBe('the same');
  });

  it('that leave a kernel out are an error there, not a value', () => {
    expect(() => resolveByKernel(byKernel({ '<6.0': 1 }), [6, 12])).toThrow(
      /nothing is declared for Linux 6\.12: <6\.0/,
    );
  });
});

it.each([
  ['6.12.107+deb13-amd64', [6, 12]],
  ['7.2.13', [7, 2]],
  ['5.10.0-32-amd64', [5, 10]],
] as const)('the release %s is of version %j', (release, expected) => {
  expect(parseVersion(release)).toEqual(expected);
});
