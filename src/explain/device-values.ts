/** Of an interface with many queues so many are told. */
const MAX_QDISCS = 4;

interface ListedQdisc {
  kind?: unknown;
  options?: { limit?: unknown };
  backlog?: unknown;
  qlen?: unknown;
  drops?: unknown;
}

function parsedList(text: string): unknown[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** What `tc -s -j qdisc show` says of an interface's queueing disciplines; undefined where it says of none. */
export function qdiscText(json: string): string | undefined {
  const texts = (parsedList(json) as ListedQdisc[])
    .filter(({ kind }) => kind !== 'ingress' && kind !== 'clsact')
    .map(({ kind, options, backlog, qlen, drops }) => {
      // of packets or of bytes, as the kind has it
      const limit = options?.limit === undefined ? '' : `limit ${options.limit}, `;
      return `${kind} (${limit}backlog ${qlen} packets, ${backlog} bytes; ${drops} dropped)`;
    });
  return texts.length === 0 ? undefined : texts.slice(0, MAX_QDISCS).join(', ');
}

/** What `ip -j link show` says of the length of an interface's queue. */
export function queueLengthText(json: string): string | undefined {
  const [link] = parsedList(json) as { txqlen?: unknown }[];
  return typeof link?.txqlen === 'number' ? String(link.txqlen) : undefined;
}
