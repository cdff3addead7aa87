// docs/verdicts.md: what a verdict can say, from src/explain/causes.

const INTRODUCTION = `# Verdicts

<!-- Generated from src/explain/causes: do not edit. -->

Every finished trace has a verdict: \`verdict.outcome\` says what became of the packet, \`verdict.cause\` why, as a word of
the list below. \`verdict.facts\` holds words that are true beside it, \`verdict.evidence\` the events and numbers that say so,
\`verdict.advice\` what to do. With \`--explain\` all that is printed, and each TCP connection gets a verdict of its own.

A verdict says what was seen. Where a kernel does not show enough, because only tracepoints are there, because events
were lost, or because \`-t\` left functions out, it is \`unknown\` or says in its text what it does not know. Words of this list
are not renamed within one version of the format; new ones may come.

## Outcomes of packets

| outcome | the packet |
|---|---|
| \`delivered\` | was taken by a socket here, by a packet socket, or by a protocol of the kernel |
| \`sent\` | was handed to a driver |
| \`forwarded\` | came in by one interface and went out by another |
| \`dropped\` | was lost, or refused without an answer to its sender but an ACK |
| \`rejected\` | was not taken, and answered with RST, an ICMP error or a SYN cookie |
| \`worked\` | had done its work here, or there was none for it, and was freed: no loss, also where the kernel frees it as dropped |
| \`merged\` | went into another packet |
| \`unknown\` | what was seen does not tell |
`;

const CONNECTIONS = `
## Outcomes of connections

| outcome | the connection |
|---|---|
| \`open\` | stands, or was not seen to end |
| \`closed\` | was closed by both sides (FIN) |
| \`reset\` | was ended by an RST |
| \`refused\` | was refused: the SYN was answered with an RST or an ICMP error |
| \`timed-out\` | got no answer in its handshake |
| \`stray\` | was given up by the client and is kept by the server |
| \`half-open\` | is there for the client, and not for the server |
| \`unknown\` | what was seen does not tell |
`;

/** nstat:Name as nstat names it; sysctls as they are. */
function valueText(value) {
  return `\`${value.replace('nstat:', '').replace('{ifname}', 'DEV')}\``;
}

function escaped(text) {
  return text.replaceAll('|', '\\|');
}

function row({ id, sentence, advice, values = [] }, outcomes) {
  const shown = values.map(valueText).join(', ');
  return `| \`${id}\` | ${outcomes} | ${escaped(sentence)} | ${escaped(advice ?? '')} | ${shown} |`;
}

function table(rows) {
  return [
    '| cause | outcome | meaning | what to do | settings and counters |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** @param {{ packet: object[], connection: object[] }} causes */
export function generateVerdicts({ packet, connection }) {
  const packets = packet.map((cause) =>
    row(cause, [...cause.outcomes, ...(cause.isFact ? ['a fact'] : [])].join(', ')),
  );
  const connections = connection.map((cause) => row(cause, cause.outcome));
  return [
    INTRODUCTION,
    '## Causes of packets',
    '',
    'Words that are marked as facts stand in `verdict.facts` where another word says why.',
    '',
    table(packets),
    CONNECTIONS.trimStart(),
    '## Causes of connections',
    '',
    table(connections),
  ].join('\n');
}
