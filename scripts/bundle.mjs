// What `nettrace` runs to trace becomes two files: node takes longer to find and open a hundred small ones than to run them.
// Everything else, and the library, stays as tsc made it.
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
/** Once in a process, whoever imports them: classes that `instanceof` asks for, and what one file hands to the other. */
const SHARED = ['errors.js', 'load/kernel.js'];
const COMMANDS = ['trace', 'show', 'diff', 'connections', 'doctor', 'repro', 'probes'].map((n) => `commands/${n}.js`);

for (const { entry, apart } of [
  { entry: 'cli.js', apart: [...SHARED, ...COMMANDS] },
  { entry: 'commands/trace.js', apart: SHARED },
]) {
  const outfile = join(dist, entry);
  const files = new Set(apart.map((path) => join(dist, path)));
  await build({
    entryPoints: [outfile],
    outfile,
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    packages: 'external',
    external: ['#bpf-loader'],
    plugins: [
      {
        name: 'apart',
        setup({ onResolve }) {
          onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
            const file = join(resolveDir, path);
            if (!files.has(file)) return undefined;
            const from = relative(dirname(outfile), file);
            return { path: from.startsWith('.') ? from : `./${from}`, external: true };
          });
        },
      },
    ],
  });
}
