import { describe, expect, it } from 'vitest';
import { modeOf } from '../../../src/commands/mode-options.js';
import { UsageError } from '../../../src/errors.js';

describe('the mode', () => {
  it.each([
    [{}, 'life'],
    [{ basic: true }, 'basic'],
    [{ drop: true, dropStack: true, dropAll: true }, 'drop'],
    [{ monitor: true, dropAll: true }, 'monitor'],
    [{ sock: true }, 'sock'],
    [{ rtt: true }, 'rtt'],
    [{ rttDetail: true }, 'rtt-detail'],
    [{ latency: true }, 'latency'],
    [{ latencySummary: true }, 'latency-summary'],
    [{ latency: true, latencySummary: true }, 'latency-summary'],
    [{ funcStats: true }, 'func-stats'],
    [{ diag: true, tinyShow: true, latencyShow: true }, 'life'],
  ] as const)('of %j is %s', (options, expected) => {
    expect(modeOf(options)).toBe(expected);
  });

  it.each([
    [{ basic: true, drop: true }, '--basic and --drop: choose one mode'],
    [{ rtt: true, rttDetail: true, sock: true }, '--sock and --rtt and --rtt-detail: choose one mode'],
    [{ latency: true, funcStats: true }, '--latency and --func-stats: choose one mode'],
    [{ diag: true, drop: true }, '--diag makes no sense with --drop: it shows no whole ways'],
    [{ tinyShow: true, basic: true }, '--tiny-show makes no sense with --basic: it shows no whole ways'],
    [{ latencyShow: true, latency: true }, '--latency-show makes no sense with --latency: it shows no whole ways'],
    [{ dropStack: true }, '--drop-stack makes no sense without --drop'],
    [{ dropStack: true, monitor: true }, '--drop-stack makes no sense without --drop'],
    [{ dropAll: true, basic: true }, '--drop-all makes no sense without --drop or --monitor'],
  ] as const)('of %j is refused: %s', (options, message) => {
    expect(() => modeOf(options)).toThrow(new UsageError(message));
  });
});
