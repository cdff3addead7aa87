// Prints the packets of a UDP port until the first has come, then what was lost: a program that uses the library.
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
