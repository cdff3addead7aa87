import { inspect } from 'node:util';
import { UsageError } from './errors.js';
import type { TraceOptions } from './options.js';

interface Shape {
  /** Completes 'must be'. */
  words: string;
  fits(value: unknown): boolean;
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);

const TEXT: Shape = { words: 'a string', fits: isText };
const TEXTS: Shape = { words: 'an array of strings', fits: isTexts };
const PORTS: Shape = {
  words: 'an array of numbers, or of strings such as 8000-8010',
  fits: (value) => Array.isArray(value) && value.every((one) => isText(one) || typeof one === 'number'),
};
const NUMBER: Shape = { words: 'a number', fits: (value) => typeof value === 'number' };
const TEXT_OR_NUMBER: Shape = {
  words: 'a string or a number',
  fits: (value) => TEXT.fits(value) || NUMBER.fits(value),
};
const BOOLEAN: Shape = { words: 'true or false', fits: (value) => typeof value === 'boolean' };
const FUNCTION: Shape = { words: 'a function', fits: (value) => typeof value === 'function' };
const NETNS: Shape = { words: 'a string or an array of strings', fits: (value) => isText(value) || isTexts(value) };
const SIGNAL: Shape = {
  words: 'an AbortSignal',
  // not by its class: that of another realm is none of ours
  fits: (value) => {
    const { aborted, addEventListener, removeEventListener } = Object(value) as Partial<AbortSignal>;
    return [typeof aborted, typeof addEventListener, typeof removeEventListener].join() === 'boolean,function,function';
  },
};

/** What is more than a shape is checked where the option is read. */
const SHAPES: Readonly<Record<keyof TraceOptions, Shape>> = {
  expression: TEXT,
  filterTunnel: TEXT,
  filterMeta: TEXT,
  saddr: TEXTS,
  daddr: TEXTS,
  addr: TEXTS,
  sport: PORTS,
  dport: PORTS,
  port: PORTS,
  proto: TEXT_OR_NUMBER,
  tcpFlags: TEXTS,
  pktLen: TEXT,
  netns: NETNS,
  netnsCurrent: BOOLEAN,
  ifname: TEXT,
  pid: NUMBER,
  comm: TEXT,
  mode: TEXT,
  trace: TEXTS,
  traceExclude: TEXTS,
  traceStack: TEXTS,
  traceMatcher: TEXTS,
  traceFree: TEXTS,
  traceNoclone: BOOLEAN,
  minLatency: NUMBER,
  abnormalOnly: BOOLEAN,
  latencyFree: BOOLEAN,
  filterSrtt: NUMBER,
  filterMinrtt: NUMBER,
  hooks: BOOLEAN,
  counters: BOOLEAN,
  dropAll: BOOLEAN,
  rateLimit: NUMBER,
  sample: TEXT,
  force: BOOLEAN,
  btfPath: TEXT,
  count: NUMBER,
  detail: BOOLEAN,
  bytes: BOOLEAN,
  ret: BOOLEAN,
  explain: BOOLEAN,
  backend: TEXT,
  bufferBytes: NUMBER,
  ageMs: NUMBER,
  signal: SIGNAL,
  onWarning: FUNCTION,
};

const came = (value: unknown) => inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });

/** Throws UsageError for what is no TraceOptions, whatever came, with the option, the rule, and the value that came. */
export function checkShapes(options: unknown): asserts options is TraceOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new UsageError(`the options must be an object, not ${came(options)}`);
  for (const [name, value] of Object.entries(options)) {
    const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name as keyof TraceOptions] : undefined;
    if (!shape)
      throw new UsageError(`there is no option '${name}'`, { advice: `options are ${Object.keys(SHAPES).join(', ')}` });
    if (value !== undefined && !shape.fits(value))
      throw new UsageError(`the option ${name} must be ${shape.words}, not ${came(value)}`);
  }
}
