// Offsets, sizes and enum values of the records, from the BTF of the compiled object.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelBtf } from '#bpf-loader';

const STRUCTS = [
  'event_head',
  'event_packet',
  'event_meta',
  'event_options',
  'event_drop',
  'event_netfilter',
  'event_socket',
  'event_return',
  'event_sock',
  'event_stack',
  'event_hooks',
  'event_latency',
  'event_tcp',
  'event_bytes',
  'filter_net',
  'filter_range',
  'filter_config',
  'filter_scratch',
  'trace_config',
  'tracked_skb',
  'sock_owner',
  'late_options',
  'spec_entry',
  'spec_table',
  'cpu_losses',
];
/** Enum and the prefix that its names carry. */
const ENUMS = {
  event_kind: 'EVENT_',
  event_flag: 'EVENT_',
  event_section: 'SECTION_',
  loss_cause: 'LOSS_',
  spec_field: 'SPEC_',
  spec_flag: 'SPEC_',
  probe_read: 'READ_',
  trace_mode: 'MODE_',
  sock_timer: 'TIMER_',
  filter_program: 'FILTER_',
  filter_wanted: 'FILTER_WANT_',
};

const camel = (name) => name.toLowerCase().replace(/_(.)/g, (_, c) => c.toUpperCase());
const pascal = (name) => camel(`_${name}`);

function structText(btf, name) {
  const struct = btf.struct(name);
  if (!struct) throw new Error(`the object's BTF has no struct ${name}`);
  const members = struct.members.map((m) => {
    if (m.bitOffset % 8) throw new Error(`${name}.${m.name} does not start at a byte`);
    return `  ${camel(m.name)}: ${m.bitOffset / 8},`;
  });
  return `/** struct ${name}: offsets in bytes. */\nexport const ${pascal(name)} = {\n  size: ${struct.size},\n${members.join('\n')}\n} as const;\n`;
}

function enumText(values, name, prefix) {
  const members = [...values].map(([key, value]) => `  ${camel(key.slice(prefix.length))}: ${value},`);
  return `/** enum ${name} */\nexport const ${pascal(name)} = {\n${members.join('\n')}\n} as const;\n`;
}

export function generateLayout(root) {
  const work = mkdtempSync(join(tmpdir(), 'nettrace-layout-'));
  try {
    const object = join(work, 'layout.o');
    const include = `/usr/include/${execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim()}`;
    execFileSync(process.env.CLANG ?? 'clang', [
      ...['-O2', '-g', '-target', 'bpf', '-D__TARGET_ARCH_x86', '-isystem', include],
      ...['-c', join(root, 'bpf/nettrace.bpf.c'), '-o', object],
    ]);
    const btf = KernelBtf.load(object);
    const parts = ['// Generated from bpf/event.h and bpf/config.h: do not edit. All numbers are bytes.\n'];
    for (const name of STRUCTS) parts.push(structText(btf, name));
    for (const [name, prefix] of Object.entries(ENUMS)) {
      const values = btf.enumValues(name);
      if (!values) throw new Error(`the object's BTF has no enum ${name}`);
      parts.push(enumText(values, name, prefix));
    }
    const probeReads = [...(btf.enumValues('probe_read')?.keys() ?? [])].map((k) =>
      k.slice('READ_'.length).toLowerCase(),
    );
    btf.close();
    return { text: parts.join('\n'), probeReads };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
