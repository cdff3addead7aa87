import type { Backend } from '../load/backend-names.js';
import { hasFunctions } from '../load/backends.js';
import type { KernelReading } from '../load/kernel.js';
import { handOver } from '../load/take-down.js';
import { wordsNotTraced } from '../load/words-not-traced.js';
import { followsPackets, type Mode } from '../modes.js';
import type { TraceOptions } from '../options.js';
import { Run } from '../run.js';
import { defaultSample } from '../sample.js';
import { BlockWriter } from '../sinks/block-writer.js';
import { blockLength, checkPlace, openWriter } from '../sinks/open-writer.js';
import { printable } from '../sinks/printable.js';
import type { Writer } from '../sinks/stream-writer.js';
import { Summary } from '../sinks/summary.js';
import type { AttachReport, TraceRun } from '../trace.js';
import type { OutputRecord } from '../types.js';
import { checkOutput, type FilterOptions } from './common-options.js';
import { type ExpressionOptions, type ModeOptions, modeOf, type PlaceOptions } from './mode-options.js';
import { probesCommand } from './probes.js';
import { RecordPrinter } from './record-printer.js';
import { stopOnSignals } from './stop-on-signals.js';

/** Options of `nettrace` as commander gives them. */
export interface TraceCommandOptions extends FilterOptions, ModeOptions, PlaceOptions, ExpressionOptions {
  /** The words behind the options. */
  expression?: string;
  netnsCurrent?: boolean;
  backend?: Backend;
  counters?: boolean;
  rateLimit?: number;
  sample?: string;
  force?: boolean;
  btfPath?: string;
  buffer?: number;
  verbose?: boolean;
  debug?: boolean;
}

/** Modes that name owners in each line. */
const WITH_OWNER: readonly Mode[] = ['drop', 'sock'];

/** Both ways to give an expression are one filter. */
function joinExpressions({ filter, expression }: TraceCommandOptions): string | undefined {
  return filter !== undefined && expression !== undefined ? `(${filter}) and (${expression})` : (filter ?? expression);
}

/** What the library is asked for. Throws UsageError as modeOf. */
export function toTraceOptions(options: TraceCommandOptions): TraceOptions {
  const { json, detail, buffer, netns } = options;
  const [only, ...others] = netns ?? [];
  const mode = modeOf(options);
  const expression = joinExpressions(options);
  const rest: TraceOptions = {};
  for (const name of TRACE_OPTIONS) if (options[name] !== undefined) Object.assign(rest, { [name]: options[name] });
  return {
    ...rest,
    mode,
    ...(expression === undefined ? {} : { expression }),
    // one namespace is a constant of the program, which costs less than a list
    ...(netns ? { netns: others.length === 0 && only !== undefined ? only : netns } : {}),
    // what only they show is only read for them; findings have values of the packet's network namespace
    detail: Boolean(json || detail || options.explain || options.diag || WITH_OWNER.includes(mode)),
    ...(json ? { bytes: true } : {}),
    ...(options.diagQuiet ? { abnormalOnly: true } : {}),
    ...(options.dropStack ? { traceStack: [...(options.traceStack ?? []), 'kfree_skb'] } : {}),
    ...(buffer === undefined ? {} : { bufferBytes: buffer }),
  };
}

/** Those that the library has by the same name. */
const TRACE_OPTIONS = [
  'filterTunnel',
  'filterMeta',
  'saddr',
  'daddr',
  'addr',
  'sport',
  'dport',
  'port',
  'proto',
  'tcpFlags',
  'pktLen',
  'netnsCurrent',
  'ifname',
  'pid',
  'comm',
  'trace',
  'traceExclude',
  'traceStack',
  'traceMatcher',
  'traceFree',
  'traceNoclone',
  'backend',
  'dropAll',
  'filterSrtt',
  'filterMinrtt',
  'minLatency',
  'latencyFree',
  'hooks',
  'counters',
  'rateLimit',
  'sample',
  'force',
  'btfPath',
  'count',
  'ret',
  'explain',
] as const satisfies readonly (keyof TraceOptions & keyof TraceCommandOptions)[];

