import type { Note, TraceEvent } from '../../types.js';
import { packetCause } from '../causes/index.js';
import { dropReason } from '../drop-reasons.js';
import { droppingRule, ruleText } from '../nft-rules.js';
import { type Finding, functionOf, type Sight, seen } from './sight.js';

/** What says little gives way to what says more of the same thing. */
const REFINED_BY: Readonly<Record<string, readonly string[]>> = {
  'netfilter-drop': ['conntrack-table-full', 'conntrack-invalid', 'netfilter-reject'],
  'no-route': ['blackhole-route', 'unreachable-route', 'prohibit-route', 'reverse-path-filter', 'martian-address'],
  'not-forwarding': ['blackhole-route', 'prohibit-route', 'reverse-path-filter', 'martian-address'],
  'qdisc-drop': ['tc-drop'],
  'device-drop': ['qdisc-drop', 'tc-drop', 'device-not-ready'],
  'malformed-packet': ['ttl-expired', 'mtu-exceeded'],
  'bad-checksum': ['bad-tcp-checksum'],
  'socket-receive-buffer-full': ['no-memory'],
  'handshake-refused': ['accept-queue-full'],
  'martian-address': ['reverse-path-filter'],
};

/** Where a kernel gives no reason, and only one thing frees there: by the function that freed the packet. */
const BY_PLACE: Readonly<Record<string, string>> = {
  nf_hook_slow: 'netfilter-drop',
  __neigh_event_send: 'neighbour-queue-full',
  arp_error_report: 'neighbour-failed',
  neigh_invalidate: 'neighbour-failed',
  ip_expire: 'fragments-missing',
  inet_frag_rbtree_purge: 'fragments-missing',
  sch_handle_ingress: 'tc-drop',
  ip_error: 'no-route',
  dst_discard: 'blackhole-route',
  do_xdp_generic: 'xdp-drop',
  enqueue_to_backlog: 'cpu-backlog-full',
};

/** Queueing disciplines that drop at their limit only. */
const LIMITING = [
  'pfifo_enqueue',
  'pfifo_fast_enqueue',
  'tbf_enqueue',
  'fq_enqueue',
  'htb_enqueue',
  'fq_codel_enqueue',
];
const EHOSTUNREACH = 113;
const CLOSED_STATES = new Set(['FIN_WAIT1', 'FIN_WAIT2', 'CLOSING', 'LAST_ACK']);
const RECEIVERS = new Set(['tcp_v4_rcv', 'tcp_v6_rcv']);

/** A reason that says more than that it was dropped. */
function tellingReason(event: TraceEvent) {
  const name = event.drop?.reason;
  return name === undefined || name === 'NOT_SPECIFIED' ? undefined : { name, definition: dropReason(name) };
}

/** The drop that counts: the packet itself was lost, not only a copy of it. */
function mainLoss(losses: readonly TraceEvent[]): TraceEvent | undefined {
  return losses.find((event) => (dropReason(event.drop?.reason)?.level ?? 'error') === 'error') ?? losses[0];
}

/** TCP segments for which there is no socket, by what they are. */
function withoutSocket(sight: Sight): string {
  if (sight.proto !== 'tcp') return 'no-listener';
  if (sight.isReset) return 'rst-without-connection';
  const flags = sight.flags ?? '';
  return flags.includes('S') && !flags.includes('A') ? 'no-listener' : 'no-connection';
}

/** States of the socket that the events tell of, the last first. */
function lastState(sight: Sight): string | undefined {
  return sight.events.findLast(({ socket }) => socket?.state !== undefined)?.socket?.state;
}

/** The same word in a place that says more. */
function refine(cause: string, sight: Sight, place: string): string {
  const state = lastState(sight);
  switch (cause) {
    case 'no-listener':
      return withoutSocket(sight);
    case 'paws-reject-established':
      return RECEIVERS.has(place) ? 'paws-reject-in-handshake' : cause;
    case 'segment-outside-window':
      return sight.isReset ? 'rst-outside-window' : cause;
    case 'rst-challenged':
      return state === 'LISTEN' ? 'rst-without-connection' : cause;
    case 'bad-checksum':
      return { tcp: 'bad-tcp-checksum', udp: 'bad-udp-checksum' }[sight.proto as string] ?? cause;
    case 'no-memory':
      return isTcpReceiveMemory(sight) ? 'socket-receive-buffer-full' : cause;
    case 'qdisc-drop':
      return sight.last(...LIMITING) && !sight.last('netem_enqueue') ? 'qdisc-limit' : cause;
    case 'malformed-packet':
      return place === 'ip_forward' || place === 'ip6_forward' ? 'ttl-expired' : cause;
    case 'netfilter-drop':
      return sight.answer ? 'netfilter-reject' : cause;
    case 'not-forwarding':
    case 'no-route':
      return sight.last('ip_error')?.ret === EHOSTUNREACH ? unreachable(cause, sight) : cause;
    case 'tcp-state-mismatch':
      return mismatch(sight, state);
  }
  return cause;
}

/** PROTO_MEM of TCP is what tcp_try_rmem_schedule() refuses: its caller cannot tell one lack of memory from the other. */
function isTcpReceiveMemory(sight: Sight): boolean {
  return sight.proto === 'tcp' && sight.losses.some(({ drop }) => drop?.reason === 'PROTO_MEM');
}

