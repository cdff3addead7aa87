// @ts-check
// Two network namespaces with a veth pair between them, for benchmarks.
import { execFileSync } from 'node:child_process';

let made = 0;

/** @param {string[]} words */
const ip = (...words) => execFileSync('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });

export class Network {
  #names;
  #remove = () => this.close();

  constructor() {
    made++;
    const name = `nt-bench-${process.pid}-${made}`;
    this.#names = [`${name}-c`, `${name}-s`];
    /** Address of the server's side. */
    this.address = '10.99.0.2';
    process.on('exit', this.#remove);
    const [client = '', server = ''] = this.#names;
    for (const one of this.#names) {
      ip('netns', 'add', one);
      ip('-n', one, 'link', 'set', 'lo', 'up');
    }
    ip('link', 'add', 'c0', 'netns', client, 'type', 'veth', 'peer', 'name', 's0', 'netns', server);
    ip('-n', client, 'address', 'add', '10.99.0.1/24', 'dev', 'c0');
    ip('-n', server, 'address', 'add', '10.99.0.2/24', 'dev', 's0');
    ip('-n', client, 'link', 'set', 'c0', 'up');
    ip('-n', server, 'link', 'set', 's0', 'up');
  }

  /** Arguments of load.c */
  get words() {
    const [client, server] = this.#names;
    return ['--client', `/run/netns/${client}`, '--server', `/run/netns/${server}`, '--address', this.address];
  }

  /** Packets (skbs, so one for what segmentation was left to) that have crossed the link so far. */
  packets() {
    const text = ip('-n', this.#names[0] ?? '', '-j', '-s', 'link', 'show', 'dev', 'c0').toString();
    /** @type {[{ stats64: Record<'rx' | 'tx', { packets: number }> }]} */
    const [{ stats64 }] = JSON.parse(text);
    return stats64.rx.packets + stats64.tx.packets;
  }

  close() {
    process.off('exit', this.#remove);
    for (const name of this.#names.splice(0)) ip('netns', 'delete', name);
  }
}
