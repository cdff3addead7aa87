import { byKernel } from '../by-kernel.js';
import { defineCase } from '../case.js';
import type { Host } from '../host.js';
import { clientAndServer } from '../shared/client-and-server.js';
import { encodeAddress } from '../socket-address.js';
import type { SocketOptions } from '../socket-options.js';

const SOL_TCP = 6;
const TCP_MD5SIG = 14;
/** struct tcp_md5sig: a sockaddr_storage, flags, prefix length, key length, interface, and the key. */
const ADDRESS_BYTES = 128;
const KEY_LENGTH_AT = ADDRESS_BYTES + 2;
const KEY_AT = ADDRESS_BYTES + 8;
const MAX_KEY_BYTES = 80;

/** Segments to and from this peer carry a signature (RFC 2385) made with the key. */
function md5(peer: Host, key: string): SocketOptions {
  const value = Buffer.alloc(KEY_AT + MAX_KEY_BYTES);
  encodeAddress({ address: peer.address, port: 0 }).copy(value);
  new Uint16Array(value.buffer, value.byteOffset + KEY_LENGTH_AT, 1)[0] = key.length;
  value.write(key, KEY_AT);
  return { raw: [[SOL_TCP, TCP_MD5SIG, value]] };
}

export default defineCase({
  name: 'tcp-md5-mismatch',
  group: 'path',
  title: 'TCP MD5 signatures: a SYN without one, with the wrong key, and with the right one',
  description: `The server asks this client for TCP MD5 signatures, as BGP daemons do. A SYN without a signature and one made
with another key are dropped before any socket sees them: no answer, so that the client only sees a time-out, as behind a
firewall. The counters TCPMD5NotFound and TCPMD5Failure tell the two apart. With the same key on both sides the connection
is made.`,
  parameters: { port: { default: 179, text: 'port of the server', range: [1, 65535] } },
  network: clientAndServer,
  async play({ net: { client, server }, parameters: { port }, step, until }) {
    const listener = server.listen({ port, options: md5(client, 'the key') });
    const to = { address: server.address, port };
    const refused = async (text: string, name: string, options: SocketOptions) => {
      const attempt = await step(text, () => client.startConnection(to, { options }));
      await until(`${name} has risen`, () => server.counter(name) > 0);
      attempt.close();
    };
    await refused('a SYN without a signature', 'TCPMD5NotFound', {});
    await refused('a SYN that is signed with another key', 'TCPMD5Failure', md5(server, 'another key'));
    const connection = await step('a connection with the same key', () =>
      client.connect(to, { options: md5(server, 'the key') }),
    );
    await listener.accept();
    return { port: connection.local.port };
  },
  expectations({ expect, facts, net: { client, server }, parameters: { port } }) {
    const syn = { flags: 'S', dport: port };
    const reason = (name: string) => byKernel({ '<5.17': undefined, '<5.18': 'NOT_SPECIFIED', else: name });
    expect.trace(syn).toBeDroppedAt('tcp_v4_rcv', reason('TCP_MD5NOTFOUND'));
    expect.trace(syn).toBeDroppedAt('tcp_v4_rcv', reason('TCP_MD5FAILURE'));
    expect.trace(syn, { needs: 'functions' }).toHaveCause('tcp-md5-mismatch');
    expect.trace({ ...syn, sport: facts.port }).toNotBeDropped();
    expect.counter('TCPMD5NotFound', { on: server }).toRise();
    expect.counter('TCPMD5Failure', { on: server }).toRise();
    expect.socket({ state: 'ESTABLISHED', on: client }).toRemain(1);
  },
});
