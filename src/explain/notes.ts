import { constants } from 'node:os';
import { netfilterFamilyName, netfilterHookName, netfilterVerdictName } from '../decode/names.js';
import type { AttachOutcome } from '../load/backends.js';
import type { Kernel } from '../load/kernel.js';
import type { NoteDefinition, ProbeDefinition, ReturnCondition, ValueFormat } from '../load/probe-definition.js';
import type { DropInfo, NetfilterInfo, Note, SocketInfo } from '../types.js';
import { dropAdvice } from './drop-advice.js';

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

function matches(when: ReturnCondition, value: bigint): boolean {
  const masked = when.mask === undefined ? value : value & BigInt(when.mask);
  if (when.eq !== undefined && masked !== BigInt(when.eq)) return false;
  if (when.ne !== undefined && masked === BigInt(when.ne)) return false;
  if (when.lt !== undefined && !(masked < BigInt(when.lt))) return false;
  if (when.gt !== undefined && !(masked > BigInt(when.gt))) return false;
  return true;
}

function formatFor(show: ValueFormat | undefined, type: string | undefined): ValueFormat {
  if (show) return show;
  if (type === 'enum skb_drop_reason') return 'reason';
  if (type?.includes('*')) return 'hex';
  return 'errno';
}

function valueText(value: bigint, format: ValueFormat, kernel: Kernel): string {
  switch (format) {
    case 'reason':
      return kernel.dropReason(Number(BigInt.asUintN(32, value)));
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

function noteOf(definition: NoteDefinition, value: string): Note {
  const note: Note = { level: definition.level, text: definition.text.replaceAll('%v', value) };
  if (definition.advice) note.advice = definition.advice;
  return note;
}

/** What the value that a function returned, or a tracepoint carried, says; undefined where no rule fits. */
export function returnNote(outcome: AttachOutcome, value: bigint, kernel: Kernel): Note | undefined {
  const { definition, returnType } = outcome.probe;
  const rule = definition.returns.find((r) => matches(r.when, value));
  return rule && noteOf(rule.note, valueText(value, formatFor(definition.show, returnType), kernel));
}

export function visitNote(definition: ProbeDefinition): Note | undefined {
  return definition.note && noteOf(definition.note, '');
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
}): NetfilterInfo {
  const info: NetfilterInfo = {};
  if (raw.hasState) {
    info.family = netfilterFamilyName(raw.family);
    info.hook = netfilterHookName(raw.family, raw.hook);
  }
  if (raw.table) info.table = raw.table;
  if (raw.chain) info.chain = raw.chain;
  return info;
}

/** Two notes as users know them: where and why, and that it is a drop. */
export function dropNotes(drop: DropInfo): Note[] {
  const where: Note = { level: 'error', text: `${drop.reason ? `reason: ${drop.reason}, ` : ''}${drop.location}` };
  const advice = dropAdvice(drop.reason);
  const what: Note = { level: 'error', text: 'packet is dropped by kernel' };
  if (advice) what.advice = `${advice.meaning}; ${advice.action}`;
  return [where, what];
}

export function socketNotes(info: SocketInfo, isReset: boolean): Note[] {
  const notes: Note[] = [];
  if (isReset) {
    const reason = info.resetReason ? `reason: ${info.resetReason}, ` : '';
    notes.push({ level: 'error', text: `${reason}state: ${info.state ?? 'no socket'}` });
  } else if (info.newState && info.newState !== info.state) {
    notes.push({ level: 'info', text: `TCP socket state has changed: ${info.state ?? 'none'} -> ${info.newState}` });
  }
  return notes;
}
