// @ts-check
// The tracers that are compared: each is started for a port, says when it is ready, and is stopped with Ctrl-C.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * `words`: program and arguments, with what is printed going to `file` or to standard output; `ports` is one or a range.
 * `stdout`: where standard output goes, if not to a file that is read for the sign of being ready.
 * @typedef {{ name: string, words: (ports: string, file: string) => string[], ready: RegExp, linePattern: RegExp,
 *   lost?: RegExp, stdout?: 'null' }} Tool
 * @typedef {{ startMs: number, pid: number, attached: () => string[], file: string, stallMs: () => Promise<number>,
 *   stop: () => Promise<Stopped>, kill: () => void }} Running
 * @typedef {{ stopMs: number, lines: number, lost: number | undefined, said: string }} Stopped
 */

const OBSERVE = new URL('observe.mjs', import.meta.url).href;
const ATTACHED = /^(\S+)(?: \([^)]*\))?: (?:kprobe-multi|kprobe|fentry|tracepoint)\b/gm;
const READY_SECONDS = 180;
const LOOK_MS = 5;

/** @param {string} command */
function onPath(command) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((path) => existsSync(path));
}

/** @type {Map<string, string[]>} */
const everything = new Map();

/**
 * Options with which packets are not left out under load; older versions never leave any out.
 * @param {string} cli
 */
function followAll(cli) {
  let words = everything.get(cli);
  if (!words) {
    const { stdout } = spawnSync(process.execPath, [cli, '--help'], { encoding: 'utf8' });
    words = stdout.includes('--sample') ? ['--sample', 'off'] : [];
    everything.set(cli, words);
  }
  return words;
}

/**
 * This project's program.
 * @param {string} name
 * @param {string} cli path of dist/cli.js
 * @param {string[]} options
 * @param {boolean} mayLeaveOut under load, as it does of itself
 * @returns {Tool}
 */
export function nettrace(name, cli, options = [], mayLeaveOut = false) {
  return {
    name,
    words: (ports, file) => {
      const all = mayLeaveOut ? [] : followAll(cli);
      return [process.execPath, cli, '-P', ports, '-o', file, ...all, ...options];
    },
    ready: /begin trace\.\.\./,
    linePattern: /^\[\d/,
    lost: /^ *(\d+) {2}(?:events|packets|records|traces|return) /gm,
  };
}

/** Other tracers that are installed here. @returns {Tool[]} */
export function peers() {
  /** @type {Tool[]} */
  const found = [];
  const original = onPath('nettrace');
  // what `make install` puts there is this project's own
  if (original && !realpathSync(original).endsWith('.js')) {
    found.push({
      name: 'nettrace (OpenCloudOS)',
      words: (port) => [original, '-P', port],
      ready: /begin trace/,
      linePattern: /^\[\d/,
    });
  }
  const pwru = onPath('pwru');
  if (pwru) {
    found.push({
      name: 'pwru',
      words: (port) => [pwru, '--backend', 'kprobe-multi', '--output-tuple', `port ${port}`],
      ready: /Listening for events/,
      linePattern: /^0x/,
    });
  }
  const bpftrace = onPath('bpftrace');
  if (bpftrace) {
    // no filter to speak of: what one line of a general tool costs at three places
    const program = (/** @type {number} */ port) =>
      `kprobe:tcp_v4_rcv { $s = (struct sk_buff *)arg0; $t = (struct tcphdr *)($s->head + $s->transport_header); if ($t->dest == ${((port & 255) << 8) | (port >> 8)}) { printf("tcp_v4_rcv %x\\n", arg0); } } BEGIN { printf("ready\\n"); }`;
    found.push({
      name: 'bpftrace (one function)',
      words: (port) => [bpftrace, '-e', program(Number(port))],
      ready: /ready/,
      linePattern: /^tcp_v4_rcv/,
    });
  }
  const retis = onPath('retis');
  if (retis) {
    found.push({
      name: 'retis',
      words: (port) => [retis, 'collect', '-c', 'skb', '-f', `port ${port}`, '-p', 'kprobe:tcp_v4_rcv'],
      ready: /Collector\(s\) started/,
      linePattern: /^\d+ /,
    });
  }
  return found;
}

/** The environment in which a Node program is observed. @param {string} file where to */
export const observing = (file) => ({
  ...process.env,
  NODE_OPTIONS: `--import=${OBSERVE}`,
  NETTRACE_BENCH_OBSERVED: file,
});

/**
 * Starts a tool with its output in files of a folder. Throws where it ends before it is ready.
 * @param {Tool} tool
 * @param {string} ports
 * @param {string} folder
 * @returns {Promise<Running>}
 */
export async function start(tool, ports, folder) {
  const [output, file, observed] = [join(folder, 'output'), join(folder, 'file'), join(folder, 'observed')];
  // of a former run
  for (const path of [file, observed]) rmSync(path, { force: true });
  const out = openSync(output, 'w');
  const [program = '', ...words] = tool.words(ports, file);
  const begun = performance.now();
  const child = spawn(program, words, {
    stdio: ['ignore', tool.stdout === 'null' ? 'ignore' : out, out],
    env: observing(observed),
  });
  closeSync(out);
  /** @type {Promise<unknown>} */
  const ended = new Promise((resolve) => {
    child.on('error', resolve);
    child.on('close', resolve);
  });
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const kill = () => void child.kill('SIGKILL');
  process.on('exit', kill);
  void ended.then(() => process.off('exit', kill));
  // a tool may say that it is ready in its file or on its standard output
  const said = () => [output, file].map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')).join('');
  while (!tool.ready.test(said())) {
    if (hasEnded) throw new Error(`${tool.name} ended before it was ready: ${said().trim().slice(0, 300)}`);
    if (performance.now() - begun > READY_SECONDS * 1000) {
      kill();
      throw new Error(`${tool.name} is not ready after ${READY_SECONDS} seconds`);
    }
    await sleep(LOOK_MS);
  }
  const startMs = performance.now() - begun;
  const pid = child.pid ?? 0;
  const observations = () => (existsSync(observed) ? readFileSync(observed, 'utf8').split('\n').filter(Boolean) : []);
  return {
    startMs,
    pid,
    file,
    kill,
    /** Names of the probes, where the tool is a nettrace with -v. */
    attached: () => [...said().matchAll(ATTACHED)].map(([, name = '']) => name),
    /** The longest stall of the main thread since the former call. */
    async stallMs() {
      const before = observations().length;
      child.kill('SIGUSR2');
      while (observations().length === before && !hasEnded) await sleep(LOOK_MS);
      return JSON.parse(observations()[before] ?? '{}').stallMs;
    },
    async stop() {
      const asked = performance.now();
      child.kill('SIGINT');
      await ended;
      const stopMs = performance.now() - asked;
      const counted = spawnSync('grep', ['-hEc', tool.linePattern.source.replaceAll('\\d', '[0-9]'), output, file], {
        encoding: 'utf8',
      });
      const lines = counted.stdout.split('\n').reduce((sum, n) => sum + Number(n), 0);
      const end = readFileSync(output, 'utf8').slice(-4000);
      const lost = tool.lost && [...end.matchAll(tool.lost)].reduce((sum, [, n]) => sum + Number(n), 0);
      return { stopMs, lines, lost, said: end };
    },
  };
}
