import { formatEndpoint } from '../decode/addresses.js';
import { CONNECTION_CAUSES } from '../explain/causes/index.js';
import type { ConnectionOutcome, ConnectionRecord } from '../types.js';
import { type KernelVersion, type MaybeByKernel, resolveByKernel } from './by-kernel.js';
import type { Check } from './check.js';
import { checkAddress, checkFields, checkNumber, checkWords } from './check-words.js';
import { EXPECT_OPTIONS, type ExpectOptions } from './expectations.js';

/** Which TCP connections are meant, from the client to the server: all that is given must hold. */
export interface ConnectionQuery {
  client?: string;
  clientPort?: number;
  server?: string;
  serverPort?: number;
}

const FIELDS: Readonly<Record<keyof ConnectionQuery, true>> = {
  client: true,
  clientPort: true,
  server: true,
  serverPort: true,
};

function matchesConnection({ tuple }: ConnectionRecord, query: ConnectionQuery): boolean {
  const has = { client: tuple.saddr, clientPort: tuple.sport, server: tuple.daddr, serverPort: tuple.dport };
  return Object.entries(query).every(([key, value]) => value === undefined || has[key as keyof typeof has] === value);
}

function queryText({ client = '*', clientPort, server = '*', serverPort }: ConnectionQuery): string {
  return `connection ${formatEndpoint(client, clientPort)} - ${formatEndpoint(server, serverPort)}`;
}

function connectionText({ tuple, verdict }: ConnectionRecord): string {
  const { saddr, sport, daddr, dport } = tuple;
  return `${formatEndpoint(saddr, sport)} - ${formatEndpoint(daddr, dport)}: ${verdict.outcome} (${verdict.cause})`;
}

/** What became of TCP connections, by all of their segments. One of those that are meant must be as expected. */
export class ConnectionExpectation {
  readonly #query: ConnectionQuery;
  readonly #options: ExpectOptions;
  readonly #add: (check: Check) => void;

  /** Throws UsageError for a query that no connection could answer. */
  constructor(query: ConnectionQuery, options: ExpectOptions, add: (check: Check) => void) {
    checkFields('query for connections', query, Object.keys(FIELDS));
    checkFields('list of options', options, EXPECT_OPTIONS);
    for (const name of ['client', 'server'] as const) checkAddress(name, query[name]);
    for (const name of ['clientPort', 'serverPort'] as const) checkNumber(name, query[name]);
    this.#query = query;
    this.#options = options;
    this.#add = add;
  }

  toHaveOutcome(outcome: MaybeByKernel<ConnectionOutcome>): void {
    checkWords(
      'outcome of a connection',
      outcome,
      CONNECTION_CAUSES.map((cause) => cause.outcome),
    );
    this.#some(
      (version) => `ends as ${resolveByKernel(outcome, version)}`,
      ({ verdict }, version) => verdict.outcome === resolveByKernel(outcome, version),
    );
  }

  /** By the cause's stable word, of the list in docs/verdicts.md. */
  toHaveCause(cause: MaybeByKernel<string>): void {
    checkWords(
      'cause of a connection',
      cause,
      CONNECTION_CAUSES.map(({ id }) => id),
    );
    this.#some(
      (version) => `has the cause ${resolveByKernel(cause, version)}`,
      ({ verdict }, version) => verdict.cause === resolveByKernel(cause, version),
    );
  }

  #some(
    text: (version: KernelVersion) => string,
    test: (record: ConnectionRecord, version: KernelVersion) => boolean,
  ): void {
    const query = this.#query;
    const { needs } = this.#options;
    this.#add({
      text: (version) => `${queryText(query)} ${text(version)}`,
      find({ connections, noFunctions, version }) {
        if (needs === 'functions' && noFunctions !== undefined) return { invisible: noFunctions };
        const meant = connections.filter((record) => matchesConnection(record, query));
        const seen = (meant.length > 0 ? meant : connections).map(connectionText).join('; ') || 'no connections';
        return { ok: meant.some((record) => test(record, version)), seen };
      },
    });
  }
}
