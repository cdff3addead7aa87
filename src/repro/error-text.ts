import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

/** Of nettrace itself, with the cases that come with it. */
const OWN = new URL('../', import.meta.url).href;

/** Where in a user's module an error has come about, as `FILE:LINE:COLUMN`; undefined where none of its code is in the stack. */
function placeOf(error: Error): string | undefined {
  const places = [...(error.stack ?? '').matchAll(/(file:\/\/[^\s()]+?)((?::\d+)+)\)?$/gm)];
  const [, url, position] =
    places.find(([, one]) => one && !one.startsWith(OWN) && !one.includes('/node_modules/')) ?? [];
  return url && `${fileURLToPath(url)}${position}`;
}

/** What code of a user has thrown, in words, with the place in its module: it may be anything. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return `${inspect(error)} was thrown`;
  const place = placeOf(error);
  return place === undefined || error.message.includes(place) ? error.message : `${error.message} (${place})`;
}
