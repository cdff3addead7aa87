import { NettraceError, UsageError } from '../errors.js';
import { recordedMeta } from '../filter/recorded-meta.js';
import { currentNetnsInode, netnsInode } from '../load/netns.js';
import { nothingLeft } from '../load/select-probes.js';
import { parseFilter } from '../options.js';
import type { ModeChoice } from '../read/as-mode.js';
import { FunctionSet } from '../read/function-set.js';
import { recordMatcher, type SubjectTest } from '../read/match-filter.js';
import type { FilterOptions } from './common-options.js';
import { type ExpressionOptions, type ModeOptions, modeOf, type PlaceOptions } from './mode-options.js';

/** Which records, and as what. */
export interface ChoiceOptions extends FilterOptions, ModeOptions, PlaceOptions, ExpressionOptions {
  netnsCurrent?: boolean;
}

/** The expression as a test of records. libpcap is behind the addon, which is loaded for this only. */
async function expressionTest(expression: string): Promise<SubjectTest> {
  let compiler: typeof import('../filter/pcap-expression.js');
  try {
    compiler = await import('../filter/pcap-expression.js');
  } catch (cause) {
    throw new NettraceError(
      '--filter needs the addon, which makes libpcap compile the expression, and it is not here',
      {
        advice: 'without it: -P, --addr, -p, --tcp-flags and --filter-meta',
        cause,
      },
    );
  }
  const { recordedExpression } = await import('../filter/recorded-expression.js');
  const test = recordedExpression(expression, compiler.compileExpression(expression, 'filter expression'));
  return ({ proto, tuple, event }) => tuple !== undefined && event !== undefined && test({ proto, tuple, event });
}

function metaTest(expression: string): SubjectTest {
  const test = recordedMeta(expression);
  return ({ proto, tuple, event }) => event !== undefined && test({ proto, tuple, event });
}

/** A function's words, where any were given. */
function functions(words: readonly string[] | undefined): FunctionSet | undefined {
  return words && words.length > 0 ? new FunctionSet(words) : undefined;
}

function stacksOf({ traceStack, drop, dropStack }: ChoiceOptions): ModeChoice['details']['stacks'] {
  if (dropStack) return 'all';
  return functions(traceStack) ?? (drop ? 'none' : 'all');
}

/** Throws UsageError for options that make no sense, NettraceError where --filter cannot be compiled. */
export async function modeChoice(options: ChoiceOptions): Promise<ModeChoice> {
  const { netns, filter: expression, filterTunnel, filterMeta, ...rest } = options;
  const mode = modeOf(options);
  const filter = parseFilter({
    ...rest,
    mode,
    ...(expression === undefined ? {} : { expression }),
    ...(filterMeta === undefined ? {} : { filterMeta }),
  });
  if (filterTunnel !== undefined) {
    throw new UsageError('--filter-tunnel: what is inside of tunnels is not recorded', {
      advice: 'give it when tracing, or ask for the addresses and ports that the trace shows',
    });
  }
  const inodes = options.netnsCurrent ? [currentNetnsInode()] : netns?.map(netnsInode);
  const [only, without] = [functions(options.trace), functions(options.traceExclude)];
  if (without?.holdsAll(only)) throw nothingLeft();
  const more: SubjectTest[] = [];
  if (filterMeta !== undefined) more.push(metaTest(filterMeta));
  if (expression !== undefined) more.push(await expressionTest(expression));
  return {
    mode,
    matches: recordMatcher({ ...filter, netns: inodes }, more),
    events: {
      only,
      without,
      begin: functions(options.traceMatcher),
      end: functions(options.traceFree),
      noClones: options.traceNoclone ?? false,
    },
    details: {
      stacks: stacksOf(options),
      // as return values: JSON has all that was recorded, and findings name them
      hooks: Boolean(options.hooks || options.json || options.diag),
    },
    explain: options.explain ?? false,
    dropAll: options.dropAll ?? false,
    minLatency: options.minLatency ?? 0,
    latencyFree: options.latencyFree ?? false,
    minSrtt: (options.filterSrtt ?? 0) * 1000,
    minRtt: (options.filterMinrtt ?? 0) * 1000,
  };
}
