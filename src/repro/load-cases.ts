import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UsageError } from '../errors.js';
import { type AnyCase, checkCase } from './case.js';
import { errorText } from './error-text.js';

const FOLDER = new URL('./cases/', import.meta.url);

const ADVICE = "it must have: export default defineCase({ ... }), with defineCase from 'nettrace/repro'";

/** Throws UsageError for what cannot be loaded, or is no case. */
async function importCase(url: string, what: string): Promise<AnyCase> {
  let module: { default?: unknown };
  try {
    module = (await import(url)) as { default?: unknown };
  } catch (cause) {
    // of a syntax error there are several lines, with the place in the source
    const [first = '', ...more] = errorText(cause).trimEnd().split('\n');
    const advice = cause instanceof UsageError ? ADVICE : more.join('\n');
    throw new UsageError(`${what} cannot be loaded: ${first}`, { ...(advice ? { advice } : {}), cause });
  }
  try {
    checkCase(module.default);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${what}: ${error.message}`, { advice: ADVICE, cause: error });
  }
  return module.default;
}

/** The cases that come with nettrace, by group and name. Each file of the folder is one. */
export async function builtinCases(): Promise<AnyCase[]> {
  const files = readdirSync(FOLDER).filter((name) => /^[a-z0-9-]+\.[jt]s$/.test(name));
  const cases = await Promise.all(files.map((name) => importCase(new URL(name, FOLDER).href, `case ${name}`)));
  return cases.sort((a, b) => a.group.localeCompare(b.group) || a.name.localeCompare(b.name));
}

function isFile(word: string): boolean {
  return /[/.]/.test(word);
}

async function userCase(path: string): Promise<AnyCase> {
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new UsageError(`there is no file '${path}'`);
  const { acceptTypeScript } = await import('./case-modules.js');
  acceptTypeScript();
  return importCase(pathToFileURL(absolute).href, `'${path}'`);
}

function noSuchCase(word: string, cases: readonly AnyCase[]): UsageError {
  const near = cases.filter(({ name }) => name.includes(word) || word.includes(name)).map(({ name }) => name);
  return new UsageError(`there is no case or group '${word}'`, {
    advice:
      near.length > 0
        ? `is it ${near.join(' or ')}?`
        : 'nettrace repro list names them; files are given as ./my-case.ts',
  });
}

/** What words mean: names of cases, groups, `all`, files. Each case once, in the order of the words. Throws UsageError. */
export async function resolveCases(words: readonly string[]): Promise<AnyCase[]> {
  const builtin = await builtinCases();
  const chosen = new Set<AnyCase>();
  for (const word of words) {
    if (isFile(word)) {
      chosen.add(await userCase(word));
      continue;
    }
    const found = builtin.filter(({ name, group }) => word === 'all' || name === word || group === word);
    if (found.length === 0) throw noSuchCase(word, builtin);
    for (const one of found) chosen.add(one);
  }
  return [...chosen];
}

/** Throws UsageError for settings that no case has. */
export function checkSettings(cases: readonly AnyCase[], settings: ReadonlyMap<string, unknown>): void {
  for (const name of settings.keys()) {
    if (cases.some(({ parameters }) => parameters && name in parameters)) continue;
    const known = [...new Set(cases.flatMap(({ parameters }) => Object.keys(parameters ?? {})))];
    throw new UsageError(`no case that is asked for has a parameter '${name}'`, {
      advice: known.length > 0 ? `there are ${known.join(', ')}` : 'they have none',
    });
  }
}

/** Of the module that this is: for hints. */
export const CASES_FOLDER = fileURLToPath(FOLDER);
