import { fileURLToPath } from 'node:url';
import { BpfObject, describeInterface } from '#bpf-loader';
import { attribute, change, NLM_F_CREATE_NEW } from '../netlink/change.js';
import { NetlinkError } from '../netlink/dump.js';
import { NetlinkFamily, withNetlink } from '../netlink/socket.js';
import type { LinkEnd } from './link.js';

const OBJECT = fileURLToPath(new URL('../bpf/taker.bpf.o', import.meta.url));

/** include/uapi/linux/rtnetlink.h, pkt_sched.h and pkt_cls.h */
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const CLSACT_HANDLE = 0xffff0000;
const TC_H_CLSACT = 0xfffffff1;
const TC_H_INGRESS = 0xfffffff2;
/** Priority 1; ETH_P_ALL in network byte order. */
const FILTER_INFO = (1 << 16) | 0x0300;
/** A kernel without clsact, or without BPF classifiers. */
const MISSING = ['ENOENT', 'EOPNOTSUPP'];

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** struct tcmsg */
function trafficControl(ifindex: number, handle: number, parent: number, info: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeInt32LE(ifindex, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(info, 16);
  return bytes;
}

const text = (value: string) => Buffer.from(`${value}\0`);

/**
 * From now on the kernel of these ends' hosts gets no packets: packet sockets on the interfaces have had them, and what a kernel
 * without addresses would do with them, drop them, is not what became of them. Where the kernel has no BPF classifiers, it drops them.
 */
export async function takePackets(ends: readonly LinkEnd[]): Promise<void> {
  if (ends.length === 0) return;
  const object = BpfObject.open(OBJECT, { name: 'taker' });
  try {
    object.load();
    const options = Buffer.concat([
      attribute(TCA_BPF_FD, u32(object.programFd('take_packet'))),
      attribute(TCA_BPF_NAME, text('taker')),
      attribute(TCA_BPF_FLAGS, u32(TCA_BPF_FLAG_ACT_DIRECT)),
    ]);
    for (const { host, ifname } of ends) {
      const place = { netns: host.path };
      const { index } = describeInterface(ifname, place);
      await withNetlink(NetlinkFamily.route, place, async (socket) => {
        const request = (type: number, ...payload: Buffer[]) =>
          change(socket, {
            type,
            flags: NLM_F_CREATE_NEW,
            payload: Buffer.concat(payload),
            what: `packets of ${ifname} of ${host.name} cannot be taken`,
          });
        await request(
          RTM_NEWQDISC,
          trafficControl(index, CLSACT_HANDLE, TC_H_CLSACT, 0),
          attribute(TCA_KIND, text('clsact')),
        );
        await request(
          RTM_NEWTFILTER,
          trafficControl(index, 0, TC_H_INGRESS, FILTER_INFO),
          attribute(TCA_KIND, text('bpf')),
          attribute(TCA_OPTIONS, options),
        );
      });
    }
  } catch (error) {
    if (!(error instanceof NetlinkError && MISSING.includes(error.code))) throw error;
  } finally {
    // the filters hold the program
    object.close();
  }
}
