import { UsageError } from '../errors.js';
import type { KernelVersion } from './by-kernel.js';
import type { Expect } from './expect.js';
import { CASE_NAME } from './names.js';
import type { Network } from './network.js';
import type { ParameterDefinitions, ParameterValues } from './parameters.js';
import type { Requirements } from './requirements.js';
import type { UntilOptions } from './until.js';

export const CASE_GROUPS = ['handshake', 'queues', 'time', 'closing', 'ports', 'path'] as const;

/** What a case is played with. */
export interface PlayContext<P extends ParameterDefinitions, Net> {
  /** What `network` returned; everything in it is up. */
  net: Net;
  parameters: ParameterValues<P>;
  /** The running kernel's. */
  version: KernelVersion;
  /** Does something that has a name, in the report with its time; returns what `action` returns. */
  step<T>(text: string, action: () => T | Promise<T>): Promise<T>;
  /** Waits until something is so that nothing announces: asked every 5 ms, given up after 30 s. */
  until<T>(what: string, test: () => T | Promise<T>, options?: UntilOptions): Promise<NonNullable<T>>;
  /**
   * Sets a sysctl that all namespaces share, such as `net.netfilter.nf_conntrack_max`. It is put back when the case has been
   * played, and after `kill -9` by the next start; meanwhile the whole machine has it, so do it only where a parameter says so.
   */
  setMachineSysctl(name: string, value: number): void;
  /** A whole number from 0 to below `limit`; the same ones for the same --seed. */
  random(limit: number): number;
  /** Aborted when the session has to end: long loops look at it. */
  signal: AbortSignal;
}

/** What expectations are made from. */
export interface ExpectContext<P extends ParameterDefinitions, Net, Facts> {
  expect: Expect;
  net: Net;
  parameters: ParameterValues<P>;
  /** What `play` returned. */
  facts: Facts;
  version: KernelVersion;
}

/** A case: a network, what is played in it, and what is expected of the kernel. */
export interface CaseDefinition<P extends ParameterDefinitions = ParameterDefinitions, Net = unknown, Facts = unknown> {
  /** Lower-case words with hyphens: what `nettrace repro NAME` takes. */
  name: string;
  /** handshake, queues, time, closing, ports, path, or another word. */
  group: string;
  /** What happens, in one line. */
  title: string;
  /** What happens and why, for people who have not seen it: one or several paragraphs, for the documentation. */
  description: string;
  parameters?: P;
  requires?: Requirements;
  /** Why it is not played with these parameters; undefined where it is. */
  skip?(context: { parameters: ParameterValues<P>; version: KernelVersion }): string | undefined;
  /** Groups and functions beyond the default set that have to be traced, as for `-t`. */
  trace?: readonly string[];
  /**
   * How long the session waits, when the case has been played, for packets to come to their end and for expectations to
   * become true, ms (default 2000).
   */
  patienceMs?: number;
  /** Declares hosts and links; what it returns is `net` from then on. */
  network(network: Network, context: { parameters: ParameterValues<P> }): Net;
  /** The traffic. What it returns are `facts`. What it throws ends the case as an error. */
  play(context: PlayContext<P, Net>): Promise<Facts>;
  /** Says what is expected; called when the case has been played. Without it the case only shows what happens. */
  expectations?(context: ExpectContext<P, Net, Facts>): void;
}

/** Any case: what its functions take is known only to itself. */
// biome-ignore lint/suspicious/noExplicitAny: parameters of functions are contravariant, no other type takes every case
export type AnyCase = CaseDefinition<any, any, any>;

/** Checks a case's definition, and lets TypeScript know what its functions take. Throws UsageError. */
export function defineCase<const P extends ParameterDefinitions, Net, Facts>(
  definition: CaseDefinition<P, Net, Facts>,
): CaseDefinition<P, Net, Facts> {
  checkCase(definition);
  return definition;
}

/** Throws UsageError for what is no case: also for modules of users, where no compiler has looked. */
export function checkCase(value: unknown): asserts value is AnyCase {
  const one = value as Partial<AnyCase> | null | undefined;
  if (typeof one !== 'object' || one === null) throw new UsageError('a case is what defineCase returns');
  for (const field of ['name', 'group', 'title', 'description'] as const) {
    if (typeof one[field] !== 'string' || one[field] === '') throw new UsageError(`a case needs a ${field}`);
  }
  if (!CASE_NAME.test(one.name ?? '')) throw new UsageError(`a case's name is lower-case words, not '${one.name}'`);
  for (const field of ['network', 'play', 'expectations'] as const) {
    const isMissing = field === 'expectations' && one[field] === undefined;
    if (!isMissing && typeof one[field] !== 'function')
      throw new UsageError(`case '${one.name}' needs a function '${field}'`);
  }
}
