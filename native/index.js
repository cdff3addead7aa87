import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

function loadAddon() {
  // BPF_LOADER_ADDON: another build of it, for its tests
  const path = process.env.BPF_LOADER_ADDON ?? './build/bpf_loader.node';
  try {
    return require(path);
  } catch (cause) {
    // Node's own words go on with a list of who required it
    const [why] = cause.message.split('\n');
    throw new Error(`the addon of bpf-loader-node cannot be loaded: ${why}`, { cause });
  }
}

export class BpfError extends Error {
  /** Called by the addon. */
  constructor({ message, code, errno, operation, target, verifierLog }) {
    super(message);
    this.code = code;
    this.errno = errno;
    this.operation = operation;
    this.target = target;
    if (verifierLog !== undefined) this.verifierLog = verifierLog;
  }

  get name() {
    return 'BpfError';
  }
}

const addon = loadAddon();
addon.setErrorClass(BpfError);

export const { BpfObject, BpfMap, Link, RingBufferReader, KernelBtf, Kallsyms, NetnsSocket } = addon;
export const { probeProgramType, probeAttach, possibleCpus, compilePcapFilter, libbpfVersion } = addon;
export const { readInNetns, writeInNetns, describeInterface } = addon;

const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const { startWait, cancelWait } = NetnsSocket.prototype;
delete NetnsSocket.prototype.startWait;
delete NetnsSocket.prototype.cancelWait;

function wait(what, timeoutMs) {
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw new TypeError(`timeoutMs must be a number from 0 to ${MAX_TIMEOUT_MS}`);
  const { id, promise } = startWait.call(this, what);
  if (id === 0 || timeoutMs === undefined) return promise;
  if (timeoutMs === 0) cancelWait.call(this, id);
  else {
    const timer = setTimeout(() => cancelWait.call(this, id), timeoutMs);
    void promise.then(() => clearTimeout(timer));
  }
  return promise;
}

define(NetnsSocket, wait);

const { nextKey } = BpfMap.prototype;
delete BpfMap.prototype.nextKey;

/**
 * The next key is read before a key is handed out, so that the caller may delete it. A key that someone else
 * deletes makes the kernel start over: twice as many steps as the map has entries is then enough.
 */
function* walkKeys(map, first, steps) {
  let key = first;
  for (let i = 0; key !== null && i < steps; i++) {
    const next = nextKey.call(map, key);
    yield key;
    key = next;
  }
}

function* walkEntries(map, keys) {
  for (const key of keys) {
    const value = map.lookup(key);
    if (value !== null) yield [key, value];
  }
}

function keys() {
  return walkKeys(this, nextKey.call(this, null), 2 * this.info.maxEntries);
}

function entries() {
  return walkEntries(this, keys.call(this));
}

define(BpfMap, keys);
define(BpfMap, entries);

function define(type, method) {
  Object.defineProperty(type.prototype, method.name, { value: method, writable: true, configurable: true });
}
