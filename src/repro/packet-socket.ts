import { describeInterface, NetnsSocket, type ReceivedMessage } from '#bpf-loader';
import { LITTLE } from '../decode/byte-order.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL = 3;
const ETH_P_8021Q = 0x8100;
const SOL_SOCKET = 1;
/** SO_TIMESTAMPNS; as control message SCM_TIMESTAMPNS. */
const SO_TIMESTAMPNS = 35;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_AUXDATA = 8;
/** sll_pkttype of what this machine sends. */
const PACKET_OUTGOING = 4;
/** include/uapi/linux/if_packet.h */
const TP_STATUS_CSUMNOTREADY = 0x08;
const TP_STATUS_VLAN_VALID = 0x10;
const TP_STATUS_VLAN_TPID_VALID = 0x40;

/** More than any packet that is not yet cut into segments (GSO). */
const MAX_PACKET = 256 << 10;
const BUFFER_BYTES = 8 << 20;
/** struct timespec and struct tpacket_auxdata with their heads. */
const CONTROL_BYTES = 256;

export interface CapturedPacket {
  /** From the Ethernet header on, as on the wire: VLAN tags are in it. */
  bytes: Uint8Array;
  /** Nanoseconds since 1970; 0 where the kernel gave no time. */
  time: bigint;
  /** This namespace sends it; a packet socket does not see what it has sent itself. */
  outgoing: boolean;
  /** The transport checksum was left to the device (CHECKSUM_PARTIAL), which a veth pair never computes. */
  checksumPending: boolean;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** struct sockaddr_ll with protocol and interface. */
function linkAddress(index: number): Buffer {
  const address = Buffer.alloc(20);
  const view = viewOf(address);
  view.setUint16(0, AF_PACKET, LITTLE);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, index, LITTLE);
  return address;
}

/** Nanoseconds since 1970; 0 where the kernel gave no time. */
function timeOf({ control }: ReceivedMessage): bigint {
  const stamp = control.find(({ level, type }) => level === SOL_SOCKET && type === SO_TIMESTAMPNS)?.data;
  if (!stamp) return 0n;
  const view = viewOf(stamp);
  return view.getBigInt64(0, LITTLE) * 1_000_000_000n + view.getBigInt64(8, LITTLE);
}

function captured(message: ReceivedMessage): CapturedPacket {
  const { data, from, control } = message;
  const auxdata = control.find(({ level, type }) => level === SOL_PACKET && type === PACKET_AUXDATA)?.data;
  const status = auxdata ? viewOf(auxdata).getUint32(0, LITTLE) : 0;
  return {
    bytes: auxdata && status & TP_STATUS_VLAN_VALID ? withVlanTag(data, auxdata, status) : data,
    time: timeOf(message),
    outgoing: from[10] === PACKET_OUTGOING, // struct sockaddr_ll: sll_pkttype
    checksumPending: (status & TP_STATUS_CSUMNOTREADY) !== 0,
  };
}

/** The kernel keeps a VLAN tag beside the data (struct tpacket_auxdata: tp_vlan_tci, tp_vlan_tpid). */
function withVlanTag(data: Buffer, auxdata: Buffer, status: number): Uint8Array {
  const view = viewOf(auxdata);
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(status & TP_STATUS_VLAN_TPID_VALID ? view.getUint16(18, LITTLE) : ETH_P_8021Q, 0);
  tag.writeUInt16BE(view.getUint16(16, LITTLE), 2);
  return Buffer.concat([data.subarray(0, 12), tag, data.subarray(12)]);
}

/** A raw packet socket on one interface of a network namespace (`netns`: its file; without it the process's own). */
export class PacketSocket {
  readonly #socket: NetnsSocket;

  /** Sees all that passes the interface from now on. Throws BpfError. */
  constructor(ifname: string, place: { netns?: string }) {
    const { index } = describeInterface(ifname, place);
    // no protocol before it is bound: packets of other interfaces would be in the queue
    this.#socket = NetnsSocket.open(AF_PACKET, SOCK_RAW, 0, place);
    this.#socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
    this.#socket.setOption(SOL_SOCKET, SO_TIMESTAMPNS, 1);
    this.#socket.setOption(SOL_PACKET, PACKET_AUXDATA, 1);
    this.#socket.bind(linkAddress(index));
  }

  /** A whole frame. Throws BpfError: EMSGSIZE beyond the MTU, ENETDOWN, ENOBUFS where a queue is full. */
  send(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  /** The next packet; undefined where none is there, or when it is closed. Throws BpfError (ENETDOWN). */
  receive(): CapturedPacket | undefined {
    const message = this.#socket.fd < 0 ? undefined : this.#socket.receive(MAX_PACKET, 0, CONTROL_BYTES);
    return message && captured(message);
  }

  /** True when a packet is there; false after the time (for ever where not given), or when it is closed. */
  wait(timeoutMs?: number): Promise<boolean> {
    return this.#socket.wait('read', timeoutMs);
  }

  /** Packets that found no room in the queue since the last call. */
  lost(): number {
    return viewOf(this.#socket.getOption(SOL_PACKET, PACKET_STATISTICS, 8)).getUint32(4, LITTLE);
  }

  close(): void {
    this.#socket.close();
  }
}
