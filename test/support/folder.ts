import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** A folder of its own for each test, removed behind it. Returns the path of a file in it. */
export function useFolder(): (name?: string) => string {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nettrace-test-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  return (name = '.') => join(folder, name);
}
