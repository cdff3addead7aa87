import { constants } from 'node:os';
import { netfilterFamilyName, netfilterHookName, netfilterVerdictName, nftVerdictName } from '../decode/names.js';
import type { AttachOutcome } from '../load/backends.js';
import type { Kernel } from '../load/kernel.js';
import type {
  NoteDefinition,
  ProbeDefinition,
  ReturnCondition,
  ReturnKind,
  ValueFormat,
} from '../load/probe-definition.js';
import type { DropInfo, NamedValue, NetfilterInfo, Note, SocketInfo, TraceEvent } from '../types.js';
import { dropReason } from './drop-reasons.js';
import { type ReadValues, readNothing } from './read-values.js';

/** Of two names for a number the one that the kernel's sources use. */
const { EWOULDBLOCK: _w, ENOTSUP: _n, ...ERRNOS } = constants.errno;
const ERRNO_NAMES = new Map(Object.entries(ERRNOS).map(([name, value]) => [value, name]));

/** A return register as the number that the function's C type says. */
export function typedReturn(register: bigint, type: string | undefined): bigint {
  if (type?.includes('*')) return BigInt.asUintN(64, register);
  switch (type) {
    case 'bool':
    case '_Bool':
      return register & 1n;
    case 'unsigned int':
    case 'u32':
    case '__u32':
      return BigInt.asUintN(32, register);
    case 'long':
    case 'long int':
    case 'long long int':
    case 'ssize_t':
    case 's64':
      return BigInt.asIntN(64, register);
    case 'unsigned long':
    case 'long unsigned int':
    case 'long long unsigned int':
    case 'size_t':
    case 'u64':
      return BigInt.asUintN(64, register);
    default:
      return BigInt.asIntN(32, register); // int, enums, and what is not known
  }
}

function kindOf(type: string | undefined): ReturnKind {
  if (type === 'enum skb_drop_reason') return 'reason';
  if (type === 'bool' || type === '_Bool') return 'bool';
  return type?.includes('*') ? 'pointer' : 'int';
}

/** The drop reason that a value is, or is the negative of: fib_validate_source() returns -reason from 6.14 on. */
function reasonOf(value: bigint, kernel: Kernel): string {
  return kernel.dropReason(Number(value < 0n ? -value : value));
}

function matchesKernel(when: ReturnCondition, value: bigint, type: string | undefined, kernel: Kernel): boolean {
  if (when.type && !when.type.includes(kindOf(type))) return false;
  if (when.hasReason) {
    const isAbsent = when.hasReason.startsWith('!');
    if (kernel.hasDropReason(when.hasReason.replace('!', '')) === isAbsent) return false;
  }
  return !when.reason || when.reason.includes(reasonOf(value, kernel));
}

function matchesNumber(when: ReturnCondition, value: bigint): boolean {
  const masked = when.mask === undefined ? value : value & BigInt(when.mask);
  if (when.eq !== undefined && masked !== BigInt(when.eq)) return false;
  if (when.ne !== undefined && masked === BigInt(when.ne)) return false;
  if (when.lt !== undefined && !(masked < BigInt(when.lt))) return false;
  if (when.gt !== undefined && !(masked > BigInt(when.gt))) return false;
  return true;
}

function formatFor(show: ValueFormat | undefined, type: string | undefined): ValueFormat {
  if (show) return show;
  const kind = kindOf(type);
  if (kind === 'reason') return 'reason';
  return kind === 'pointer' ? 'hex' : 'errno';
}

function valueText(value: bigint, format: ValueFormat, kernel: Kernel): string {
  switch (format) {
    case 'reason':
      return reasonOf(value, kernel);
    case 'hex':
      return `0x${BigInt.asUintN(64, value).toString(16)}`;
    case 'verdict':
      return netfilterVerdictName(Number(value & 0xffn));
    case 'errno':
      return ERRNO_NAMES.get(Number(-value)) ?? String(value);
    default:
      return String(value);
  }
}

function noteOf(definition: NoteDefinition, value: () => string, read: ReadValues): Note {
  const note: Note = { level: definition.level, text: definition.text.replaceAll('%v', value) };
  if (definition.advice) note.advice = definition.advice;
  if (definition.cause) note.cause = definition.cause;
  addValues(note, definition.values, read);
  return note;
}

function addValues(note: Note, names: readonly string[] | undefined, read: ReadValues): void {
  const values = names ? read(names) : [];
  if (values.length > 0) note.values = values;
}

