// What `nettrace` runs becomes a file for each command: node takes longer to find and open a hundred small ones than to run
// them, and longer to read comments than code. Everything else, and the library, stays as tsc made it.
import { copyFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
/** Once in a process, whoever imports them: classes that `instanceof` asks for, and what one file hands to the other. */
const SHARED = ['errors.js', 'load/kernel.js'];
const BUNDLED = ['trace', 'show', 'diff', 'connections', 'doctor', 'probes'].map((name) => `commands/${name}.js`);
/** Where they are asked for only: they need the addon. */
const WITH_ADDON = ['filter/pcap-expression.js', 'filter/recorded-expression.js', 'load/try-probes.js'];
/** commander, which cli.js holds, asks for Node's own modules so. */
const REQUIRE = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);";

for (const { entry, apart, banner } of [
  { entry: 'cli.js', apart: [...SHARED, ...BUNDLED, 'commands/repro.js'], banner: REQUIRE },
  ...BUNDLED.map((entry) => ({ entry, apart: [...SHARED, ...WITH_ADDON], banner: '' })),
]) {
  const outfile = join(dist, entry);
  const files = new Set(apart.map((path) => join(dist, path)));
  await build({
    entryPoints: [outfile],
    outfile,
    allowOverwrite: true,
    bundle: true,
    minifyWhitespace: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    banner: { js: banner },
    external: ['#bpf-loader'],
    plugins: [
      {
        name: 'apart',
        setup({ onResolve }) {
          // no command needs it beyond cli.js
          if (entry !== 'cli.js')
            onResolve({ filter: /^commander$/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
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
// its licence asks for that where its text is
copyFileSync(join(dirname(dist), 'node_modules/commander/LICENSE'), join(dist, 'commander.LICENSE'));