function attachText(report: AttachReport): string {
  const lines: string[] = [];
  for (const { probe, backend, hasReturn, failures } of report.outcomes) {
    const { name } = probe.definition;
    const how = backend ? `${backend}${hasReturn ? ' with return value' : ''}` : 'not attached';
    const target = probe.target === name ? '' : ` (${probe.target})`;
    const tried = failures.map((f) => `; ${f.backend}: ${f.code}${backend ? '' : ` ${f.message}`}`).join('');
    lines.push(`${name}${target}: ${how}${tried}`);
  }
  for (const { definition, why } of report.unavailable) lines.push(`${definition.name}: not here: ${why}`);
  return `${lines.map(printable).join('\n')}\n`;
}

function warn(text: string): void {
  process.stderr.write(`nettrace: warning: ${printable(text)}\n`);
}

/** The main job: trace until the end is asked for, and print. `-t ?` asks for the list, as it always has. */
export async function traceCommand(options: TraceCommandOptions, kernel?: KernelReading): Promise<void> {
  if (options.trace?.includes('?')) return probesCommand(options);
  checkOutput(options);
  checkPlace(options);
  if (options.debug) process.env.NETTRACE_DEBUG = '1';
  const wanted = toTraceOptions(options);
  const run = new Run(
    {
      // given, so that what is left out is told while it happens
      ...(followsPackets(wanted.mode ?? 'life') ? { sample: defaultSample(wanted) } : {}),
      ...wanted,
      onWarning: warn,
    },
    kernel,
  );
  process.once('exit', handOver);
  const forgetSignals = stopOnSignals(() => run.stop());
  try {
    const report = await run.ready;
    const writer = new BlockWriter(
      openWriter(options, () => run.stop()),
      blockLength(options),
    );
    await printRecords(run, report, writer, options);
  } finally {
    run.stop();
    forgetSignals();
  }
}

/** What a kernel cannot show, in one line before it is missed. */
function limits(report: AttachReport, mode: Mode, { backend, hooks }: TraceCommandOptions): string | undefined {
  if (hasFunctions(report.outcomes) || mode === 'drop' || mode === 'func-stats') return undefined;
  const missing = `functions, ${hooks ? 'those at netfilter hooks, ' : ''}return values and frees inside TCP are not seen`;
  return backend === 'tracepoint'
    ? `tracepoints only, as --backend asks for: ${missing}`
    : `this kernel gives tracepoints only: ${missing} (nettrace doctor says why)`;
}

/** What was asked for by name and is not there: without it a list may stay empty for ever. */
function notTraced(report: AttachReport, options: TraceCommandOptions): string[] {
  const { trace = [], traceMatcher = [], traceFree = [], traceStack = [] } = options;
  return wordsNotTraced([...trace, ...traceMatcher, ...traceFree, ...traceStack], report);
}

async function printRecords(
  run: TraceRun<OutputRecord>,
  report: AttachReport,
  writer: Writer,
  options: TraceCommandOptions,
): Promise<void> {
  const summary = new Summary(modeOf(options));
  const printer = new RecordPrinter(options);
  const say = (line: string) => (options.json ? process.stderr.write(line) : writer.write(line));
  const limit = limits(report, modeOf(options), options);
  const missing = notTraced(report, options);
  try {
    for (const warning of report.warnings) warn(warning);
    if (limit) process.stderr.write(`nettrace: ${limit}\n`);
    if (missing.length > 0) process.stderr.write(`nettrace: not traced here: ${missing.map(printable).join(', ')}\n`);
    if (options.verbose || options.debug) process.stderr.write(attachText(report));
    await say('begin trace...\n');
    for await (const record of run) {
      summary.add(record);
      const text = printer.text(record);
      if (text !== undefined) await writer.write(text);
      if (writer.closed || printer.finished) break;
    }
    await say('end trace...\n');
    if (!writer.closed) process.stderr.write(summary.text(run.statistics()));
  } finally {
    await writer.close();
  }
}
