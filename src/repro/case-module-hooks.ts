/** Hooks of node:module's `register`, in a thread of its own: how modules of users are found and read. */
import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';

const OWN: Readonly<Record<string, string>> = {
  nettrace: '../index.js',
  'nettrace/repro': './index.js',
  'nettrace/read': '../read/index.js',
};

export const resolve: ResolveHook = (specifier, context, next) => {
  const own = OWN[specifier];
  if (own !== undefined) return { url: new URL(own, import.meta.url).href, shortCircuit: true };
  return next(specifier, context);
};

async function stripTypes(text: string, url: string): Promise<string> {
  // Node itself from 22.13 on
  const { stripTypeScriptTypes } = (await import('node:module')) as {
    stripTypeScriptTypes?: (code: string, options?: { mode: 'strip' | 'transform' }) => string;
  };
  if (stripTypeScriptTypes) return stripTypeScriptTypes(text);
  const amaro: { transformSync(code: string, options: object): { code: string } } =
    // @ts-expect-error: it comes without types
    (await import('amaro')).default;
  const { transformSync } = amaro;
  const filename = fileURLToPath(url);
  try {
    return transformSync(text, { mode: 'strip-only', filename }).code;
  } catch (error) {
    // a text: what is wrong, the lines where it is, and what caused it
    const [what = ''] = String(error).split('\n\n\nCaused by:');
    throw new SyntaxError(what.replace(/^\s*x (.*)/, `$1 (${filename})`));
  }
}

export const load: LoadHook = async (url, context, next) => {
  if (!/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const source = await stripTypes(await readFile(new URL(url), 'utf8'), url);
  return { format: 'module', source, shortCircuit: true };
};
