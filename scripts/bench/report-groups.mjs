// @ts-check
// Each group of the benchmark as a table and charts.
import { barChart, lineChart, plain } from './charts.mjs';

/**
 * @typedef {import('./bench.mjs').Results} Results
 * @typedef {{ title: string, text: string, table: string, charts: { suffix: string, svg: string }[] }} Section
 */

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2
    ? (sorted[Math.floor(middle)] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Median, and half of the distance between the smallest and the largest in percent of it. @param {number[]} values */
function withSpread(values) {
  if (values.length === 0) return '';
  const middle = median(values);
  const spread = middle ? ((Math.max(...values) - Math.min(...values)) / 2 / middle) * 100 : 0;
  return values.length > 1 ? `${plain(middle)} ±${spread.toFixed(0)} %` : plain(middle);
}

/**
 * Rows of the same key, in the order in which keys first come.
 * @template Row
 * @param {readonly Row[]} rows
 * @param {(row: Row) => string} key
 */
function grouped(rows, key) {
  /** @type {Map<string, Row[]>} */
  const groups = new Map();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return groups;
}

/** @template Row @param {readonly Row[]} rows @param {(row: Row) => number | undefined} pick */
const numbers = (rows, pick) => rows.flatMap((row) => pick(row) ?? []);

/** @param {number[]} values */
const cell = (values) => (values.length === 0 ? '' : plain(median(values)));

/** @param {string[]} head @param {string[][]} rows */
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** @param {number} kb */
const mib = (kb) => (kb / 1024).toFixed(0);

/** @param {import('./groups/cost.mjs').CostRow[]} rows @returns {Omit<Section, 'title'>} */
function cost(rows) {
  const groups = [...grouped(rows, ({ kind, tool, traffic }) => `${kind}, ${tool}, ${traffic}`)];
  const untraced = (/** @type {string} */ kind) =>
    median(rows.filter((row) => row.kind === kind && row.tool === 'none').map(({ rate }) => rate));
  const traced = groups.filter(([, [first]]) => first?.tool !== 'none');
  const bars = traced.map(([label, some]) => {
    const shares = some.map(({ rate, kind }) => rate / untraced(kind));
    const range = { value: median(shares), low: Math.min(...shares), high: Math.max(...shares) };
    return { label, ...range, series: some[0]?.traffic === 'matched' ? 1 : 0, text: median(shares).toFixed(2) };
  });
  const times = traced.map(([label, some]) => ({
    label,
    value: median(numbers(some, (row) => row.bpfNsPerPacket)),
    series: some[0]?.traffic === 'matched' ? 1 : 0,
  }));
  return {
    text: `Operations a second of each load untraced, traced with a filter that does not let it through (\`unmatched\`), and traced
(\`matched\`). BPF time is that of the tracer's programs, in a run of its own. Lines and losses are of both matched runs.`,
    charts: [
      { suffix: 'cost', svg: barChart('Traffic that is left of the untraced rate', bars, 1) },
      { suffix: 'cost-bpf', svg: barChart('BPF time of a packet, nanoseconds', times) },
    ],
    table: table(
      [
        'load',
        'tool',
        'traffic',
        'operations/s',
        'of untraced',
        'BPF ns a packet',
        'BPF runs a packet',
        'lines',
        'lost',
        'peak MiB',
      ],
      groups.map(([, some]) => {
        const { kind = '', tool = '', traffic = '' } = some[0] ?? {};
        const rates = some.map(({ rate }) => rate);
        return [
          kind,
          tool,
          traffic,
          withSpread(rates),
          tool === 'none' ? '' : (median(rates) / untraced(kind)).toFixed(2),
          withSpread(numbers(some, (row) => row.bpfNsPerPacket)),
          cell(numbers(some, (row) => row.bpfRunsPerPacket)),
          cell(numbers(some, (row) => row.lines)),
          cell(numbers(some, (row) => row.lost)),
          cell(numbers(some, (row) => row.peakKb && row.peakKb / 1024)),
        ];
      }),
    ),
  };
}

/** @param {import('./groups/events.mjs').EventsRow[]} rows @returns {Omit<Section, 'title'>} */
function events(rows) {
  const label = (/** @type {import('./groups/events.mjs').EventsRow} */ { consumer, flows }) =>
    `${consumer}, ${flows} ${flows === 1 ? 'flow' : 'flows'}`;
  return {
    text: `Records a second of a UDP load. *Without loss*: at the highest rate of the load, searched by halving, that lost none. *At full
load*: what the kernel side offered, what was delivered, and what was lost. Rates of delivery count the time until the last
record had been consumed. Behind them CPU time of each stage for a record, and the longest stall of the main thread, at the
rate without loss. JSON and the library read larger records (metadata, TCP options) than text and the C program.`,
    charts: [
      {
        suffix: 'events',
        svg: barChart(
          'Records a second without loss',
          rows.map((row) => ({
            label: label(row),
            value: row.lossless ?? 0,
            series: row.consumer.startsWith('C ') ? 2 : 0,
            ...(row.lossless === undefined ? { text: 'none of the rates' } : {}),
          })),
        ),
      },
      {
        suffix: 'events-cpu',
        svg: barChart(
          'CPU time of a record in user space and kernel, nanoseconds',
          rows.map((row) => ({ label: label(row), value: row.kernelNs + row.readerNs + row.mainNs + row.othersNs })),
        ),
      },
    ],
    table: table(
      [
        'consumer',
        'flows',
        'without loss',
        'offered',
        'delivered',
        'lost',
        'kernel ns',
        'reader ns',
        'main thread ns',
        'other threads ns',
        'stall ms',
      ],
      rows.map((row) => [
        row.consumer,
        String(row.flows),
        row.lossless === undefined ? 'none' : plain(row.lossless),
        plain(row.offered),
        plain(row.delivered),
        `${(100 * row.lost).toFixed(0)} %`,
        ...[row.kernelNs, row.readerNs, row.mainNs, row.othersNs, row.stallMs].map(plain),
      ]),
    ),
  };
}

/** @param {import('./groups/start.mjs').StartRow[]} rows @returns {Omit<Section, 'title'>} */
function start(rows) {
  const groups = [...grouped(rows, ({ tool, traffic }) => `${tool}, ${traffic}`)];
  const bars = groups.flatMap(([label, some]) =>
    /** @type {const} */ (['startMs', 'stopMs']).flatMap((field, series) => {
      const values = numbers(some, (row) => row[field]);
      if (values.length === 0) return [];
      const range = { value: median(values), low: Math.min(...values), high: Math.max(...values) };
      return [{ label: `${label}: ${field === 'startMs' ? 'start' : 'stop'}`, ...range, series }];
    }),
  );
  return {
    text: `From exec to \`begin trace...\`, and from Ctrl-C to the exit, idle and beside a load that is traced (\`pingpong\`, as
fast as it can). The load beside a stop ends after ten times as long as other loads: a time beyond that says that it did not stop
before.`,
    charts: [{ suffix: 'start', svg: barChart('Start and stop, milliseconds', bars) }],
    table: table(
      ['tool', 'machine', 'probes', 'runs', 'start ms', 'stop ms'],
      groups.map(([, some]) => {
        const { tool = '', traffic = '', probes, error } = some[0] ?? {};
        if (error) return [tool, traffic, '', '', 'not on this kernel', ''];
        const times = /** @type {const} */ (['startMs', 'stopMs']).map((field) =>
          withSpread(numbers(some, (row) => row[field])),
        );
        return [tool, traffic, String(probes), String(some.length), ...times];
      }),
    ),
  };
}

/** @param {import('./groups/memory.mjs').MemoryRow[]} rows @returns {Omit<Section, 'title'>} */
function memory(rows) {
  return {
    text: `Resident memory of the process when all had been consumed, and its largest so far. *Open traces*: a consumer of the library
whose traces are not closed by age, and datagrams that nobody receives; the table of the packets that are followed has 65536
entries, so more cannot be open.`,
    charts: [
      {
        suffix: 'memory',
        svg: barChart(
          'Largest resident memory, MiB',
          rows.map(({ what, peakKb }) => ({ label: what, value: peakKb / 1024, text: mib(peakKb) })),
        ),
      },
    ],
    table: table(
      ['', 'connections, datagrams, traces', 'resident MiB', 'largest MiB'],
      rows.map(({ what, operations, residentKb, peakKb }) => [
        what,
        String(operations || ''),
        mib(residentKb),
        mib(peakKb),
      ]),
    ),
  };
}

/** @param {import('./groups/growth.mjs').GrowthRow[]} rows @returns {Omit<Section, 'title'>} */
function growth(rows) {
  const chart = (/** @type {'probes' | 'flows'} */ by) => {
    const series = /** @type {const} */ (['unmatched', 'matched']).map((name) => ({
      name,
      points: [
        ...grouped(
          rows.filter((row) => row.by === by && row.traffic === name),
          ({ count }) => String(count),
        ),
      ]
        .map(([count, some]) => ({ x: Number(count), y: median(some.map((row) => row.bpfNsPerPacket)) }))
        .sort((a, b) => a.x - b.x),
    }));
    return { suffix: `growth-${by}`, svg: lineChart(`BPF time of a packet by ${by}, nanoseconds`, series, by) };
  };
  return {
    text: `What \`pingpong\` costs by the number of probes (parts of the default set, the default set, \`-t all\`) and by the number of flows.`,
    charts: [chart('probes'), chart('flows')],
    table: table(
      ['by', '', 'traffic', 'of untraced', 'BPF ns a packet', 'BPF runs a packet'],
      rows.map((row) => [
        row.by,
        String(row.count),
        row.traffic,
        row.share.toFixed(2),
        plain(row.bpfNsPerPacket),
        plain(row.bpfRunsPerPacket),
      ]),
    ),
  };
}

/** @param {import('./groups/show.mjs').ShowRow[]} rows @returns {Omit<Section, 'title'>} */
function show(rows) {
  const bars = rows.map(({ what, mbPerSecond }) => ({ label: what, value: mbPerSecond }));
  return {
    text: `\`nettrace show\` of a file of ${rows[0]?.mb.toFixed(0)} MB that was recorded here: MB of NDJSON a second, without the time that a file of one
line takes. What is not written to a file goes to /dev/null.`,
    charts: [{ suffix: 'show', svg: barChart('nettrace show, MB of NDJSON a second', bars) }],
    table: table(
      ['output, filter', 'MB/s', 'peak MiB'],
      rows.map(({ what, mbPerSecond, peakKb }) => [what, plain(mbPerSecond), mib(peakKb)]),
    ),
  };
}

/**
 * @template Row
 * @param {string} title
 * @param {import('./bench.mjs').Group<Row> | undefined} group
 * @param {(rows: Row[]) => Omit<Section, 'title'>} describe
 * @returns {Section[]}
 */
function section(title, group, describe) {
  if (!group) return [];
  const { text, ...rest } = describe(group.rows);
  return [
    { title, text: group.error === undefined ? text : `${text}\n\nNot all was measured: ${group.error}`, ...rest },
  ];
}

/** @param {Results} results @returns {Section[]} */
export const describeGroups = ({ groups }) => [
  ...section('Cost to the traffic', groups.cost, cost),
  ...section('Records a second', groups.events, events),
  ...section('Start and stop', groups.start, start),
  ...section('Memory', groups.memory, memory),
  ...section('Growth', groups.growth, growth),
  ...section('Reading files', groups.show, show),
];
