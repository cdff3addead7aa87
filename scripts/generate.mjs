// Writes what is generated: `node scripts/generate.mjs` writes, with --check it fails where a file would change.
//
//   bpf/probes.yaml                      -> src/generated/probes.ts
//   bpf/*.h, by the compiler's BTF       -> src/generated/layout.ts
//   src/types.ts                         -> schema/trace.schema.json
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateLayout } from './generate/layout.mjs';
import { generateProbes } from './generate/probes.mjs';
import { generateSchema } from './generate/schema.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');
const layout = generateLayout(root);
const files = {
  'src/generated/layout.ts': layout.text,
  'src/generated/probes.ts': generateProbes(root, layout.probeReads),
  'schema/trace.schema.json': generateSchema(root),
};

let stale = 0;
for (const [name, text] of Object.entries(files)) {
  const path = join(root, name);
  let old = '';
  try {
    old = readFileSync(path, 'utf8');
  } catch {}
  if (old === text) continue;
  stale++;
  if (check) {
    console.error(`${name} is not up to date: run make generate`);
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.error(`wrote ${name}`);
  }
}
if (check && stale) process.exitCode = 1;
