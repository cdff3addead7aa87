import { Kallsyms, KernelBtf } from '#bpf-loader';
import { UsageError } from '../errors.js';

function noBtf(path: string, cause: unknown): UsageError {
  return new UsageError(`--btf-path: '${path}' holds no BTF`, {
    advice:
      'it takes the BTF of the running kernel: raw as in /sys/kernel/btf/vmlinux, or an ELF file with a section .BTF',
    cause,
  });
}

/** The kernel that other threads are reading. Symbols come long after types; programs are loaded meanwhile. */
export class KernelReading {
  readonly btf: Promise<KernelBtf>;
  readonly whole: Promise<Kernel>;

  constructor(btfPath?: string) {
    this.btf = KernelBtf.read(btfPath).catch((cause: unknown) => {
      throw btfPath === undefined ? cause : noBtf(btfPath, cause);
    });
    this.whole = Promise.all([this.btf, Kallsyms.read()]).then(([btf, symbols]) => new Kernel(btf, symbols));
    // who waits for one hears of its failure; nobody has to
    for (const part of [this.btf, this.whole]) part.catch(() => {});
  }
}

/** What the running kernel says about itself: types, symbols, enum names. Read once per run. */
export class Kernel {
  readonly btf: KernelBtf;
  readonly symbols: Kallsyms;
  readonly #enums = new Map<string, Map<number, string>>();
  #dropReasons: Set<string> | undefined;

  constructor(btf: KernelBtf, symbols: Kallsyms) {
    this.btf = btf;
    this.symbols = symbols;
  }

  /** Throws BpfError where the kernel has no BTF or kallsyms cannot be read. */
  static read(btfPath?: string): Promise<Kernel> {
    return new KernelReading(btfPath).whole;
  }

  /** symbol+0xoffset, with [module] behind it; the address in hexadecimal where no symbol has it. */
  symbolText(address: bigint): string {
    const found = this.symbols.hidden ? null : this.symbols.resolve(address);
    if (!found) return `0x${address.toString(16)}`;
    const text = `${found.name}+0x${found.offset.toString(16)}`;
    return found.module ? `${text} [${found.module}]` : text;
  }

  /** A drop reason without SKB_DROP_REASON_; those of subsystems in full; the number where it has no name. */
  dropReason(value: number): string {
    const subsystem = value >>> 16;
    if (subsystem === 0) return this.#enumName('skb_drop_reason', value, 'SKB_DROP_REASON_');
    for (const name of SUBSYSTEM_REASONS) {
      const found = this.#names(name).get(value);
      if (found !== undefined) return found;
    }
    const owner = this.#names('skb_drop_reason_subsys').get(subsystem);
    return `${owner?.replace('SKB_DROP_REASON_SUBSYS_', '') ?? `SUBSYSTEM_${subsystem}`}_${value & 0xffff}`;
  }

  /** Whether this kernel's enum skb_drop_reason has SKB_DROP_REASON_`name`. */
  hasDropReason(name: string): boolean {
    this.#dropReasons ??= new Set(this.btf.enumValues('skb_drop_reason')?.keys());
    return this.#dropReasons.has(`SKB_DROP_REASON_${name}`);
  }

  resetReason(value: number): string {
    return this.#enumName('sk_rst_reason', value, 'SK_RST_REASON_');
  }

  #enumName(enumName: string, value: number, prefix: string): string {
    const name = this.#names(enumName).get(value);
    if (name === undefined) return String(value);
    return name.startsWith(prefix) ? name.slice(prefix.length) : name;
  }

  #names(enumName: string): Map<number, string> {
    let names = this.#enums.get(enumName);
    if (!names) {
      names = new Map();
      for (const [name, value] of this.btf.enumValues(enumName) ?? []) if (!names.has(value)) names.set(value, name);
      this.#enums.set(enumName, names);
    }
    return names;
  }
}

/**
 * Enums of reasons that belong to a subsystem, in its module's BTF (include/net/dropreason.h, 6.4). Their names are kept
 * whole, as the kernel prints them: OVS_DROP_RECURSION_LIMIT is not the core's RECURSION_LIMIT.
 */
const SUBSYSTEM_REASONS = ['mac80211_drop_reason', 'ovs_drop_reason', 'qdisc_drop_reason'] as const;
