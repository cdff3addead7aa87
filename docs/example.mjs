// Says what became of each packet of a port, and ends after some: node docs/example.mjs [PORT] [COUNT]
import { NettraceError, trace } from 'nettrace';

const [port = '8000', count = '10'] = process.argv.slice(2);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

const run = trace({ port: [port], count: Number(count), signal: interrupted.signal });
try {
  await run.ready; // everything is attached: packets from here on are seen
  console.error('ready');
  for await (const { tuple, verdict, events, complete } of run) {
    const drop = events.find((event) => event.drop)?.drop;
    const end = drop ? `dropped at ${drop.location} (${drop.reason ?? 'no reason given'})` : verdict.outcome;
    console.log(`${tuple?.saddr} -> ${tuple?.daddr}:${tuple?.dport} ${end}${complete ? '' : ', events were lost'}`);
  }
} catch (error) {
  if (!(error instanceof NettraceError || interrupted.signal.aborted)) throw error;
  console.error(error.message, error.advice ?? '');
  process.exitCode = 1;
}
