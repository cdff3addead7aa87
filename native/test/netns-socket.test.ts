import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { describeInterface, NetnsSocket } from '../index.js';
import { collectGarbage, failureOf, library, openDescriptors, runScript, until } from './support.js';

// Numbers of Linux, the same on all architectures but for some that are not built for.
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const AF_PACKET = 17;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const SO_TIMESTAMP = 29;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 8;
const MSG_PEEK = 2;
const ETH_P_LOOPBACK = 0x9000;
const ARPHRD_LOOPBACK = 772;

const NAME = `bpf-loader-socket-${process.pid}`;
const OTHER = { netns: `/run/netns/${NAME}` };
const ip = (...words: string[]) => spawnSync('ip', words, { encoding: 'utf8' });
const made = ip('netns', 'add', NAME).status === 0 && ip('-n', NAME, 'link', 'set', 'lo', 'up').status === 0;
const tasks = () => Number(/Threads:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
function family(value: number): number[] {
  return littleEndian ? [value, 0] : [0, value];
}

/** 127.0.0.1 */
function loopback(port: number): Buffer {
  return Buffer.from([...family(AF_INET), port >> 8, port & 0xff, 127, 0, 0, 1, ...new Array(8).fill(0)]);
}
const portOf = (address: Buffer) => address.readUInt16BE(2);

const opened: NetnsSocket[] = [];
function open(domain: number, type: number, protocol = 0, options = OTHER): NetnsSocket {
  const socket = NetnsSocket.open(domain, type, protocol, options);
  opened.push(socket);
  return socket;
}

function listener(backlog = 10): { socket: NetnsSocket; address: Buffer } {
  const socket = open(AF_INET, SOCK_STREAM);
  socket.bind(loopback(0));
  socket.listen(backlog);
  return { socket, address: socket.getName() };
}

async function connected(): Promise<[client: NetnsSocket, server: NetnsSocket]> {
  const { socket, address } = listener();
  const client = open(AF_INET, SOCK_STREAM);
  client.connect(address);
  expect(await socket.wait('read', 10_000)).toBe(true);
  const server = socket.accept()!;
  opened.push(server);
  return [client, server];
}

afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});
afterAll(() => {
  if (made) ip('netns', 'delete', NAME);
});

