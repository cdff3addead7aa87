import { describe, expect, it } from 'vitest';
import type { CaseResult } from '../../../src/repro/play.js';
import { resultText, totalText } from '../../../src/repro/text.js';
import { TextFormatter } from '../../../src/sinks/text.js';
import { inetSocket } from '../../support/inet-sockets.js';
import { skbTrace } from '../../support/traces.js';

const formatter = new TextFormatter({ detail: false, date: false, ret: false, color: false });

function result(more: Partial<CaseResult> = {}): CaseResult {
  return {
    v: 1,
    type: 'repro',
    case: 'greets',
    group: 'test',
    title: 'A greeting',
    outcome: 'passed',
    kernel: '6.12.1',
    functions: true,
    parameters: {},
    seed: 1,
    repetition: 1,
    date: '2024-01-01T00:00:00.000000Z',
    durationUs: 1000,
    lost: 0,
    hosts: [],
    links: [],
    steps: [],
    traces: [],
    counters: [],
    connections: [],
    sockets: [],
    checks: [{ text: 'it is heard', status: 'ok', seen: '' }],
    ...more,
  };
}
const text = (more?: Partial<CaseResult>) => resultText(result(more), formatter, false);

describe('what is told of a case', () => {
  it('ends with whether it is as expected', () => {
    expect(text()).toMatch(/expected:\n {2}ok: it is heard\nas expected\n\n$/);
    expect(text({ outcome: 'error', reason: 'no route' })).toMatch(
      / {2}no route\nit could not be played to its end\n\n$/,
    );
  });

  it('does not call as expected what expects nothing', () => {
    expect(text({ outcome: 'shown', checks: [] })).toMatch(/\nnothing was expected that can be seen here\n\n$/);
    expect(totalText([result(), result({ outcome: 'shown' })])).toBe(
      '2 cases: 1 as expected, 0 not, 1 expected nothing that can be seen here\n',
    );
  });

  it('says what was lost, and which traces may lack something', () => {
    const traces = [skbTrace(), skbTrace({ complete: false })];
    expect(text({ lost: 12, traces })).toMatch(
      /ok: it is heard\n {2}12 events were lost meanwhile: what was not seen may have happened\n {2}incomplete: 1 of 2 traces\nas expected/,
    );
    expect(text()).not.toMatch(/lost|incomplete/);
  });

  it('lists some of many sockets, and how many there are more', () => {
    const sockets = Array.from({ length: 1000 }, () => ({ host: 'client', isStray: false, socket: inetSocket() }));
    const lines = text({ sockets }).split('\n');
    expect(lines.filter((line) => line.startsWith('  client: tcp'))).toHaveLength(20);
    expect(lines).toContain('  and 980 more');
  });
});
