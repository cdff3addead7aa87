import type { Backend } from '../load/backends.js';
import type { FilterProto, TraceOptions } from '../options.js';
import { jsonLine } from '../sinks/json.js';
import { FileWriter, openOutputFile } from '../sinks/output-file.js';
import { printable } from '../sinks/printable.js';
import { StreamWriter, type Writer } from '../sinks/stream-writer.js';
import { Summary } from '../sinks/summary.js';
import { TextFormatter } from '../sinks/text.js';
import { type AttachReport, type TraceRun, trace } from '../trace.js';

/** Options of `nettrace` as commander gives them. */
export interface TraceCommandOptions {
  saddr?: string[];
  daddr?: string[];
  addr?: string[];
  sport?: string[];
  dport?: string[];
  port?: string[];
  proto?: FilterProto;
  tcpFlags?: string[];
  pktLen?: string;
  netns?: string;
  netnsCurrent?: boolean;
  ifname?: string;
  pid?: number;
  trace?: string[];
  backend?: Backend;
  count?: number;
  json?: boolean;
  output?: string;
  date?: boolean;
  detail?: boolean;
  ret?: boolean;
  buffer?: number;
  verbose?: boolean;
}

const INTERRUPTED_TWICE = 130;

function toTraceOptions(options: TraceCommandOptions): TraceOptions {
  const { json, output: _o, date: _d, verbose: _v, buffer, detail, ...rest } = options;
  return {
    ...rest,
    // what only JSON and --detail show is only read for them
    detail: Boolean(json || detail),
    ...(buffer === undefined ? {} : { bufferBytes: buffer }),
  };
}

function useColor(options: TraceCommandOptions): boolean {
  return !options.output && Boolean(process.stdout.isTTY) && !process.env.NO_COLOR;
}

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

/** First Ctrl-C (or SIGTERM) ends cleanly, the second at once. */
function stopOnSignals(run: TraceRun): () => void {
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(INTERRUPTED_TWICE);
    asked = true;
    run.stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
}

function openWriter(options: TraceCommandOptions): Writer {
  return options.output === undefined
    ? new StreamWriter(process.stdout)
    : new FileWriter(openOutputFile(options.output), options.output);
}

/** The main job: trace until the end is asked for, and print. */
export async function traceCommand(options: TraceCommandOptions): Promise<void> {
  const run = trace(toTraceOptions(options));
  const forgetSignals = stopOnSignals(run);
  try {
    const report = await run.ready;
    const writer = openWriter(options);
    await printTraces(run, report, writer, options);
  } finally {
    run.stop();
    forgetSignals();
  }
}

async function printTraces(
  run: TraceRun,
  report: AttachReport,
  writer: Writer,
  options: TraceCommandOptions,
): Promise<void> {
  const summary = new Summary();
  const formatter = new TextFormatter({
    detail: options.detail ?? false,
    date: options.date ?? false,
    ret: options.ret ?? false,
    color: useColor(options),
  });
  const say = (line: string) => (options.json ? process.stderr.write(line) : writer.write(line));
  try {
    for (const warning of report.warnings) process.stderr.write(`nettrace: warning: ${printable(warning)}\n`);
    if (options.verbose) process.stderr.write(attachText(report));
    await say('begin trace...\n');
    for await (const one of run) {
      summary.add(one);
      await writer.write(options.json ? jsonLine(one) : formatter.trace(one));
      if (writer.closed) break;
    }
    await say('end trace...\n');
    if (!writer.closed) process.stderr.write(summary.text(run.statistics()));
  } finally {
    writer.close();
  }
}
