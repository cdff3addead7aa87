import { describe, expect, it } from 'vitest';
import { KernelReading } from '../../../src/load/kernel.js';
import { kernelWithSymbols, readKernel } from '../../support/real-kernel.js';

const SYMBOLS = [
  'ffffffff81a00000 T tcp_v4_rcv',
  'ffffffff81a01000 t tcp_v4_do_rcv',
  'ffffffffc0001000 t nft_do_chain\t[nf_tables]',
  'ffffffffc0002000 t nft_lookup\t[nf_tables]',
];

describe('a file that is to have the BTF', () => {
  it.each(['/etc/passwd', '/etc', '/no/such/file'])(
    'and has none, %s, is named, with what it should be',
    async (path) => {
      const { btf, whole } = new KernelReading(path);
      for (const part of [btf, whole])
        await expect(part).rejects.toMatchObject({
          name: 'UsageError',
          message: `--btf-path: '${path}' holds no BTF`,
          advice: expect.stringContaining('/sys/kernel/btf/vmlinux'),
        });
    },
  );
});

describe('an address in the kernel', () => {
  it('is written as symbol and offset, with its module, or as a number where no symbol has it', (ctx) => {
    const kernel = kernelWithSymbols(ctx, SYMBOLS);
    expect(kernel.symbolText(0xffffffff81a00065n)).toBe('tcp_v4_rcv+0x65');
    expect(kernel.symbolText(0xffffffff81a00000n)).toBe('tcp_v4_rcv+0x0');
    expect(kernel.symbolText(0xffffffff81a00fffn)).toBe('tcp_v4_rcv+0xfff');
    expect(kernel.symbolText(0xffffffffc0001020n)).toBe('nft_do_chain+0x20 [nf_tables]');
    expect(kernel.symbolText(0x1000n)).toBe('0x1000');
  });

  it('of the running kernel is found again by its name', (ctx) => {
    const kernel = readKernel(ctx);
    ctx.skip(kernel.symbols.hidden, 'the kernel hides its addresses');
    const [first] = kernel.symbols.lookup('tcp_v4_rcv');
    ctx.skip(!first, 'this kernel has no tcp_v4_rcv');
    expect(kernel.symbolText(first!.address + 4n)).toBe('tcp_v4_rcv+0x4');
  });
});

describe('a drop reason', () => {
  it('has the name that this kernel gives it, without the prefix', (ctx) => {
    const kernel = readKernel(ctx);
    const reasons = kernel.btf.enumValues('skb_drop_reason');
    ctx.skip(reasons === null, 'this kernel has no drop reasons');
    const first = new Map<number, string>();
    for (const [name, value] of reasons!) if (!first.has(value)) first.set(value, name);
    for (const [value, name] of first) {
      if (value <= 0xffff) expect(kernel.dropReason(value)).toBe(name.replace(/^SKB_DROP_REASON_/, ''));
    }
    expect(kernel.dropReason(reasons!.get('SKB_DROP_REASON_NO_SOCKET')!)).toBe('NO_SOCKET');
  });

  it('without a name stays a number', (ctx) => {
    expect(readKernel(ctx).dropReason(0xfff0)).toBe('65520');
  });

  it('of a subsystem is told with it', (ctx) => {
    const kernel = readKernel(ctx);
    expect(kernel.dropReason(0x7fff_0007)).toBe('SUBSYSTEM_32767_7');
    const subsystems = kernel.btf.enumValues('skb_drop_reason_subsys');
    ctx.skip(!subsystems, 'this kernel has no subsystems of drop reasons');
    const openvswitch = subsystems!.get('SKB_DROP_REASON_SUBSYS_OPENVSWITCH')!;
    const name = kernel.dropReason(openvswitch * 0x10000 + 0xfffe);
    expect(name).toBe('OPENVSWITCH_65534');
  });
});

describe('a reset reason', () => {
  it('has the name that this kernel gives it', (ctx) => {
    const kernel = readKernel(ctx);
    const value = kernel.btf.enumValues('sk_rst_reason')?.get('SK_RST_REASON_NO_SOCKET');
    ctx.skip(value === undefined, 'this kernel gives no reasons for resets');
    expect(kernel.resetReason(value!)).toBe('NO_SOCKET');
    expect(kernel.resetReason(0xfff0)).toBe('65520');
  });
});
