import { readFileSync } from 'node:fs';
import { readInNetns } from '#bpf-loader';
import { NettraceError } from '../../errors.js';
import { addressKey } from './neighbours.js';

const MAX_BYTES = 4 << 20;

/** The calling thread's namespace: /proc/net is that of the process's main thread. */
const IPV4_ROUTES = '/proc/thread-self/net/fib_trie';
const IPV6_ADDRESSES = '/proc/thread-self/net/if_inet6';

function read(file: string, netns: string | undefined): string {
  try {
    return netns === undefined
      ? readFileSync(file, 'utf8')
      : readInNetns(netns, file, { maxBytes: MAX_BYTES }).toString();
  } catch {
    return ''; // a kernel without IPv6, or without the file
  }
}

/** The addresses of the namespace's kernel, in the form of `addressKey`. */
function kernelAddresses(netns: string | undefined): Set<string> {
  const routes = read(IPV4_ROUTES, netns);
  // a leaf, and below it the routes to it: "|-- 10.0.0.1", "/32 host LOCAL"
  const local = [...routes.matchAll(/\|-- ([\d.]+)\n\s+\/32 host LOCAL/g)].map(([, address]) =>
    addressKey(address ?? ''),
  );
  const ipv6 = read(IPV6_ADDRESSES, netns)
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  return new Set([...local, ...ipv6]);
}

/** Throws NettraceError where the kernel of the namespace has one of the addresses: it would answer, too. */
export function refuseKernelsOwn(addresses: readonly string[], netns: string | undefined): void {
  const own = kernelAddresses(netns);
  const both = addresses.filter((address) => own.has(addressKey(address)));
  if (both.length > 0)
    throw new NettraceError(`the kernel has ${both.join(', ')} itself, and would answer for the crafted host`, {
      advice: "leave the crafted host's end of the link without addresses",
    });
}
