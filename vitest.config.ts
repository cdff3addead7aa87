import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What is built is JavaScript already: transforming it again took minutes of each run on an emulated machine. */
const server = { deps: { external: [/\/dist\//, /\/native\//] } };

/** Files that take longest in a virtual machine, where two run at a time: begun last, one would run alone in the end. */
const LONGEST = ['repro.test.ts', 'modes.test.ts', 'packet-filters.test.ts', 'backends.test.ts', 'sigkill.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => LONGEST.indexOf(basename(moduleId)) >>> 0;
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    // One file after the other: what one traces must not slow down or fill up another.
    fileParallelism: false,
    // A process that has attached probes one by one ends when the kernel has taken down the last: tens of seconds, emulated.
    teardownTimeout: 120_000,
    projects: [
      // The addon's own suite is that of its package. It counts descriptors: other tests must not have been in its process.
      'native',
      {
        test: {
          name: 'unit',
          server,
          include: ['test/unit/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'kernel',
          server,
          include: ['test/kernel/**/*.test.ts'],
          // An emulated machine is 10 to 15 times slower than a real one.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
