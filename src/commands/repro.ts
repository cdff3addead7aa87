import { NettraceError, UsageError } from '../errors.js';
import type { Backend } from '../load/backend-names.js';
import { handOver } from '../load/take-down.js';
import { CaptureFile } from '../repro/capture.js';
import { builtinCases, checkSettings, resolveCases } from '../repro/load-cases.js';
import { parameterValues, parseSettings } from '../repro/parameters.js';
import { type CaseResult, toRecord } from '../repro/play.js';
import { playCases, type SessionOptions } from '../repro/session.js';
import { listText, resultText, totalText } from '../repro/text.js';
import { jsonLine } from '../sinks/json.js';
import { openWriter } from '../sinks/open-writer.js';
import type { Writer } from '../sinks/stream-writer.js';
import { TextFormatter } from '../sinks/text.js';
import { textOptions, useColor } from './common-options.js';
import type { JsonOption } from './doctor.js';
import { stopOnSignals } from './stop-on-signals.js';

/** Options of `nettrace repro` as commander gives them. */
export interface ReproOptions extends JsonOption {
  set?: string[];
  output?: string;
  detail?: boolean;
  keep?: boolean;
  pcap?: string;
  repeat?: number;
  jobs?: number;
  seed?: number;
  backend?: Backend;
}

const INTERRUPTED = 130;

async function listCases(options: JsonOption): Promise<void> {
  const cases = await builtinCases();
  if (!options.json) {
    process.stdout.write(listText(cases));
    return;
  }
  for (const { name, group, title, description, parameters = {} } of cases)
    process.stdout.write(jsonLine({ v: 1, type: 'case', name, group, title, description, parameters }));
}

/** How to get into what was left standing, and how to remove it. */
function keptText(result: CaseResult): string {
  const lines = result.hosts.map(({ name, namespace }) => `  ${name}: ip netns exec ${namespace} bash`);
  const remove = result.hosts.map(({ namespace }) => `ip netns delete ${namespace}`).join('; ');
  return `the network of ${result.case} is left standing (its sockets end with this program):\n${lines.join('\n')}\n  to remove it: ${remove}\n`;
}

class Reporter {
  readonly results: CaseResult[] = [];
  readonly #writer: Writer;
  readonly #options: ReproOptions;
  readonly #formatter: TextFormatter;

  constructor(writer: Writer, options: ReproOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#formatter = new TextFormatter(textOptions(options));
  }

  async report(result: CaseResult): Promise<void> {
    const { json, keep } = this.#options;
    this.results.push(result);
    try {
      if (json) {
        for (const trace of result.traces) await this.#writer.write(jsonLine(trace));
        await this.#writer.write(jsonLine(toRecord(result)));
      } else await this.#writer.write(resultText(result, this.#formatter, useColor(this.#options)));
    } finally {
      // it stands also where the result could not be written
      if (keep && result.hosts.length > 0) process.stderr.write(keptText(result));
    }
  }
}

/** Plays cases. Returns the exit code: 1 where one is not as expected, or could not be played. */
export async function reproCommand(words: readonly string[], options: ReproOptions): Promise<number> {
  if (words[0] === 'list') {
    if (words.length > 1) throw new UsageError('repro list takes no names', { advice: 'it lists all cases' });
    await listCases(options);
    return 0;
  }
  if (process.geteuid?.() !== 0) throw new NettraceError('a session makes network namespaces: it needs root');
  const { repeat = 1, jobs = 1, seed = 1, keep = false, backend, pcap } = options;
  if (repeat < 1) throw new UsageError(`--repeat must be at least 1, not '${repeat}'`);
  if (jobs < 1) throw new UsageError(`--jobs must be at least 1, not '${jobs}'`);
  if (pcap === '-')
    throw new UsageError("--pcap takes the name of a file, not '-'", { advice: './-: a file of that name' });
  const cases = await resolveCases(words);
  const settings = parseSettings(options.set ?? []);
  checkSettings(cases, settings);
  for (const { parameters = {} } of cases) parameterValues(parameters, settings);
  const stopping = new AbortController();
  process.once('exit', handOver);
  const forgetSignals = stopOnSignals(() => stopping.abort(new Error('interrupted')));
  const writer = openWriter(options);
  const capture = pcap === undefined ? undefined : new CaptureFile(pcap);
  const reporter = new Reporter(writer, options);
  const session: SessionOptions = {
    settings,
    seed,
    repeat,
    jobs,
    keep,
    signal: stopping.signal,
    ...(backend ? { backend } : {}),
    ...(capture ? { onNetwork: (network) => capture.begin(network) } : {}),
  };
  try {
    for await (const result of playCases(cases, session)) {
      await reporter.report(result);
      if (writer.closed) break;
    }
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    const removed = keep ? 'the network of what was being played' : 'what was made';
    process.stderr.write(`nettrace: interrupted; ${removed} is removed\n`);
    return INTERRUPTED;
  } finally {
    forgetSignals();
    capture?.close();
    await writer.close();
  }
  if (capture && capture.lost > 0) process.stderr.write(`nettrace: ${capture.lost} packets are not in '${pcap}'\n`);
  process.stderr.write(totalText(reporter.results));
  return reporter.results.some(({ outcome }) => outcome === 'failed' || outcome === 'error') ? 1 : 0;
}
