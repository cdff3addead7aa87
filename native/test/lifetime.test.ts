import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { BpfObject } from '../index.js';
import { collectGarbage, fixture, library, missing, openDescriptors, runScript } from './support.js';

function worker(source: string): Worker {
  return new Worker(
    `import('${library}').then(async (native) => { const { parentPort } = await import('node:worker_threads'); ${source} })`,
    { eval: true },
  );
}

const readRing = `
  const object = native.BpfObject.open('${fixture('ring')}')
  object.load()
  let records = 0
  const reader = new native.RingBufferReader(object, 'events', { onBatch(batch, n) { records += n } })
  const link = object.attachRawTracepoint('produce', 'sys_enter').link`;

describe.skipIf(missing.bpf)('a worker thread', () => {
  it('has objects, readers and errors of its own', async () => {
    const workers = Array.from({ length: 4 }, () =>
      worker(`${readRing}
        object.testRun('produce')
        link.detach()
        // a program that was running on another CPU still finishes
        await new Promise((resolve) => setTimeout(resolve, 100))
        await reader.stop()
        let error
        try { object.map('nothing') } catch (e) { error = e }
        const counters = object.map('.bss').lookup(Buffer.alloc(4))
        object.close()
        parentPort.postMessage({ records, produced: Number(counters.readBigUInt64LE(0)), ours: error instanceof native.BpfError })`),
    );
    for (const [message] of await Promise.all(workers.map((one) => once(one, 'message')))) {
      expect(message.records).toBe(message.produced);
      expect(message.records).toBeGreaterThan(0);
      expect(message.ours).toBe(true);
    }
    await Promise.all(workers.map((one) => one.terminate()));
  });

  it('that is terminated while it reads leaves nothing behind', async () => {
    await collectGarbage();
    const before = openDescriptors();
    for (let i = 0; i < 5; i++) {
      const one = worker(`${readRing}
        globalThis.kept = [object, reader, link]
        parentPort.postMessage('reading')`);
      await once(one, 'message');
      await one.terminate();
    }
    await collectGarbage();
    expect(openDescriptors()).toBe(before);
  });
});

describe.skipIf(missing.bpf)('worker threads that are terminated in the middle of calls', () => {
  it('do not take the process with them', () => {
    const source = `import('${library}').then(async (native) => {${readRing}
      const busy = () => {
        for (let i = 0; i < 50; i++) {
          object.testRun('produce')
          try { object.map('nothing') } catch {}
        }
        setImmediate(busy)
      }
      const { parentPort } = await import('node:worker_threads')
      parentPort.postMessage('reading')
      busy()
      globalThis.kept = [object, reader, link]
    })`;
    const { stdout, stderr, status } = runScript(`
      import { Worker } from 'node:worker_threads'
      import { once } from 'node:events'
      const end = Date.now() + 3000
      do {
        const worker = new Worker(${JSON.stringify(source)}, { eval: true })
        await once(worker, 'message')
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 15))
        await worker.terminate()
      } while (Date.now() < end)
      console.log('alive')`);
    expect({ stdout, stderr, status }).toEqual({ stdout: 'alive\n', stderr: '', status: 0 });
  });
});

/** The tags of the BPF programs that a process holds. */
function programTags(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fdinfo`).flatMap((fd) => {
    try {
      const tag = /prog_tag:\s+(\S+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'));
      return tag ? [tag[1]!] : [];
    } catch {
      return []; // closed meanwhile, as the one that the listing itself needed
    }
  });
}

describe.skipIf(missing.bpf ?? missing.symbols)('a process that is killed', () => {
  it('leaves no programs in the kernel', async (context) => {
    // The copy's tag is a hash of its instructions, which the immediate makes unlike any other program's.
    const unique = (BigInt(process.pid) << 32n) | BigInt(Date.now() & 0x7fffffff);
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `
      import { BpfObject } from '${library}'
      const object = BpfObject.open('${fixture('probes')}')
      object.setAutoload('on_kprobe', false)
      object.load()
      const result = object.attachRawTracepoint('on_raw', 'sys_enter', { immediates: [{ magic: 0x1122334455667788n, value: ${unique}n }] })
      console.log(result.ok)
      setInterval(() => {}, 1000)`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [output] = (await once(child.stdout, 'data')) as [Buffer];
    expect(output.toString()).toBe('true\n');
    const templates = new Set(programsOfThisProcess());
    const own = [...new Set(programTags(child.pid!))].filter((tag) => !templates.has(tag));
    expect(own).toHaveLength(1);
    const inKernel = () => readFileSync('/proc/kallsyms', 'latin1').includes(`bpf_prog_${own[0]}`);
    const shown = inKernel();
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (!shown) context.skip('the kernel does not list compiled programs in kallsyms');
    const end = Date.now() + 10_000;
    while (inKernel() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(inKernel()).toBe(false);
  });

  function programsOfThisProcess(): string[] {
    const object = BpfObject.open(fixture('probes'));
    object.load();
    try {
      return programTags(process.pid);
    } finally {
      object.close();
    }
  }
});
