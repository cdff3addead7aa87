import { afterAll, describe, expect, it } from 'vitest';
import { KernelBtf } from '#bpf-loader';
import { generateFunction } from '../../src/filter/generated-function.js';
import { compileMeta } from '../../src/filter/meta-expression.js';
import { FilterProgram } from '../../src/generated/layout.js';
import { FIXTURE, runFilter } from '../support/filter-runner.js';

/** The fixture's struct sk_buff has members of all kinds; its own BTF says where. */
const types = KernelBtf.load(FIXTURE);
afterAll(() => types.close());

function skb(): Buffer {
  const layout = types.struct('sk_buff');
  const bytes = Buffer.alloc(layout?.size ?? 0);
  const at = (name: string) => (layout?.members.find((m) => m.name === name)?.bitOffset ?? 0) / 8;
  const setBits = (name: string, value: number) => {
    const member = layout?.members.find((m) => m.name === name);
    if (!member) throw new Error(`no ${name}`);
    for (let i = 0; i < member.bitSize; i++) {
      const bit = member.bitOffset + i;
      if ((value >> i) & 1) bytes[bit >> 3]! |= 1 << (bit & 7);
    }
  };
  bytes.writeUInt32LE(0x80000010, at('mark'));
  bytes.writeInt32LE(-5, at('temperature'));
  bytes.writeInt8(-1, at('small'));
  setBits('low', 5);
  setBits('high', 17);
  bytes.writeUInt16BE(0x0800, at('protocol'));
  setBits('slope', -3);
  setBits('wide', 1000);
  bytes.writeUInt32LE(7, at('color'));
  bytes.writeBigUInt64LE(0xfedc_ba98_7654_3210n, at('cookie'));
  bytes.writeUInt32LE(0x00030002, types.field('sk_buff', 'both')!.bitOffset / 8);
  bytes.writeUInt8(1, at('yes'));
  bytes.writeUInt32BE(0x0a000001, at('address'));
  bytes.writeInt32LE(42, at('inner'));
  bytes.write('eth0', at('inner') + 4);
  return bytes;
}

const MATCHING = `
mark == 0x80000010
mark > 5
mark & 0x10
mark & 0xf0 == 0x10
mark & 0x80000000 != 0
mark != 0
skb->mark == 2147483664
temperature == -5
temperature < 0
temperature <= -5 && temperature >= -5
temperature > -6
small == -1
small < 1
low == 5
high == 17
high > 16 and low < 6
protocol == 0x0800
protocol & 0x0800
slope == -3
slope < 0
wide == 1000
wide >= 0b1111101000
wide == 01750
color == 7
color
cookie == 0xfedcba9876543210
cookie > 0xfedcba987654320f
cookie & 0x8000000000000000
both == 0x00030002
left == 2 && right == 3
yes
yes == true
address == 0x0a000001
inner.number == 42
inner.name == "eth0"
inner.name != "eth00"
inner.name != "eth"
inner.name != ''
pointer.number == 42
pointer->name == "eth0"
skb->pointer->name == "eth0"
pointer
pointer > 0xfe00000000000000
text == "eth0"
text != "eth1"
text != "eth0x"
!nothing
nothing == 0
!(nothing.number == 0)
!(nothing.number != 0)
!(nothing.name == "x" or nothing.name != "x")
mark == 1 || low == 5
mark == 1 or mark == 2 or not low == 4
!(mark == 1 && low == 5) && (high == 1 || high == 17)
! ! yes
`;
const OTHERS = `
mark == 0x10
mark & 0xf0 == 0x20
temperature == 5
temperature > 0
small == 1
low == 4
low & 2
high < 17
protocol == 8
slope > 0
wide == 232
cookie < 0x1000
left == 3
!yes
yes == false
inner.name == "eth"
inner.name == "eth0x"
inner.name == ""
pointer.number != 42
pointer->name == "eth1"
text == "eth"
text == "eth00"
text != "eth0"
nothing
nothing.number == 0
nothing.number != 0
nothing.name == ""
nothing.name != "x"
low == 5 && high == 5
low == 4 || high == 5 || !yes
low == 4 || yes && !yes
`;

describe('a filter on fields, run by the kernel, is', () => {
  const bytes = skb();
  const lines = (text: string) => text.split('\n').filter(Boolean);
  const cases = [...lines(MATCHING).map((e) => [true, e] as const), ...lines(OTHERS).map((e) => [false, e] as const)];
  it.each(cases)('%s for %s', (expected, expression) => {
    const body = generateFunction(new Map([[FilterProgram.meta, compileMeta(expression, types)]]));
    expect(runFilter(body, FilterProgram.meta, [{ bytes, length: 0 }], bytes.length)).toEqual([expected]);
  });
});
