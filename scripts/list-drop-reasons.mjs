#!/usr/bin/env node
// @ts-check
// Prints the drop reasons of a kernel, with those of its modules' subsystems: one name a line, under the enum that it
// belongs to. test/fixtures/drop-reasons/ keeps what it prints for the kernels of the tests:
//
//   node scripts/list-drop-reasons.mjs "$(scripts/vm/fetch-kernel.sh 7.2)" >test/fixtures/drop-reasons/7.2.txt
//
// The folder holds a kernel package as fetch-kernel.sh unpacks it: vmlinuz, release, lib/modules. Needs bpftool, and
// xz or zstd for what is packed.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KERNEL_ENUMS = ['skb_drop_reason', 'qdisc_drop_reason'];
const MODULE_ENUMS = { mac80211: 'mac80211_drop_reason', openvswitch: 'ovs_drop_reason' };
/** @type {ReadonlyArray<readonly [magic: Buffer, command: string]>} */
const PACKERS = [
  [Buffer.from('fd377a585a00', 'hex'), 'xz'],
  [Buffer.from('28b52ffd', 'hex'), 'zstd'],
  [Buffer.from('1f8b08', 'hex'), 'gzip'],
];
const ELF = Buffer.from('\x7fELF', 'latin1');

/**
 * The ELF file that is packed somewhere in `bytes`; what is behind it is ignored, as it is no fault of the packer's.
 * @param {Buffer} bytes
 */
function unpack(bytes) {
  if (bytes.subarray(0, 4).equals(ELF)) return bytes;
  for (const [magic, command] of PACKERS) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const { stdout } = spawnSync(command, ['-dc'], { input: bytes.subarray(at), maxBuffer: 1 << 30 });
      if (stdout?.subarray(0, 4).equals(ELF)) return stdout;
    }
  }
  throw new Error('no ELF file is packed in it');
}

/**
 * Names of an enum's members, in order; empty where the C text has none.
 * @param {string} c
 * @param {string} name
 */
function members(c, name) {
  const body = new RegExp(`^enum ${name} \\{\\n([^}]*)\\}`, 'm').exec(c)?.[1] ?? '';
  return [...body.matchAll(/^\s*(\w+) =/gm)].map(([, member]) => member);
}

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: list-drop-reasons.mjs FOLDER (what scripts/vm/fetch-kernel.sh prints)');
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), 'nettrace-reasons-'));
try {
  const vmlinux = join(work, 'vmlinux');
  writeFileSync(vmlinux, unpack(readFileSync(join(folder, 'vmlinuz'))));
  const dump = (/** @type {string[]} */ ...words) =>
    execFileSync('bpftool', [...words, 'format', 'c'], { encoding: 'utf8', maxBuffer: 1 << 30, stdio: 'pipe' });
  const core = dump('btf', 'dump', 'file', vmlinux);
  const enums = KERNEL_ENUMS.map((name) => ({ name, names: members(core, name) }));
  const modules = join(folder, 'lib/modules');
  const files = readdirSync(modules, { recursive: true, encoding: 'utf8' });
  for (const [module, name] of Object.entries(MODULE_ENUMS)) {
    const path = files.find((file) => new RegExp(`/${module}\\.ko(\\.\\w+)?$`).test(file));
    if (!path) continue;
    const object = join(work, `${module}.ko`);
    writeFileSync(object, unpack(readFileSync(join(modules, path))));
    enums.push({ name, names: members(dump('-B', vmlinux, 'btf', 'dump', 'file', object), name) });
  }
  console.log(`# Linux ${readFileSync(join(folder, 'release'), 'utf8').trim()}`);
  for (const { name, names } of enums)
    if (names.length > 0) console.log([name, ...names.map((member) => `  ${member}`)].join('\n'));
} finally {
  rmSync(work, { recursive: true });
}
