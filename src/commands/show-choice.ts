import { NettraceError } from '../errors.js';
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

/** Expressions on packets as tests of records. libpcap is behind the addon, which is loaded for these only. */
async function expressionTests({ filter, filterTunnel }: ExpressionOptions): Promise<SubjectTest[]> {
  if (filter === undefined && filterTunnel === undefined) return [];
  let compiler: typeof import('../filter/pcap-expression.js');
  try {
    compiler = await import('../filter/pcap-expression.js');
  } catch (cause) {
    const option = filter === undefined ? '--filter-tunnel' : '--filter';
    throw new NettraceError(
      `${option} needs the addon, which makes libpcap compile the expression, and it is not here`,
      {
        advice: 'without it: -P, --addr, -p, --tcp-flags and --filter-meta',
        cause,
      },
    );
  }
  const { recordedExpression, recordedTunnel } = await import('../filter/recorded-expression.js');
  const tests: SubjectTest[] = [];
  if (filter !== undefined)
    tests.push(recordedExpression(filter, compiler.compileExpression(filter, 'filter expression')));
  if (filterTunnel !== undefined) tests.push(recordedTunnel(compiler.compileExpression(filterTunnel, 'tunnel filter')));
  return tests;
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
    ...(filterTunnel === undefined ? {} : { filterTunnel }),
    ...(filterMeta === undefined ? {} : { filterMeta }),
  });
  const inodes = options.netnsCurrent ? [currentNetnsInode()] : netns?.map(netnsInode);
  const [only, without] = [functions(options.trace), functions(options.traceExclude)];
  if (without?.holdsAll(only)) throw nothingLeft();
  const more: SubjectTest[] = [];
  if (filterMeta !== undefined) more.push(metaTest(filterMeta));
  more.push(...(await expressionTests(options)));
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
