import { describe, expect, it } from 'vitest';
import * as native from '../index.js';
import { BpfError, BpfMap, BpfObject, Kallsyms, KernelBtf, Link, NetnsSocket, RingBufferReader } from '../index.js';
import { fixture, linkOf, missing } from './support.js';

function detached(): Uint8Array {
  const array = new Uint8Array(8);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

/** What nobody should pass, and what some would. */
const odd = (): unknown[] => [
  undefined,
  null,
  true,
  0,
  -1,
  -0,
  1.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 32,
  2 ** 53,
  Number.MAX_VALUE,
  0n,
  -1n,
  2n ** 64n,
  '',
  'x',
  'on_raw',
  'table',
  'a\0b',
  'x'.repeat(100_000),
  '\ud800',
  Symbol('s'),
  [],
  [undefined],
  [1],
  [1n],
  ['x', null],
  new Array(5),
  {},
  { name: 1 },
  { immediates: 5 },
  { immediates: [null] },
  { immediates: [{ magic: 1 }] },
  { immediates: [{ magic: 1n, value: -1n }] },
  { symbols: [] },
  { symbols: ['x'], addresses: [1n] },
  { cookie: 1 },
  { symbols: new Array(3) },
  {
    get name() {
      throw new RangeError('from a getter');
    },
  },
  Object.create(null),
  new Proxy(
    {},
    {
      get() {
        throw new RangeError('from a proxy');
      },
    },
  ),
  () => {},
  class {},
  new Date(),
  /x/,
  new Uint8Array(0),
  new Uint8Array(4),
  new Uint8Array(8),
  Buffer.alloc(4),
  new Uint16Array(4),
  new Float64Array(2),
  new BigUint64Array(1),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new Uint8Array(new SharedArrayBuffer(8)),
  detached(),
];

/** Calls with all kinds of arguments; all that may come out is a result, a TypeError, a BpfError or the getter's own error. */
function abuse(call: (...args: unknown[]) => unknown): void {
  const values = odd();
  let random = 7;
  const pick = () => {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    return values[random % values.length];
  };
  const tries: unknown[][] = [[], ...values.map((value) => [value])];
  for (let i = 0; i < 400; i++) tries.push([pick(), pick(), pick(), pick()]);
  for (const args of tries) {
    try {
      call(...args);
    } catch (error) {
      if (error instanceof RangeError && /from a (getter|proxy)/.test(error.message)) continue;
      if (!(error instanceof TypeError || error instanceof BpfError)) throw error;
    }
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

function methodsOf(type: { prototype: object }): [string, Method][] {
  return Object.entries(Object.getOwnPropertyDescriptors(type.prototype))
    .filter(([name]) => name !== 'constructor')
    .map(([name, { value, get }]) => [name, (value ?? get) as Method]);
}

describe('wrong arguments', () => {
  it('of functions and static methods are errors, never crashes', () => {
    abuse(BpfObject.open as Method);
    abuse(KernelBtf.load as Method);
    abuse(Kallsyms.load as Method);
    // what a thread finds out comes later
    const settled = (promise: unknown) => (promise as Promise<unknown>).catch(() => {});
    abuse((...args) => void settled((KernelBtf.read as Method)(...args)));
    abuse((...args) => void settled((Kallsyms.read as Method)(...args)));
    abuse(native.probeProgramType as Method);
    abuse(native.probeAttach as Method);
    abuse(native.possibleCpus as Method);
    abuse(native.readInNetns as Method);
    abuse(native.writeInNetns as Method);
    abuse(native.compilePcapFilter as Method);
    abuse(native.describeInterface as Method);
    abuse((...args) => (NetnsSocket.open as Method)(...args)); // what it opens is collected
  });

  it('of sockets are errors, on open and closed ones', () => {
    for (const state of ['open', 'closed']) {
      const socket = NetnsSocket.open(1, 2, 0); // AF_UNIX, SOCK_DGRAM
      if (state === 'closed') socket.close();
      for (const [name, method] of methodsOf(NetnsSocket))
        if (name !== 'close') abuse((...args) => void method.apply(socket, args));
      socket.close();
    }
  });

  it.skipIf(missing.bpf)('of every method are errors, on objects in every state', () => {
    for (const state of ['open', 'loaded', 'closed']) {
      const object = BpfObject.open(fixture('types'));
      if (state !== 'open') object.load();
      if (state === 'closed') object.close();
      for (const [name, method] of methodsOf(BpfObject))
        if (!['close', 'load'].includes(name)) abuse((...args) => method.apply(object, args));
      object.close();
    }
    const object = BpfObject.open(fixture('types'));
    object.load();
    const map = object.map('table');
    for (const [, method] of methodsOf(BpfMap)) abuse((...args) => method.apply(map, args));
    const link = linkOf(object.attachRawTracepoint('calls_a_function', 'sys_enter'));
    for (const [, method] of methodsOf(Link)) abuse((...args) => method.apply(link, args));
    abuse((...args) => new (RingBufferReader as unknown as new (...args: unknown[]) => unknown)(object, ...args));
    object.close();
  });

  it.skipIf(missing.btf)('of BTF and symbol tables are errors', () => {
    const btf = KernelBtf.load(fixture('types'));
    for (const [name, method] of methodsOf(KernelBtf))
      if (name !== 'close') abuse((...args) => method.apply(btf, args));
    const symbols = Kallsyms.load('/dev/null');
    for (const [, method] of methodsOf(Kallsyms)) abuse((...args) => method.apply(symbols, args));
  });
});

describe('a wrong this', () => {
  const classes = [BpfObject, BpfMap, Link, RingBufferReader, KernelBtf, Kallsyms, NetnsSocket];

  it('is a TypeError for every method and accessor', () => {
    const genuine = new Set<unknown>([
      BpfObject.open(fixture('types')),
      KernelBtf.load(fixture('types')),
      Kallsyms.load('/dev/null'),
      NetnsSocket.open(1, 2, 0),
    ]);
    const others = [
      undefined,
      null,
      {},
      5,
      new Date(),
      Object.create(BpfObject.prototype),
      new Proxy(BpfObject.open(fixture('types')), {}),
      ...genuine,
    ];
    for (const type of classes)
      for (const [, method] of methodsOf(type))
        for (const other of others)
          if (!genuine.has(other) || other?.constructor !== type) expect(() => method.call(other)).toThrow(TypeError);
  });

  it('cannot be made with new, except for readers', () => {
    for (const type of [BpfObject, BpfMap, Link, KernelBtf, Kallsyms, NetnsSocket]) {
      const construct = type as unknown as new (...args: unknown[]) => object;
      expect(() => new construct()).toThrow(TypeError);
      expect(() => Reflect.construct(construct, [{}], RingBufferReader)).toThrow(TypeError);
      expect(() => new (class extends construct {})()).toThrow(TypeError);
    }
  });
});

describe('options with getters', () => {
  it.skipIf(missing.bpf)('may close the object that they are read for', () => {
    const object = BpfObject.open(fixture('probes'));
    object.load();
    const options = {
      get immediates() {
        object.close();
        return [];
      },
    };
    expect(() => object.attachRawTracepoint('on_raw', 'sys_enter', options)).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    );
  });

  it('may detach the buffer that is opened', () => {
    const bytes = new Uint8Array(64);
    const options = {
      get name() {
        structuredClone(bytes, { transfer: [bytes.buffer] });
        return 'x';
      },
    };
    expect(() => BpfObject.open(bytes, options)).toThrow(BpfError);
  });
});
