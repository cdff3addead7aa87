import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { isInRange, type KernelVersion } from './by-kernel.js';
import { runTool } from './tools.js';

/**
 * Kernel modules that cases need, each with a function that only it has: where the machine has no list of modules, the
 * kernel's symbols tell that it is built in.
 */
const MODULES = {
  veth: 'veth_newlink',
  bridge: 'br_handle_frame',
  '8021q': 'vlan_dev_hard_start_xmit',
  vxlan: 'vxlan_xmit',
  ip_gre: 'ipgre_xmit',
  nf_tables: 'nft_do_chain',
  nft_chain_nat: 'nft_nat_do_chain',
  nft_ct: 'nft_ct_get_eval',
  nft_reject_ipv4: 'nft_reject_ipv4_eval',
  nft_reject_inet: 'nft_reject_inet_eval',
  nf_conntrack: 'nf_conntrack_in',
  nf_nat: 'nf_nat_inet_fn',
  ip_tables: 'ipt_do_table',
  iptable_filter: 'iptable_filter_table_init',
  xt_conntrack: 'conntrack_mt',
  sch_netem: 'netem_enqueue',
  sch_tbf: 'tbf_enqueue',
  sch_ingress: 'ingress_init',
  cls_u32: 'u32_classify',
  cls_bpf: 'cls_bpf_classify',
  cls_flower: 'fl_classify',
  cls_matchall: 'mall_classify',
  act_gact: 'tcf_gact_act',
  af_packet: 'packet_rcv',
  ip_vs: 'ip_vs_in',
} as const;
export type ModuleName = keyof typeof MODULES;

/** What must be there for a case; each thing that is missing is a reason to skip it. */
export interface Requirements {
  /** Range of versions, as in `byKernel`. */
  kernel?: string;
  modules?: readonly ModuleName[];
  /** Commands: nft, iptables, tc, ethtool. */
  tools?: readonly string[];
  /** The case shows nothing where only tracepoints can be attached. */
  functions?: boolean;
}

/** What is asked of the machine; tests give others. */
export interface Machine {
  version: KernelVersion;
  hasModule(name: ModuleName): boolean;
  hasTool(name: string): boolean;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** Modules that modprobe could load, and those that are built in, by name with underscores. */
function listedModules(): ReadonlySet<string> {
  const folder = join('/lib/modules', release());
  const paths = [
    ...readLines(join(folder, 'modules.dep')).map((line) => line.slice(0, line.indexOf(':'))),
    ...readLines(join(folder, 'modules.builtin')),
  ];
  return new Set(
    paths.map((path) =>
      path
        .replace(/^.*\//, '')
        .replace(/\.ko.*$/, '')
        .replaceAll('-', '_'),
    ),
  );
}

function kernelSymbols(): ReadonlySet<string> {
  // a clone that the compiler made has a suffix
  return new Set(readLines('/proc/kallsyms').map((line) => line.split(' ')[2]?.split(/[.\t]/)[0] ?? ''));
}

/** The running machine; its lists are read when they are first asked for. */
export function thisMachine(version: KernelVersion): Machine {
  let listed: ReadonlySet<string> | undefined;
  let symbols: ReadonlySet<string> | undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return {
    version,
    hasModule(name) {
      if (existsSync(`/sys/module/${name}`)) return true;
      listed ??= listedModules();
      if (listed.has(name.replaceAll('-', '_'))) return true;
      symbols ??= kernelSymbols();
      return symbols.has(MODULES[name]);
    },
    hasTool: (name) => folders.some((folder) => folder !== '' && existsSync(join(folder, name))),
  };
}

/** Why the case cannot be played here; undefined where it can. */
export function missingRequirement(
  { kernel, modules = [], tools = [], functions }: Requirements,
  machine: Machine,
  hasFunctions: boolean,
): string | undefined {
  if (kernel !== undefined && !isInRange(machine.version, kernel))
    return `it needs Linux ${kernel}, and this is ${machine.version.join('.')}`;
  const tool = tools.find((name) => !machine.hasTool(name));
  if (tool !== undefined) return `it needs the command ${tool}, which is not installed`;
  const module = modules.find((name) => !machine.hasModule(name));
  if (module !== undefined) return `it needs the module ${module}, which this kernel does not have`;
  if (functions && !hasFunctions) return 'it needs functions, and this kernel gives tracepoints only';
  return undefined;
}

/**
 * Loads modules that cases will need: their functions can be traced only when they are there before the tracer starts. What
 * cannot be loaded shows itself where it is used.
 */
export async function loadModules(names: readonly ModuleName[]): Promise<void> {
  const missing = names.filter((name) => !existsSync(`/sys/module/${name}`));
  if (missing.length > 0 && existsSync(join('/lib/modules', release()))) await runTool(['modprobe', '-a', ...missing]);
}
