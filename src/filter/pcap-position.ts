import type { Span } from './expression-error.js';

/** Does it compile? Undefined, or libpcap's words. */
export type TryCompile = (expression: string) => string | undefined;

const TOKEN = /[\da-fA-F.:]+\/\d+|\\?[\w.:\-$]+|<=|>=|==|!=|<<|>>|&&|\|\||\S/g;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']' };
const NAME = /^[a-z][\w-]*(\.[\w-]+)*$/i;
/** The words of the language (pcap-filter(7)); any other is the name of a host, a net, a port or a protocol. */
const KEYWORDS = new Set(
  `dst src link ether ppp slip fddi wlan tr arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ah esp ip6 icmp6
  atalk aarp decnet lat sca moprc mopdl iso esis isis es-is is-is l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui host
  net mask port portrange proto protochain gateway type subtype direction dir addr1 addr2 addr3 addr4 address1 address2
  address3 address4 less greater byte broadcast multicast and or not len length inbound outbound ifindex vlan mpls pppoed
  pppoes geneve lane llc metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect on ifname rset rnum
  rulenum ruleset srnr reason action subrulenum fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls
  tcpflags icmptype icmpcode icmp6type icmp6code localhost`.split(/\s+/),
);
const CONSTANT = /^(tcp|icmp6?)-/;
/** What these are followed by is no host. */
const NOT_HOST = new Set([
  'port',
  'portrange',
  'proto',
  'protochain',
  'dir',
  'type',
  'subtype',
  'on',
  'action',
  'reason',
]);

/**
 * What may come behind a prefix of a correct expression, at least one for each state of libpcap's grammar. Those with
 * `]` or `)` are not here: what is open is closed behind it.
 */
const ENDINGS = [
  ...['', ' 1', ' ip', ' 127.0.0.1', ' host 127.0.0.1', ' 1-2', ' 00:00:00:00:00:00', ' proto 1', ' 255.0.0.0'],
  ...[' broadcast', ' > 1', ' mgt', ' lo', ' pass', ' 127.0.0.0/8', ' dst host 127.0.0.1', ' port 1'],
] as const;

function tokensOf(expression: string): Span[] {
  return [...expression.matchAll(TOKEN)].map((m) => ({ start: m.index, end: m.index + m[0].length }));
}

/** What closes the brackets that a prefix leaves open, from the innermost outwards. */
function closers(prefix: string): string[] {
  const open: string[] = [];
  for (const char of prefix) {
    const closing = CLOSING[char];
    if (closing) open.unshift(closing);
    else if (char === open[0]) open.shift();
  }
  return open;
}

/** The ways to close them: a comparison may be due once, behind any of them. */
function closings(prefix: string): string[] {
  const open = closers(prefix);
  const plain = open.join('');
  return [
    plain,
    ...open.map((_, i) => `${open.slice(0, i + 1).join('')} = 1${open.slice(i + 1).join('')}`),
    `${plain} = 1`,
  ];
}

const isSyntaxError = (message: string | undefined) => message !== undefined && /syntax error/.test(message);

/** Names of hosts and the like, each of which would be looked up for every try, replaced by what needs none. */
function withoutNames(expression: string, tokens: readonly Span[]): string {
  let text = expression;
  for (const [i, { start, end }] of [...tokens.entries()].reverse()) {
    const word = expression.slice(start, end);
    if (!NAME.test(word) || KEYWORDS.has(word) || CONSTANT.test(word)) continue;
    const before = tokens[i - 1];
    if (before && NOT_HOST.has(expression.slice(before.start, before.end))) continue;
    // as long as the name, so that places stay what they are
    const other = '1.1';
    if (other.length <= word.length) text = text.slice(0, start) + other.padEnd(word.length) + text.slice(end);
  }
  return text;
}

/**
 * Where libpcap's complaint about `expression` belongs. libpcap does not say where: of a syntax error only that there is
 * one. The place is the first word that no correct expression has there: it is found by completing what stands before
 * it. Any other complaint belongs to the last word of the shortest beginning that draws the same.
 */
export function findPosition(expression: string, message: string, compile: TryCompile): Span {
  const tokens = tokensOf(expression);
  if (!isSyntaxError(message)) {
    return (
      tokens.find(({ end }) => compile(expression.slice(0, end)) === message) ?? { start: 0, end: expression.length }
    );
  }
  const text = withoutNames(expression, tokens);
  const canGoOn = (end: number) => {
    const prefix = text.slice(0, end);
    return closings(prefix).some((closing) =>
      ENDINGS.some((ending) => !isSyntaxError(compile(`${prefix}${ending}${closing}`))),
    );
  };
  const wrong = tokens.find(({ end }) => !canGoOn(end));
  // all of it is the beginning of something: what is missing is behind it
  return wrong ?? { start: expression.length, end: expression.length + 1 };
}
