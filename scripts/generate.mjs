// Writes what is generated: `node scripts/generate.mjs` writes, with --check it fails where a file would change.
//
//   bpf/probes.yaml                      -> src/generated/probes.ts
//   bpf/drop-reasons.yaml                -> src/generated/drop-reasons.ts
//   bpf/counters.yaml                    -> src/generated/counters.ts
//   bpf/*.h, by the compiler's BTF       -> src/generated/layout.ts
//   src/types.ts                         -> schema/output.schema.json, schema/connections.schema.json
//   src/diff-types.ts                    -> schema/diff.schema.json
//   src/repro/result.ts                  -> schema/repro.schema.json
//   src/explain/causes                   -> docs/verdicts.md
//   src/commands/program.ts              -> man/nettrace.1, completions/*
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateBash } from './generate/bash-completion.mjs';
import { generateCounters } from './generate/counters.mjs';
import { generateDropReasons } from './generate/drop-reasons.mjs';
import { generateFish } from './generate/fish-completion.mjs';
import { generateLayout } from './generate/layout.mjs';
import { generateManPage } from './generate/man.mjs';
import { generateProbes } from './generate/probes.mjs';
import { readProgram } from './generate/program.mjs';
import { generateSchema } from './generate/schema.mjs';
import { generateVerdicts } from './generate/verdicts.mjs';
import { generateZsh } from './generate/zsh-completion.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const check = process.argv.includes('--check');
let stale = 0;

/** Writes what differs, or tells of it. */
function update(files) {
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
}

const layout = generateLayout(root);
update({
  'src/generated/layout.ts': layout.text,
  'src/generated/probes.ts': generateProbes(root, layout.probeReads),
  'src/generated/drop-reasons.ts': generateDropReasons(root),
  'src/generated/counters.ts': generateCounters(root),
  'schema/output.schema.json': generateSchema(root, 'OutputRecord', 'One line of nettrace --json'),
  'schema/connections.schema.json': generateSchema(root, 'InetSocket', 'One line of nettrace connections --json'),
  'schema/diff.schema.json': generateSchema(root, 'TraceDiff', 'What nettrace diff --json writes', 'src/diff-types.ts'),
  'schema/repro.schema.json': generateSchema(
    root,
    'ReproRecord',
    'The last line of each case in nettrace repro --json',
    'src/repro/result.ts',
  ),
});
// these need the program, and so the tables above
const program = await readProgram(root);
update({
  'man/nettrace.1': generateManPage(program),
  'completions/nettrace.bash': generateBash(program),
  'completions/_nettrace': generateZsh(program),
  'completions/nettrace.fish': generateFish(program),
  'docs/verdicts.md': generateVerdicts(program.causes),
});
if (check && stale) process.exitCode = 1;
