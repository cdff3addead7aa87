// How many records a second come through to JavaScript. Needs root.
//   node test/bench.js [seconds] [record bytes] [records per hit] [wake-ups: 0 on, 1 off]
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { BpfObject, RingBufferReader } from '../index.js';

const [seconds = 3, size = 128, burst = 64, wakeup = 0] = process.argv.slice(2).map(Number);

// A process that makes system calls as fast as it can.
const producer = spawn('dd', ['if=/dev/zero', 'of=/dev/null', 'bs=1'], { stdio: 'ignore' });
const object = BpfObject.open(new URL('../build/fixtures/ring.bpf.o', import.meta.url).pathname);
const settings = object.initialData('.rodata');
new Uint32Array(settings.buffer, settings.byteOffset, 3).set([producer.pid, size, burst]);
settings.writeBigUInt64LE(BigInt(wakeup), 16);
object.setInitialData('.rodata', settings);
object.setMaxEntries('events', 16 << 20);
object.load();

/** Touches every record, so that their memory is really read. */
let checksum = 0;
const reader = new RingBufferReader(object, 'events', {
  onBatch(batch) {
    const words = new Uint32Array(batch);
    for (let at = 0; at < words.length; at += 2 + ((words[at] + 7) >> 3) * 2) checksum ^= words[at + 2];
  },
});
const attached = object.attachRawTracepoint('produce', 'sys_enter');
if (!attached.ok) throw new Error(attached.message);
const cpu = process.cpuUsage();
const start = performance.now();
await sleep(seconds * 1000);
attached.link.detach();
await reader.stop();
const took = (performance.now() - start) / 1000;
producer.kill();

const used = process.cpuUsage(cpu);
const counters = object.map('.bss').lookup(Buffer.alloc(4));
const { records, batches, stalls } = reader.stats();
console.log(
  `${(records / took / 1e6).toFixed(2)} million records/s of ${size} bytes, lost ${counters.readBigUInt64LE(8)} in the kernel`,
);
console.log(
  `${batches} batches, ${stalls} stalls, ${((used.user + used.system) / 1e6 / took).toFixed(2)} CPUs used here`,
);
console.log(`checksum ${checksum >>> 0}`);
console.log(`accounted for: ${BigInt(records) === counters.readBigUInt64LE(0)}`);
object.close();
