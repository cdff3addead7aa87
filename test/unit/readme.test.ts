import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('README.md', () => {
  it('quotes the example that the tests run', () => {
    const [, quoted] = /```js\n(.*?)```/s.exec(read('README.md')) ?? [];
    expect(quoted).toBe(read('docs/example.mjs'));
  });
});
