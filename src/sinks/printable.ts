/** What a terminal obeys or is led astray by: control characters and those that turn the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
export const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Control characters of names that come from outside (process, interface, table, chain) made visible: `\x1b`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => {
    const code = c.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/**
 * The same for every string in a value that JSON.parse made, in place. Records that were read from a file may hold
 * control characters anywhere, not only in names that the kernel lets anyone choose.
 */
export function printableNames(value: object): void {
  const object = value as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    const inner = object[key];
    if (typeof inner === 'string') {
      const visible = printable(inner);
      if (visible !== inner) object[key] = visible;
    } else if (typeof inner === 'object' && inner !== null) printableNames(inner);
  }
}