/**
 * The route's error is the same for a route that says unreachable and on a host that does not forward. Only the first is
 * answered, though not always: answers are limited.
 */
function unreachable(cause: string, sight: Sight): string {
  if (sight.answer || (sight.facts.namesNotForwarding && cause !== 'not-forwarding')) return 'unreachable-route';
  return cause;
}

/** A segment that does not fit the state of its socket. */
function mismatch(sight: Sight, state: string | undefined): string {
  if (state === 'LISTEN' || state === 'NEW_SYN_RECV') return withoutSocket(sight);
  const payload = sight.events.findLast((event) => event.tcp)?.tcp?.payload ?? 0;
  return payload > 0 && CLOSED_STATES.has(state ?? '') ? 'data-after-close' : 'tcp-state-mismatch';
}

interface Telling {
  event: TraceEvent;
  note: Note;
  cause: string;
}

/** Of the notes that may explain a loss, the one that says most: errors before warnings, the last before the first. */
function bestNote(notes: readonly Telling[]): Telling | undefined {
  const losing = notes.filter(({ cause }) => {
    const { outcomes } = packetCause(cause);
    return outcomes.includes('dropped') || outcomes.includes('rejected');
  });
  const levels = ['error', 'warning'].map((level) => losing.filter(({ note }) => note.level === level));
  const candidates = levels.find((list) => list.length > 0) ?? [];
  const last = candidates.at(-1);
  if (!last) return undefined;
  // the outer function's note gives way to the inner one's
  const finer = REFINED_BY[last.cause];
  return (
    losing.findLast(({ cause }) => finer?.includes(cause)) ?? candidates.findLast((n) => !isOuter(n, losing)) ?? last
  );
}

function isOuter({ cause }: Telling, all: readonly Telling[]): boolean {
  return all.some((other) => REFINED_BY[cause]?.includes(other.cause));
}

function reasonText({ drop }: TraceEvent): string {
  return `freed as dropped in ${drop?.location}${drop?.reason ? `, reason ${drop.reason}` : ''}`;
}

/** The loss that a drop shows, by its reason, the notes before it, and its place. */
function lossFinding(loss: TraceEvent, sight: Sight): Finding {
  const reason = tellingReason(loss);
  const place = functionOf(loss.drop?.location ?? '');
  const notes = sight.telling.filter(({ event }) => event.t <= loss.t);
  const named = reason && (reason.definition?.cause ?? 'drop-other-reason');
  let note: Telling | undefined;
  if (named === undefined || named === 'drop-not-specified') note = bestNote(notes);
  else note = notes.findLast(({ cause }) => REFINED_BY[named]?.includes(cause));
  const isNamed = named !== undefined && named !== 'drop-not-specified';
  const unexplained = answeredMismatch(sight) ?? BY_PLACE[place] ?? 'drop-not-specified';
  const cause = refine(note?.cause ?? (isNamed ? named : unexplained), sight, place);
  const evidence = [...(note ? [seen(note.event, note.note.text)] : []), seen(loss, reasonText(loss))];
  const finding: Finding = { cause, event: loss, evidence, detail: detailOf(loss) };
  if (cause === 'netfilter-drop' || cause === 'netfilter-reject') addRule(finding, loss, sight);
  // one cause for all that a signature can lack
  if (cause === 'tcp-md5-mismatch' && reason?.definition) finding.text = reason.definition.meaning;
  if (isTcpReceiveMemory(sight))
    finding.text = 'the receive buffer of the socket is full, or memory of all TCP sockets is short';
  if (named === 'drop-other-reason') finding.text = `the kernel dropped it: ${reason?.name}`;
  return finding;
}

/** Which rule of nftables it was, if that is known. */
function addRule(finding: Finding, loss: TraceEvent, { events }: Sight): void {
  const event = events.findLast((one) => one.skb === loss.skb && one.t <= loss.t && one.func.startsWith('nft_'));
  const rule = event && droppingRule(event);
  if (!rule) return;
  const { table, chain = rule.chain } = event.netfilter ?? {};
  finding.text = `${packetCause(finding.cause).sentence}: ${ruleText(rule)}`;
  if (table !== undefined && chain !== undefined)
    finding.advice = `the rule is of table ${table} and is reached by chain ${chain}: nft -a list ruleset; who loads it?`;
}

function detailOf({ drop }: TraceEvent): string {
  return drop?.reason && drop.reason !== 'NOT_SPECIFIED'
    ? `${drop.reason} in ${drop.location}`
    : `in ${drop?.location}`;
}

/** A segment that a reset answered and no note explains: the socket's state does. */
function answeredMismatch(sight: Sight): string | undefined {
  return sight.proto === 'tcp' && sight.answer?.func.endsWith('send_reset') ? 'tcp-state-mismatch' : undefined;
}

/** A packet that was freed as dropped, or that a function's return says is lost. */
export function dropFinding(sight: Sight): Finding | undefined {
  const loss = mainLoss(sight.losses);
  if (loss) return lossFinding(loss, sight);
  const note = bestNote(sight.telling.filter((one) => one.note.level === 'error'));
  if (!note) return undefined;
  const cause = refine(note.cause, sight, '');
  return { cause, event: note.event, evidence: [seen(note.event, note.note.text)] };
}