describe('arguments of sockets', () => {
  type Call = (...args: unknown[]) => unknown;
  const call =
    (socket: NetnsSocket, method: keyof NetnsSocket, ...args: unknown[]) =>
    () =>
      (socket[method] as Call).apply(socket, args);

  it.each([
    [[-1, 1, 0], /domain must be a whole number/],
    [[AF_INET, 'x', 0], /type must be a whole number/],
    [[AF_INET, 1], /protocol must be a whole number/],
    [[AF_INET, 1, 0, { netns: 'relative' }], /netns must be an absolute path/],
    [[AF_INET, 1, 0, { netns: '/x', inode: 0 }], /inode must be a whole number from 1/],
    [[AF_INET, 1, 0, 'x'], /options must be an object/],
  ])('%j do not open one', (args, message) => {
    expect(() => (NetnsSocket.open as Call)(...args)).toThrow(TypeError);
    expect(() => (NetnsSocket.open as Call)(...args)).toThrow(message);
  });

  it.each<[keyof NetnsSocket, unknown[], RegExp]>([
    ['bind', ['x'], /address must be a Uint8Array/],
    ['connect', [], /address must be a Uint8Array/],
    ['listen', [-1], /backlog must be/],
    ['send', ['x'], /data must be a Uint8Array/],
    ['send', [Buffer.of(1), 0.5], /flags must be/],
    ['sendTo', [Buffer.of(1)], /address must be a Uint8Array/],
    ['receive', [], /maxBytes must be/],
    ['receive', [2 ** 24 + 1], /maxBytes must be/],
    ['receive', [1, 0, 2 ** 17], /controlBytes must be/],
    ['shutdown', ['up'], /how must be 'read', 'write' or 'both'/],
    ['setOption', [1, 1, 'x'], /value must be a Uint8Array/],
    ['setOption', [1, 1, 2 ** 32], /value must be a whole number of 32 bits/],
    ['getOption', [1, 1], /maxBytes must be/],
    ['wait', ['both'], /what must be 'read' or 'write'/],
    ['wait', ['read', -1], /timeoutMs must be/],
    ['wait', ['read', Number.NaN], /timeoutMs must be/],
  ])('%s(%j) is a TypeError', (method, args, message) => {
    const socket = open(AF_UNIX, SOCK_DGRAM, 0, {} as typeof OTHER);
    expect(call(socket, method, ...args)).toThrow(TypeError);
    expect(call(socket, method, ...args)).toThrow(message);
  });

  it('are refused with errno where the kernel refuses them', () => {
    expect(failureOf(() => NetnsSocket.open(AF_INET, 77, 0))).toMatchObject({ code: 'EINVAL', operation: 'open' });
    expect(failureOf(() => open(AF_INET, SOCK_STREAM, 0, { netns: '/run/netns/there-is-none' }))).toMatchObject({
      code: 'ENOENT',
      target: '/run/netns/there-is-none',
    });
    expect(failureOf(() => open(AF_INET, SOCK_STREAM, 0, { netns: '/proc/self/comm' })).operation).toBe('enter');
    const socket = open(AF_UNIX, SOCK_DGRAM, 0, {} as typeof OTHER);
    for (const address of [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(5000)])
      expect(failureOf(() => socket.bind(address))).toMatchObject({ code: 'EINVAL', operation: 'bind' });
    expect(failureOf(() => socket.getPeerName()).code).toBe('ENOTCONN');
    expect(failureOf(() => socket.getOption(SOL_SOCKET, 9999, 4)).code).toBe('ENOPROTOOPT');
  });

  it('of interfaces are checked', () => {
    for (const name of ['', 'x'.repeat(16), 5, undefined, 'a\0b'])
      expect(() => (describeInterface as Call)(name)).toThrow(TypeError);
    expect(failureOf(() => describeInterface('there-is-none'))).toMatchObject({
      code: 'ENODEV',
      operation: 'describe',
    });
    expect(failureOf(() => describeInterface('lo', { netns: '/run/netns/there-is-none' })).code).toBe('ENOENT');
  });
});

