// @ts-check
// What all groups work with: the network, the loads, and where the results go.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { countBpf } from './bpf.mjs';
import { Network } from './network.mjs';
import { nettrace, start } from './tools.mjs';

/**
 * @typedef {import('./tools.mjs').Tool} Tool
 * @typedef {{ load: string, counter: string, cli: string, base?: string | undefined, seconds: number, runs: number, kinds: string[],
 *   consumers: string[], flows: number[], steps: number, backends: string[], showMb: number, few: number }} Settings
 * few: of each list of cases only so many are measured
 * @typedef {{ ports?: 'matched' | 'unmatched', flows?: number, rate?: number, seconds?: number }} Traffic
 */

/** Ports of one run of all: below those that the kernel gives, and others than those of a run beside this one. */
const FIRST_PORT = 10_000;
const PORTS = 64;
const PLACES = 300;
/** The other half of a run's ports is none of the tools' business. */
const MATCHED = PORTS / 2;
/** With the kernel's statistics on only ratios are measured, so that a short run does. */
const STATISTICS_SECONDS = 0.5;

export class Workbench {
  network = new Network();
  folder = mkdtempSync(join(tmpdir(), 'nettrace-bench.'));
  #port = FIRST_PORT + (process.pid % PLACES) * PORTS;

  /** @param {Settings} settings */
  constructor(settings) {
    this.settings = settings;
    process.on('exit', () => rmSync(this.folder, { recursive: true, force: true }));
  }

  get dist() {
    return dirname(this.settings.cli);
  }

  /** This project's programs: the one that is measured, and the one that it is compared with. */
  get versions() {
    const { cli, base } = this.settings;
    return [{ name: 'nettrace', cli }, ...(base ? [{ name: 'nettrace (base)', cli: base }] : [])];
  }

  /** @param {string} kind @param {Traffic} traffic */
  #words(kind, { ports = 'matched', flows = 1, rate = 0, seconds = this.settings.seconds }) {
    const port = this.#port + (ports === 'matched' ? 0 : MATCHED);
    const numbers = { '--port': port, '--flows': flows, '--rate': rate, '--seconds': seconds };
    return [kind, ...this.network.words, ...Object.entries(numbers).flatMap(([name, value]) => [name, String(value)])];
  }

  /** Runs a load to its end: operations and packets a second. @param {string} kind @param {Traffic} [traffic] */
  play(kind, traffic = {}) {
    const before = this.network.packets();
    const text = execFileSync(this.settings.load, this.#words(kind, traffic), { encoding: 'utf8' });
    const packets = this.network.packets() - before;
    /** @type {{ operations: number, seconds: number }} */
    const { operations, seconds } = JSON.parse(text);
    return { operations, packets, seconds, rate: operations / seconds, packetRate: packets / seconds };
  }

  /**
   * The same while the kernel counts the time of a process's BPF programs: in all, for each operation and for each packet.
   * @param {number} pid
   * @param {string} kind
   * @param {Traffic} [traffic]
   */
  playCounted(pid, kind, traffic = {}) {
    const seconds = Math.min(this.settings.seconds, STATISTICS_SECONDS);
    const { result, ns, runs } = countBpf(pid, () => this.play(kind, { seconds, ...traffic }));
    const { operations, packets } = result;
    return { bpfNs: ns, bpfNsEach: ns / operations, bpfNsPerPacket: ns / packets, bpfRunsPerPacket: runs / packets };
  }

  /** A load that runs beside something else. @param {string} kind @param {Traffic} [traffic] */
  playAside(kind, traffic = {}) {
    const child = spawn(this.settings.load, this.#words(kind, traffic), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    /** @type {Promise<{ operations: number } | undefined>} */
    const ended = new Promise((resolve) => child.on('close', () => resolve(text ? JSON.parse(text) : undefined)));
    // its own processes end with it
    const stop = () => {
      child.kill('SIGKILL');
      return ended;
    };
    return { ended, stop };
  }

  /** Starts a tool for the matched ports. @param {Tool} tool */
  start(tool) {
    return start(tool, String(this.#port), this.folder);
  }

  /** The same for as many ports as there are flows. @param {Tool} tool @param {number} flows */
  startForFlows(tool, flows) {
    return start(tool, flows === 1 ? String(this.#port) : `${this.#port}-${this.#port + flows - 1}`, this.folder);
  }

  /** @param {string[]} [options] @param {boolean} [mayLeaveOut] */
  nettrace(options = [], mayLeaveOut = false) {
    return nettrace(['nettrace', ...options].join(' '), this.settings.cli, options, mayLeaveOut);
  }

  close() {
    this.network.close();
  }
}

/** @param {string} text */
export const progress = (text) => console.error(text);
