// Prints the first packet to or from the port that is given, as a user of the library would.
import { trace } from 'nettrace';

const stop = new AbortController();
const run = trace({ port: [process.argv[2]], proto: 'udp', signal: stop.signal });
await run.ready; // everything is attached
console.log('ready');
for await (const packet of run) {
  console.log(JSON.stringify(packet));
  stop.abort(); // or leave the loop
}
console.log(JSON.stringify(run.statistics()));