describe.skipIf(!made)('a socket in another network namespace', () => {
  it('is of that namespace, and moves no thread of the process', async () => {
    const before = statSync('/proc/self/ns/net').ino;
    const { socket, address } = listener();
    expect(statSync('/proc/self/ns/net').ino).toBe(before);
    const outside = NetnsSocket.open(AF_INET, SOCK_STREAM, 0);
    opened.push(outside);
    outside.connect(address);
    await outside.wait('write', 10_000);
    expect(outside.getOption(SOL_SOCKET, SO_ERROR, 4).readInt32LE()).toBe(111); // ECONNREFUSED
    expect(socket.accept()).toBeUndefined();
    expect(readFileSync(`/proc/self/fdinfo/${socket.fd}`, 'utf8')).toMatch(/flags:\s+02004002/); // O_CLOEXEC, O_NONBLOCK
  });

  it('is refused where the path names another namespace by now', () => {
    const inode = statSync(OTHER.netns).ino;
    open(AF_INET, SOCK_STREAM, 0, { ...OTHER, inode } as typeof OTHER);
    const options = { ...OTHER, inode: inode + 1 };
    expect(failureOf(() => NetnsSocket.open(AF_INET, SOCK_STREAM, 0, options)).code).toBe('ESTALE');
  });

  it('connects, accepts, sends and receives, to the end of the stream', async () => {
    const [client, server] = await connected();
    expect(client.getOption(SOL_SOCKET, SO_ERROR, 4)).toEqual(Buffer.alloc(4));
    expect(server.getPeerName()).toEqual(client.getName());
    expect(client.getPeerName()).toEqual(server.getName());
    expect(client.send(Buffer.from('hello'))).toBe(5);
    expect(await server.wait('read', 10_000)).toBe(true);
    expect(server.receive(3)).toEqual({
      data: Buffer.from('hel'),
      length: 3,
      from: Buffer.alloc(0),
      flags: 0,
      control: [],
    });
    expect(server.receive(100)!.data.toString()).toBe('lo');
    expect(server.receive(100)).toBeUndefined();
    client.shutdown('write');
    expect(await server.wait('read', 10_000)).toBe(true);
    expect(server.receive(100)!.data).toHaveLength(0);
    expect(server.send(Buffer.from('back'))).toBe(4);
    expect(await client.wait('read', 10_000)).toBe(true);
    expect(client.receive(100)!.data.toString()).toBe('back');
  });

  it('says undefined where sending would have to wait, and when to go on', async () => {
    const [client, server] = await connected();
    const block = Buffer.alloc(1 << 20);
    let sent = 0;
    for (let taken = client.send(block); taken !== undefined; taken = client.send(block)) sent += taken;
    expect(sent).toBeGreaterThan(0);
    expect(await client.wait('write', 0)).toBe(false);
    const writable = client.wait('write', 10_000);
    let received = 0;
    while (received < sent && (await server.wait('read', 10_000))) received += server.receive(block.length)!.length;
    expect(received).toBe(sent);
    expect(await writable).toBe(true);
  });

  it('that the peer has reset says so', async () => {
    const [client, server] = await connected();
    server.setOption(SOL_SOCKET, 13, Buffer.from(Uint32Array.of(1, 0).buffer)); // SO_LINGER, no time
    server.close();
    expect(await client.wait('read', 10_000)).toBe(true);
    expect(failureOf(() => client.receive(10))).toMatchObject({ code: 'ECONNRESET', operation: 'receive' });
    expect(failureOf(() => client.send(Buffer.of(1))).code).toBe('EPIPE');
  });

  it('sends datagrams and tells from where they came, cut off or whole', async () => {
    const [one, two] = [open(AF_INET, SOCK_DGRAM), open(AF_INET, SOCK_DGRAM)];
    one.bind(loopback(0));
    two.bind(loopback(0));
    two.setOption(SOL_SOCKET, SO_TIMESTAMP, 1);
    expect(one.sendTo(Buffer.from('datagram'), two.getName())).toBe(8);
    expect(await two.wait('read', 10_000)).toBe(true);
    expect(two.receive(4, MSG_PEEK | MSG_TRUNC)).toMatchObject({
      data: Buffer.from('data'),
      length: 8,
      flags: MSG_TRUNC | MSG_CTRUNC, // the timestamp, too, had no room
    });
    const { data, from, control } = two.receive(100, 0, 256)!;
    expect(data.toString()).toBe('datagram');
    expect(portOf(from)).toBe(portOf(one.getName()));
    expect(control).toEqual([{ level: SOL_SOCKET, type: SO_TIMESTAMP, data: expect.any(Buffer) }]);
    expect(Number(control[0]!.data.readBigInt64LE())).toBeCloseTo(Date.now() / 1000, -2);
  });

  it('speaks IPv6', async () => {
    const [one, two] = [open(AF_INET6, SOCK_DGRAM), open(AF_INET6, SOCK_DGRAM)];
    const address = Buffer.alloc(28);
    address.set(family(AF_INET6));
    address[23] = 1; // ::1
    one.bind(address);
    two.connect(one.getName());
    two.send(Buffer.from('six'));
    expect(await one.wait('read', 10_000)).toBe(true);
    expect(one.receive(10)!.from).toEqual(two.getName());
  });

  it('takes and gives options', () => {
    const socket = open(AF_INET, SOCK_DGRAM);
    socket.setOption(SOL_SOCKET, SO_RCVBUF, 20_000);
    expect(socket.getOption(SOL_SOCKET, SO_RCVBUF, 4).readInt32LE()).toBe(40_000); // the kernel doubles it
    socket.setOption(SOL_SOCKET, 25, Buffer.from('lo\0')); // SO_BINDTODEVICE
    expect(socket.getOption(SOL_SOCKET, 25, 16).toString()).toBe('lo\0');
  });

  it('asks the kernel by netlink', async () => {
    const socket = open(AF_NETLINK, SOCK_RAW, 0);
    const request = Buffer.alloc(32); // struct nlmsghdr, struct ifinfomsg
    request.writeUInt32LE(32, 0);
    request.writeUInt16LE(18, 4); // RTM_GETLINK
    request.writeUInt16LE(0x301, 6); // NLM_F_REQUEST | NLM_F_DUMP
    socket.send(request);
    expect(await socket.wait('read', 10_000)).toBe(true);
    expect(socket.receive(1 << 16)!.data.toString('latin1')).toContain('lo\0');
  });

  it('sends and receives raw packets on one interface, whose index and address are known', async () => {
    const lo = describeInterface('lo', OTHER);
    expect(lo).toMatchObject({ index: 1, type: ARPHRD_LOOPBACK, mtu: 65_536, address: Buffer.alloc(6) });
    expect(lo.flags & 1).toBe(1); // IFF_UP
    const socket = open(AF_PACKET, SOCK_RAW, 0);
    const address = Buffer.alloc(20); // struct sockaddr_ll
    address.set(family(AF_PACKET));
    address.writeUInt16BE(ETH_P_LOOPBACK, 2);
    address.writeInt32LE(lo.index, 4);
    socket.bind(address);
    const frame = Buffer.concat([Buffer.alloc(12), Buffer.from([0x90, 0]), Buffer.from('a frame')]);
    expect(socket.send(frame)).toBe(frame.length);
    expect(await socket.wait('read', 10_000)).toBe(true);
    const { data, from } = socket.receive(2000)!;
    expect(data).toEqual(frame);
    expect(from.readInt32LE(4)).toBe(lo.index);
  });

  it('closes descriptors that a peer passes', async () => {
    const [stem, path] = ['fd-passing', `\0bpf-loader-${process.pid}`];
    const address = Buffer.concat([Buffer.from(family(AF_UNIX)), Buffer.from(path)]);
    const socket = open(AF_UNIX, SOCK_DGRAM, 0, {} as typeof OTHER);
    socket.bind(address);
    const before = openDescriptors();
    const sender = spawnSync('python3', [
      '-c',
      `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(bytes.fromhex(sys.argv[1]))
files = [open('/dev/null') for _ in range(3)]
socket.send_fds(s, [b'${stem}'], [f.fileno() for f in files])`,
      Buffer.from(path).toString('hex'),
    ]);
    expect(sender.stderr.toString()).toBe('');
    expect(socket.receive(100, 0, 256)).toMatchObject({ data: Buffer.from(stem), control: [] });
    expect(openDescriptors()).toBe(before);
  });
});

