import { defineConfig } from 'vitest/config';

/** What is built is JavaScript already: transforming it again took minutes of each run on an emulated machine. */
const server = { deps: { external: [/\/dist\//, /\/native\//] } };

// The addon's own suite is that of the package in native/.
export default defineConfig({
  test: {
    // One file after the other: what one traces must not slow down or fill up another.
    fileParallelism: false,
    // A process that has attached probes one by one ends when the kernel has taken down the last: tens of seconds, emulated.
    teardownTimeout: 120_000,
    projects: [
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