/** The note's advice with the values that it is about; undefined where it has none. */
export function adviceText(note: Note): string | undefined {
  return note.advice ? adviceWithValues(note.advice, note.values ?? []) : undefined;
}

export function adviceWithValues(advice: string, values: readonly NamedValue[]): string {
  return [advice, ...values.map(({ name, value }) => `${name} is ${value}`)].join('; ');
}

/** What the value that a function returned, or a tracepoint carried, says; undefined where no rule fits. */
export function returnNote(
  outcome: AttachOutcome,
  value: bigint,
  kernel: Kernel,
  read: ReadValues = readNothing,
): Note | undefined {
  const { definition, returnType } = outcome.probe;
  const rule = definition.returns.find(
    ({ when }) => matchesNumber(when, value) && matchesKernel(when, value, returnType, kernel),
  );
  return rule && noteOf(rule.note, () => valueText(value, formatFor(definition.show, returnType), kernel), read);
}

export function visitNote(definition: ProbeDefinition, read: ReadValues = readNothing): Note | undefined {
  return definition.note && noteOf(definition.note, () => '', read);
}

export function netfilterNote(info: NetfilterInfo): Note | undefined {
  if (info.table) {
    const chain = info.chain ? `, chain:${info.chain}` : info.hook ? `, chain:${info.hook.replace('_', '')}` : '';
    return { level: 'info', text: `iptables table:${info.table}${chain}` };
  }
  return info.hook ? { level: 'info', text: `${info.family ?? ''} in chain: ${info.hook}` } : undefined;
}

export function netfilterInfo(raw: {
  family: number;
  hook: number;
  hasState: boolean;
  table: string;
  chain: string;
  rule: { handle: number; verdict: number } | undefined;
}): NetfilterInfo {
  const info: NetfilterInfo = {};
  if (raw.hasState) {
    info.family = netfilterFamilyName(raw.family);
    info.hook = netfilterHookName(raw.family, raw.hook);
  }
  if (raw.table) info.table = raw.table;
  if (raw.chain) info.chain = raw.chain;
  if (raw.rule) info.rule = { handle: raw.rule.handle, verdict: nftVerdictName(raw.rule.verdict) };
  return info;
}

const DROPPED = 'packet is dropped by kernel';

/**
 * Two notes as users know them: where and why, and that it is a drop. Where that is no loss they are no errors, and a
 * third note says so.
 */
export function dropNotes(drop: DropInfo, read: ReadValues = readNothing): Note[] {
  const reason = dropReason(drop.reason);
  const { noLoss } = drop;
  const level = noLoss === undefined ? (reason?.level ?? 'error') : 'info';
  const where: Note = { level, text: dropText(drop) };
  const what: Note = { level, text: DROPPED };
  if (noLoss !== undefined) return [where, what, { level, text: `no loss: ${noLoss}` }];
  if (reason && drop.reason !== 'NOT_SPECIFIED') {
    what.advice = `${reason.meaning}; ${reason.advice}`;
    addValues(what, reason.values, read);
  }
  return [where, what];
}

/** One of those that dropNotes makes. */
export function isDropNote({ text }: Note): boolean {
  return text === DROPPED || text.startsWith('no loss: ') || /^(reason: \w+, )?\S+\+0x[0-9a-f]+/.test(text);
}

function dropText(drop: DropInfo): string {
  return `${drop.reason ? `reason: ${drop.reason}, ` : ''}${drop.location}`;
}

/** Whether a note only says in words what the event's `drop` or `socket` holds. */
export function isDetail(note: Note, event: TraceEvent): boolean {
  if (event.drop && note.text === dropText(event.drop)) return true;
  return event.socket !== undefined && note.level === 'error' && note.text === resetText(event.socket);
}

/** TCP state of the socket that a reset is about. */
export function resetState({ state }: SocketInfo): string {
  return state ?? 'no socket';
}

function resetText(info: SocketInfo): string {
  const reason = info.resetReason ? `reason: ${info.resetReason}, ` : '';
  return `${reason}state: ${resetState(info)}`;
}

export function socketNotes(info: SocketInfo, isReset: boolean): Note[] {
  const notes: Note[] = [];
  if (isReset) {
    notes.push({ level: 'error', text: resetText(info) });
  } else if (info.newState && info.newState !== info.state) {
    notes.push({ level: 'info', text: `TCP socket state has changed: ${info.state ?? 'none'} -> ${info.newState}` });
  }
  return notes;
}