describe.skipIf(!made)('a wait for a socket', () => {
  it('ends with false when its time is over, and not before', async () => {
    const socket = open(AF_INET, SOCK_DGRAM);
    socket.bind(loopback(0));
    const start = performance.now();
    expect(await socket.wait('read', 50)).toBe(false);
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(await socket.wait('read', 0)).toBe(false);
    expect(await socket.wait('write', 0)).toBe(true);
  });

  it('may be one of many, each for itself', async () => {
    const { socket, address } = listener();
    const waits = [socket.wait('read'), socket.wait('read', 10_000), socket.wait('read', 20)];
    expect(await waits[2]).toBe(false);
    const client = open(AF_INET, SOCK_STREAM);
    client.connect(address);
    expect(await Promise.all(waits)).toEqual([true, true, false]);
    expect(await socket.wait('read')).toBe(true);
  });

  it('is true only for what is there now, not for what was there before', async () => {
    const [client, server] = await connected();
    for (let i = 0; i < 200; i++) {
      const wait = server.wait('read', 10_000);
      client.send(Buffer.of(i));
      if (i % 2) expect(await server.wait('read', 10_000)).toBe(true);
      expect(await wait).toBe(true);
      expect(server.receive(10)!.data).toEqual(Buffer.of(i));
      expect(await server.wait('read', i % 20 === 0 ? 2 : 0)).toBe(false);
    }
  });

  it('goes on for one direction while the other is done', async () => {
    const [client, server] = await connected();
    const block = Buffer.alloc(1 << 20);
    while (client.send(block) !== undefined);
    const [writable, readable] = [client.wait('write', 10_000), client.wait('read', 10_000)];
    server.send(Buffer.of(1));
    expect(await readable).toBe(true);
    while (server.receive(block.length));
    expect(await writable).toBe(true);
  });

  it('ends with false when the socket is closed', async () => {
    const socket = open(AF_INET, SOCK_DGRAM);
    socket.bind(loopback(0));
    const waits = [socket.wait('read'), socket.wait('read', 10_000)];
    socket.close();
    expect(await Promise.all(waits)).toEqual([false, false]);
    expect(socket.fd).toBe(-1);
    socket.close();
    for (const call of [() => socket.receive(1), () => socket.wait('read'), () => socket.bind(loopback(0))])
      expect(failureOf(call)).toMatchObject({ code: 'EBADF', target: `socket 2/2/0 in ${OTHER.netns}` });
  });

  it('keeps the process alive, and a socket that waits for nothing does not', () => {
    const start = `
      import { NetnsSocket } from '${library}'
      const socket = NetnsSocket.open(2, 2, 0)
      socket.bind(Buffer.from('02000000000000000000000000000000', 'hex'))
      process.on('exit', () => console.log('exit'))`;
    const wait = runScript(`${start}
      console.log(await socket.wait('read', 50))
      console.log(await Promise.race([socket.wait('read'), new Promise((done) => setTimeout(done, 20, 'first'))]))
      setTimeout(() => socket.close(), 20)
      console.log(await socket.wait('read'))
      globalThis.kept = NetnsSocket.open(2, 2, 0)`);
    expect(wait).toMatchObject({ stdout: 'false\nfirst\nfalse\nexit\n', stderr: '', status: 0 });
    const ended = runScript(`${start}
      socket.wait('read')
      setTimeout(() => process.exit(0), 20)`);
    expect(ended).toMatchObject({ stdout: 'exit\n', stderr: '', status: 0, signal: null });
  });

  it('keeps its socket from being collected', async () => {
    const { socket, address } = listener();
    const wait = (() => {
      const client = NetnsSocket.open(AF_INET, SOCK_STREAM, 0, OTHER);
      client.connect(address);
      return client.wait('read');
    })();
    await socket.wait('read', 10_000);
    const server = socket.accept()!;
    opened.push(server);
    await collectGarbage();
    server.send(Buffer.of(1));
    expect(await wait).toBe(true);
  });

  it('of a worker ends with it', async () => {
    const source = `import('${library}').then(async ({ NetnsSocket }) => {
      const { parentPort } = await import('node:worker_threads')
      const socket = NetnsSocket.open(2, 2, 0, { netns: '${OTHER.netns}' })
      socket.bind(Buffer.from('02000000000000000000000000000000', 'hex'))
      socket.wait('read')
      parentPort.postMessage('waits')
      for (;;) await socket.wait('write')
    })`;
    await collectGarbage();
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(source, { eval: true });
      await once(worker, 'message');
      await worker.terminate();
    }
    await collectGarbage();
    expect(openDescriptors()).toBe(before);
  });
});

