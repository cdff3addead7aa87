import { defineConfig } from 'vitest/config';

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
          include: ['test/unit/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          // An emulated machine is 10 to 15 times slower than a real one.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
