import type { CountersRecord, MovedCounter } from '../types.js';
import { printable } from './printable.js';
import { wrapped } from './wrapped.js';

/** Where the output goes to no terminal. */
const WIDTH = 120;
const MAX_IDS = 3;

function signed(delta: number | string): string {
  return String(delta).startsWith('-') ? String(delta) : `+${delta}`;
}

function nameOf({ name, ifname }: { name: string; ifname?: string }): string {
  return ifname === undefined ? name : `${ifname} ${name}`;
}

/** Of which traces, and what no trace accounts for. */
function tracesText({ delta, explained, unexplained, evidence, traces }: MovedCounter): string {
  const parts: string[] = [];
  if (traces.count > 0) {
    const verdicts = traces.verdicts.map((v) => `${v.count > 1 ? `${v.count} ` : ''}${v.outcome}, ${v.cause}`);
    const more = traces.count > MAX_IDS ? ' ...' : '';
    const which = `${traces.ids.slice(0, MAX_IDS).join(' ')}${more}`;
    const count = `${traces.count} trace${traces.count === 1 ? '' : 's'}`;
    // one trace may be a packet that was sent again, of which not each time counted
    const isSome = evidence > explained && traces.count > 1;
    parts.push(`by ${isSome ? 'some of ' : ''}${count} (${verdicts.join('; ')}): ${which}`);
  }
  if (String(unexplained) !== '0') parts.push(`unexplained: ${unexplained}${explained > 0 ? ` of ${delta}` : ''}`);
  return parts.join('; ');
}

function titleOf({ netns, name, from }: CountersRecord): string {
  const whose = netns === undefined ? 'of the machine' : `of network namespace ${netns}${name ? ` (${name})` : ''}`;
  return `counters ${whose}, since ${from === 'begin' ? 'begin trace' : 'its first packet was seen'}:`;
}

/** The section of one namespace, or of the machine: what moved, by which traces, and what no trace accounts for. */
export function countersText(record: CountersRecord, columns: number | undefined): string {
  const { counters, traffic, interfaces, unread, complete } = record;
  // all of a machine's are of little interest where nothing went wrong
  if (record.netns === undefined && counters.length === 0) return '';
  if (unread === undefined && counters.length + traffic.length + interfaces.length === 0) return '';
  const width = Math.max(40, columns ?? WIDTH);
  let text = `${printable(titleOf(record))}\n`;
  if (unread !== undefined) return `${text}${wrapped(`  not known: ${printable(unread)}`, width)}\n`;
  const ordered = [...counters].sort((a, b) => Number(b.explained > 0) - Number(a.explained > 0));
  const names = Math.max(0, ...ordered.map((counter) => nameOf(counter).length));
  for (const counter of ordered) {
    const head = `  ${nameOf(counter).padEnd(names)} ${signed(counter.delta).padStart(6)}`;
    const meaning = counter.meaning ? ` (${counter.meaning})` : '';
    text += wrapped(printable(`${head}  ${tracesText(counter)}${meaning}`), width);
  }
  if (counters.length === 0) text += '  none that tells of trouble moved\n';
  for (const { ifname, what } of interfaces) text += `  interface ${printable(ifname)} ${what} meanwhile\n`;
  if (traffic.length > 0) {
    const moved = traffic.map((one) => `${printable(nameOf(one))} ${signed(one.delta)}`);
    text += wrapped(`  traffic: ${moved.join(', ')}`, width);
  }
  if (!complete) text += '  events were lost: what is unexplained may have been among them\n';
  return `${text}\n`;
}