describe.skipIf(!made)('thousands of sockets', () => {
  it('leave neither descriptors nor threads when they are closed', async () => {
    await (await connected())[0].wait('read', 0);
    for (const socket of opened.splice(0)) socket.close();
    const { socket: server, address } = listener(100);
    await server.wait('read', 1);
    const [descriptors, threads] = [openDescriptors(), tasks()];
    for (let i = 0; i < 3000; i++) {
      const client = NetnsSocket.open(AF_INET, SOCK_STREAM, 0, OTHER);
      client.connect(address);
      if (i % 3 === 0) void client.wait('read');
      await server.wait('read', 10_000);
      server.accept()!.close();
      client.close();
    }
    for (let i = 0; i < 500; i++) failureOf(() => NetnsSocket.open(AF_INET, 77, 0, OTHER));
    expect(openDescriptors()).toBe(descriptors);
    expect(tasks()).toBeLessThan(threads + 10); // the last may not be quite gone
  });

  it('leave no descriptors when they are forgotten', async () => {
    await collectGarbage();
    const before = openDescriptors();
    for (let i = 0; i < 300; i++) NetnsSocket.open(AF_INET, SOCK_DGRAM, 0, OTHER);
    await collectGarbage();
    await until(() => openDescriptors() <= before, 'the sockets are collected');
  });
});
