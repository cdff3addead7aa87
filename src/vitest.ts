/**
 * Matchers of vitest for what was seen of a case. Importing this module adds them:
 *
 *     import 'nettrace/vitest';
 *     const session = await runCase(myCase);
 *     await expect(session).toDrop({ flags: 'R' }, { at: 'tcp_v4_rcv' });
 *
 * What cannot be seen on this machine (functions, with tracepoints alone) fails, with `not` too: it is not known.
 */
import { expect } from 'vitest';
import { NettraceError } from './errors.js';
import type { MaybeByKernel } from './repro/by-kernel.js';
import { runCheck } from './repro/check.js';
import { Expect, type SocketQuery } from './repro/expect.js';
import type { EventPart } from './repro/expectations.js';
import { type CaseResult, observationOf } from './repro/play.js';
import type { TraceQuery } from './repro/trace-query.js';
import type { Outcome } from './types.js';

interface MatcherResult {
  pass: boolean;
  message: () => string;
}

/** A case that was played, or is being played. */
export type Session = CaseResult | Promise<CaseResult>;

async function judge(session: Session, say: (expect: Expect) => void): Promise<MatcherResult> {
  const observed = observationOf(await session);
  const expectation = new Expect(observed);
  say(expectation);
  const records = expectation.checks.map((check) => runCheck(check, observed));
  const hidden = records.find(({ status }) => status === 'not-visible');
  if (hidden) throw new NettraceError(`it cannot be said whether ${hidden.text}: ${hidden.seen}`);
  const wrong = records.find(({ status }) => status === 'failed');
  const shown = wrong ?? records[0];
  return {
    pass: wrong === undefined,
    message: () => `expected ${wrong ? 'that' : 'not that'} ${shown?.text}\nseen: ${shown?.seen}`,
  };
}

const matchers = {
  toDrop(
    session: Session,
    query: TraceQuery,
    { at, ...rest }: { at: string; reason?: MaybeByKernel<string | undefined> },
  ): Promise<MatcherResult> {
    return judge(session, (say) => {
      if ('reason' in rest) say.trace(query).toBeDroppedAt(at, rest.reason);
      else say.trace(query).toBeDroppedAt(at);
    });
  },
  toPass(session: Session, query: TraceQuery, func: string, part: EventPart = {}): Promise<MatcherResult> {
    return judge(session, (say) => say.trace(query).toPass(func, part));
  },
  toRemain(session: Session, query: SocketQuery | string, count?: number): Promise<MatcherResult> {
    return judge(session, (say) => say.socket(query).toRemain(count));
  },
  toRaise(session: Session, counter: string, by?: number, where: { on?: string } = {}): Promise<MatcherResult> {
    return judge(session, (say) => say.counter(counter, where).toRise(by));
  },
  toHaveVerdict(
    session: Session,
    query: TraceQuery,
    { outcome, cause }: { outcome?: MaybeByKernel<Outcome>; cause?: MaybeByKernel<string> },
  ): Promise<MatcherResult> {
    return judge(session, (say) => {
      if (outcome !== undefined) say.trace(query).toHaveOutcome(outcome);
      if (cause !== undefined) say.trace(query).toHaveCause(cause);
    });
  },
  async toBeAsExpected(session: Session): Promise<MatcherResult> {
    const { outcome, checks, reason } = await session;
    const wrong = checks
      .filter(({ status }) => status === 'failed')
      .map(({ text, seen }) => `${text}\n  seen: ${seen}`);
    const why = wrong.length > 0 ? wrong.join('\n') : (reason ?? '');
    return {
      pass: outcome === 'passed',
      message: () =>
        outcome === 'passed' ? 'expected that the case is not as expected' : `the case ${outcome}: ${why}`,
    };
  },
};

/** What importing this module adds to `expect`. */
export interface ReproMatchers<R = unknown> {
  /** A packet that the query means is freed through kfree_skb by the function `at`. */
  toDrop(query: TraceQuery, where: { at: string; reason?: MaybeByKernel<string | undefined> }): Promise<R>;
  /** The way of a packet leads through this function or tracepoint. */
  toPass(query: TraceQuery, func: string, part?: EventPart): Promise<R>;
  /** Sockets are there when the case has been played. */
  toRemain(query: SocketQuery | string, count?: number): Promise<R>;
  /** A counter rises: by anything, or exactly so much. */
  toRaise(counter: string, by?: number, where?: { on?: string }): Promise<R>;
  /** The verdict on a packet. */
  toHaveVerdict(
    query: TraceQuery,
    verdict: { outcome?: MaybeByKernel<Outcome>; cause?: MaybeByKernel<string> },
  ): Promise<R>;
  /** All that the case itself expects holds. */
  toBeAsExpected(): Promise<R>;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: it has to be declared as vitest declares it
  interface Matchers<T = any> extends ReproMatchers<T> {}
}

expect.extend(matchers);
