// @ts-check
// Charts as SVG: narrow enough for a telephone, so labels stand above their bars and not beside them.

const WIDTH = 480;
const MARGIN = 12;
const FONT = 13;
/** About as wide as a sans-serif letter of that size is. */
const LETTER = 7.5;
const COLORS = ['#3f6f9f', '#c2703d', '#5d8a4a', '#8a5d8a'];
const HEAD = 52;

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** @param {number} value */
export const plain = (value) => {
  if (value >= 10_000) return `${(value / 1000).toFixed(value >= 100_000 ? 0 : 1)} k`;
  if (value === 0) return '0';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
};

/** Two lines at most, and no line longer than the picture. @param {string} title */
function titleLines(title) {
  const most = Math.floor((WIDTH - 2 * MARGIN) / (LETTER * 1.1));
  const lines = [''];
  for (const word of title.split(' ')) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length > most) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines
    .slice(0, 2)
    .map((line, i) => `<text x="${MARGIN}" y="${20 + 17 * i}" font-weight="bold">${escaped(line)}</text>`)
    .join('\n');
}

/** @param {string} title @param {number} height @param {string[]} body */
const picture = (title, height, body) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" style="max-width:100%;height:auto" font-family="sans-serif" font-size="${FONT}">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${titleLines(title)}
${body.join('\n')}
</svg>
`;

/**
 * `low` and `high`: the spread. `series`: which color.
 * @typedef {{ label: string, value: number, low?: number, high?: number, series?: number, text?: string }} Bar
 */

/** @param {string} title @param {Bar[]} bars @param {number} [reference] where a dashed line stands */
export function barChart(title, bars, reference) {
  const [step, thick] = [36, 12];
  const inner = WIDTH - 2 * MARGIN;
  const largest = Math.max(reference ?? 0, ...bars.map(({ value, high }) => high ?? value)) || 1;
  const x = (/** @type {number} */ value) => MARGIN + (value / largest) * inner;
  const height = HEAD + bars.length * step + MARGIN;
  const body = bars.map(({ label, value, low = value, high = value, series = 0, text = plain(value) }, i) => {
    const top = HEAD + i * step;
    const most = Math.floor(inner / LETTER) - text.length - 2;
    const shown = label.length > most ? `${label.slice(0, most - 1)}…` : label;
    const middle = top + FONT + 4 + thick / 2;
    return [
      `<text x="${MARGIN}" y="${top + FONT}">${escaped(shown)}</text>`,
      `<text x="${WIDTH - MARGIN}" y="${top + FONT}" text-anchor="end">${escaped(text)}</text>`,
      `<rect x="${MARGIN}" y="${top + FONT + 4}" width="${(x(value) - MARGIN).toFixed(1)}" height="${thick}" fill="${COLORS[series]}"/>`,
      low === high
        ? ''
        : `<path d="M${x(low).toFixed(1)} ${middle}H${x(high).toFixed(1)}" stroke="#111" stroke-width="2"/>`,
    ].join('');
  });
  if (reference !== undefined)
    body.push(`<path d="M${x(reference)} ${HEAD}V${height - MARGIN}" stroke="#777" stroke-dasharray="3 3"/>`);
  return picture(title, height, body);
}

/**
 * Lines over values that stand at equal distances, from zero up.
 * @param {string} title
 * @param {{ name: string, points: { x: number, y: number }[] }[]} series
 * @param {string} below what the values below are
 */
export function lineChart(title, series, below) {
  const [top, bottom, left, right] = [HEAD + 26, 300, 56, WIDTH - 3 * MARGIN];
  const values = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const largest = Math.max(...series.flatMap(({ points }) => points.map(({ y }) => y))) || 1;
  const atX = (/** @type {number} */ x) => left + (values.indexOf(x) / Math.max(1, values.length - 1)) * (right - left);
  const atY = (/** @type {number} */ y) => bottom - (y / largest) * (bottom - top);
  const body = [0, 0.5, 1].map((share) => {
    const y = atY(share * largest);
    return `<path d="M${left} ${y}H${right}" stroke="#ddd"/><text x="${left - 6}" y="${y + 4}" text-anchor="end">${plain(share * largest)}</text>`;
  });
  for (const x of values)
    body.push(`<text x="${atX(x).toFixed(1)}" y="${bottom + 18}" text-anchor="middle">${x}</text>`);
  body.push(`<text x="${right}" y="${bottom + 36}" text-anchor="end">${escaped(below)}</text>`);
  for (const [i, { name, points }] of series.entries()) {
    const color = COLORS[i];
    const place = left + (i * (right - left)) / series.length;
    const path = points.map(({ x, y }) => `${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`).join('L');
    body.push(
      `<rect x="${place}" y="${HEAD}" width="10" height="10" fill="${color}"/><text x="${place + 15}" y="${HEAD + 10}">${escaped(name)}</text>`,
      `<path d="M${path}" fill="none" stroke="${color}" stroke-width="2"/>`,
      ...points.map(
        ({ x, y }) => `<circle cx="${atX(x).toFixed(1)}" cy="${atY(y).toFixed(1)}" r="3" fill="${color}"/>`,
      ),
    );
  }
  return picture(title, bottom + 46, body);
}
