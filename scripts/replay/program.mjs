// @ts-check
// A build of this project, and what its command line makes of options.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * A module of a build.
 * @param {string} dist
 * @param {string} path
 */
export function load(dist, path) {
  return import(pathToFileURL(resolve(dist, path)).href);
}

/**
 * Calls `trace` with the options that the words of a command line mean.
 * @param {string} dist
 * @param {string[]} words
 * @param {(options: import('../../src/commands/trace.js').TraceCommandOptions) => Promise<void>} trace
 */
export async function withOptions(dist, words, trace) {
  const { buildProgram } = await load(dist, 'commands/program.js');
  await buildProgram('', { trace }).parseAsync(words, { from: 'user' });
}
