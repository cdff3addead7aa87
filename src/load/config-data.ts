import { parseAddress } from '../decode/addresses.js';
import { LITTLE } from '../decode/byte-order.js';
import type { GeneratedFilter } from '../filter/compile-filters.js';
import { FilterConfig, FilterNet, FilterRange, TraceConfig, TraceMode } from '../generated/layout.js';
import type { Mode } from '../modes.js';
import type { Filter, Net, PortRange } from '../options.js';
import { ETH_P_IP, ETH_P_IPV6 } from '../protocols.js';
import type { Sample } from '../sample.js';

function writeNet(view: DataView, at: number, net: Net): void {
  const bytes = parseAddress(net.address) ?? new Uint8Array();
  for (const [i, byte] of bytes.entries()) {
    const bits = Math.min(8, Math.max(0, net.prefix - i * 8));
    const mask = (0xff << (8 - bits)) & 0xff;
    view.setUint8(at + FilterNet.mask + i, mask);
    view.setUint8(at + FilterNet.addr + i, byte & mask);
  }
  view.setUint32(at + FilterNet.l3Proto, bytes.length === 4 ? ETH_P_IP : ETH_P_IPV6, LITTLE);
}

function writeRange(view: DataView, at: number, range: PortRange): void {
  view.setUint16(at + FilterRange.low, range.low, LITTLE);
  view.setUint16(at + FilterRange.high, range.high, LITTLE);
}

export interface ConfigInput {
  filter: Filter;
  /** Filter expressions, where there are any. */
  generated?: GeneratedFilter | undefined;
  /** Inode; 0 for any. With a list only its namespaces, and those that are added later: see AttachedPrograms. */
  netns: number | readonly number[];
  wantMeta: boolean;
  /** The first bytes of packets. */
  wantBytes: boolean;
  /** The kernel is too old for BTF of modules. */
  /** on_multi is attached only where packets are followed that were seen before. */
  multiFollows: boolean;
  fixedModuleTypes: boolean;
  mode: Mode;
  wantOwner: boolean;
  wantHooks: boolean;
  latencyFree: boolean;
  /** Events a second; 0 for any. */
  rateLimit: number;
  sample: Sample;
  /** Microseconds. */
  minLatency: number;
  minSrtt: number;
  minRtt: number;
}

const KERNEL_MODES: Readonly<Record<Mode, number>> = {
  life: TraceMode.life,
  basic: TraceMode.events,
  drop: TraceMode.events,
  monitor: TraceMode.events,
  sock: TraceMode.events,
  rtt: TraceMode.events,
  'rtt-detail': TraceMode.events,
  latency: TraceMode.latency,
  'latency-summary': TraceMode.latency,
  'func-stats': TraceMode.stats,
};

/** Does the filter ask for anything at all? */
function isEmpty(filter: Filter): boolean {
  return Object.values(filter).every((value) => value === undefined || (Array.isArray(value) && value.length === 0));
}

function writeText(bytes: Uint8Array, at: number, text: string | undefined): void {
  bytes.set(Buffer.from(text ?? ''), at);
}

/** Writes struct trace_config (bpf/config.h) into `bytes`, which begin with it. */
export function writeConfig(bytes: Uint8Array, input: ConfigInput): void {
  const { filter, netns } = input;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = TraceConfig.filter;
  const set = (offset: number, value: number) => view.setUint32(at + offset, value, LITTLE);
  for (const [list, count, start] of [
    [filter.saddr, FilterConfig.saddrCount, FilterConfig.saddr],
    [filter.daddr, FilterConfig.daddrCount, FilterConfig.daddr],
    [filter.addr, FilterConfig.addrCount, FilterConfig.addr],
  ] as const) {
    set(count, list.length);
    for (const [i, net] of list.entries()) writeNet(view, at + start + i * FilterNet.size, net);
  }
  for (const [list, count, start] of [
    [filter.sport, FilterConfig.sportCount, FilterConfig.sport],
    [filter.dport, FilterConfig.dportCount, FilterConfig.dport],
    [filter.port, FilterConfig.portCount, FilterConfig.port],
  ] as const) {
    set(count, list.length);
    for (const [i, range] of list.entries()) writeRange(view, at + start + i * FilterRange.size, range);
  }
  set(FilterConfig.l3Proto, filter.proto?.l3 ?? 0);
  set(FilterConfig.l4Proto, filter.proto?.l4 ?? 0);
  set(FilterConfig.flagsCount, filter.tcpFlags.length);
  for (const [i, flags] of filter.tcpFlags.entries()) view.setUint8(at + FilterConfig.flags + i, flags);
  if (filter.pktLen) {
    // a length of 0 is one that is not known
    set(FilterConfig.lenLow, Math.max(filter.pktLen.low, 1));
    set(FilterConfig.lenHigh, filter.pktLen.high);
  }
  const isListed = typeof netns !== 'number';
  set(FilterConfig.netns, isListed ? 0 : netns);
  set(FilterConfig.netnsListed, Number(isListed));
  set(FilterConfig.pid, filter.pid ?? 0);
  set(FilterConfig.hasIfname, filter.ifname === undefined ? 0 : 1);
  writeText(bytes, at + FilterConfig.ifname, filter.ifname);
  set(FilterConfig.hasComm, filter.comm === undefined ? 0 : 1);
  writeText(bytes, at + FilterConfig.comm, filter.comm);
  for (const [offset, value] of [
    [TraceConfig.mode, KERNEL_MODES[input.mode]],
    [TraceConfig.hasFilter, !isEmpty(filter) || netns !== 0 || input.generated !== undefined],
    [TraceConfig.filterWanted, input.generated?.wanted ?? 0],
    [TraceConfig.expressionWindow, input.generated?.expressionWindow ?? 0],
    [TraceConfig.tunnelWindow, input.generated?.tunnelWindow ?? 0],
    [TraceConfig.onlyAbnormal, input.mode === 'monitor'],
    [TraceConfig.wantOwner, input.wantOwner],
    [TraceConfig.wantHooks, input.wantHooks],
    [TraceConfig.wantHistogram, input.mode === 'rtt' || input.mode === 'latency-summary'],
    [TraceConfig.latencyToFree, input.latencyFree],
    [TraceConfig.rateLimit, input.rateLimit],
    [TraceConfig.sampleWithout, 2 ** 32 - Math.floor(2 ** 32 / input.sample.oneOf)],
    [TraceConfig.sampleAdaptive, input.sample.adaptive],
    [TraceConfig.minSrttUs, input.minSrtt],
    [TraceConfig.minRttUs, input.minRtt],
    [TraceConfig.wantMeta, input.wantMeta],
    [TraceConfig.wantBytes, input.wantBytes],
    [TraceConfig.multiFollows, input.multiFollows],
    [TraceConfig.fixedModuleTypes, input.fixedModuleTypes],
  ] as const) {
    view.setUint32(offset, Number(value), LITTLE);
  }
  view.setBigUint64(TraceConfig.minLatencyNs, BigInt(Math.round(input.minLatency * 1000)), LITTLE);
}
