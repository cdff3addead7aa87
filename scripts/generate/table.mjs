// What the generators of tables share: checks that name the file, and the text of a table.

const LEVELS = new Set(['info', 'warning', 'error']);
/** A sysctl, nstat:NAME, softnet:COLUMN or what an interface has; see the head of bpf/drop-reasons.yaml. */
const VALUE = /^(?:(?:net|vm)(?:\.(?:\w+|\{ifname\}))+|nstat:\w+|softnet:dropped|(?:qdisc|txqueuelen):\{ifname\})$/;

/** @param {string} file what messages begin with */
export function makeChecks(file) {
  const requireThat = (condition, message) => {
    if (!condition) throw new Error(`${file}: ${message}`);
  };
  return {
    requireThat,
    checkKeys(object, known, what) {
      for (const key of Object.keys(object)) requireThat(known.has(key), `${what}: unknown key '${key}'`);
    },
    checkLevel(level, what) {
      requireThat(LEVELS.has(level), `${what}: a level is info, warning or error, not '${level}'`);
    },
    checkValues(values, what) {
      for (const value of values ?? []) requireThat(VALUE.test(value), `${what}: '${value}' is no value`);
    },
  };
}

/** One entry a line, keys unquoted where they can be, without those that are undefined. */
export function tableText(name, type, entries) {
  const lines = entries.map((entry) => `  ${JSON.stringify(entry).replace(/"(\w+)":/g, '$1: ')},\n`);
  return `export const ${name}: readonly ${type}[] = [\n${lines.join('')}];\n`;
}
