import type { UnavailableProbe } from '../load/attach-plan.js';
import type { AttachOutcome } from '../load/backends.js';
import { type Check, runChecks } from '../load/preflight.js';
import { handOver } from '../load/take-down.js';
import { printable } from '../sinks/printable.js';
import { wrapped } from '../sinks/wrapped.js';

export interface JsonOption {
  json?: boolean;
}

interface ProbeReport {
  name: string;
  stage: string;
  target?: string;
  backend: string | null;
  returnValue: boolean;
  failures: { backend: string; code: string; message: string }[];
  why?: string;
}

interface DoctorReport {
  ok: boolean;
  checks: Check[];
  probes: ProbeReport[];
  error?: string;
}

function ofOutcome({ probe, backend, hasReturn, failures }: AttachOutcome): ProbeReport {
  const { name, stage } = probe.definition;
  return { name, stage, target: probe.target, backend: backend ?? null, returnValue: hasReturn, failures };
}

function ofUnavailable({ definition, why }: UnavailableProbe): ProbeReport {
  return { name: definition.name, stage: definition.stage, backend: null, returnValue: false, failures: [], why };
}

/** What looks into the kernel is loaded after the checks, which say where that cannot be. */
async function tryAll(): Promise<ProbeReport[]> {
  const { tryProbes } = await import('../load/try-probes.js');
  process.once('exit', handOver);
  const { outcomes, unavailable } = await tryProbes();
  return [...outcomes.map(ofOutcome), ...unavailable.map(ofUnavailable)];
}

async function examine(): Promise<DoctorReport> {
  const checks = runChecks();
  const report: DoctorReport = { ok: checks.every((c) => c.ok || !c.fatal), checks, probes: [] };
  if (!report.ok) return report;
  try {
    report.probes = await tryAll();
  } catch (error) {
    report.ok = false;
    report.error = error instanceof Error ? error.message : String(error);
  }
  return report;
}

/** What would give more, by what could not be attached. */
function advice(report: DoctorReport): string[] {
  const functions = report.probes.filter((p) => p.target && !p.target.includes(':'));
  const attached = functions.filter((p) => p.backend !== null);
  if (functions.length > 0 && attached.length === 0) {
    return [
      'only tracepoints are available: a kernel with CONFIG_KPROBES and CONFIG_FUNCTION_TRACER shows each function;',
      'where the kernel has them, a container or a security module may forbid them',
    ];
  }
  return [];
}

/** What the backends said, without the name of the function that they said it of. */
function plainFailure(probe: ProbeReport): string {
  const name = probe.target ?? probe.name;
  return probe.failures.map((f) => `${f.backend}: ${f.message.replaceAll(name, 'FUNCTION')}`).join('; ');
}

/** Failures of the same kind together, the most frequent first. */
function refusedLines(probes: readonly ProbeReport[]): string[] {
  const groups = new Map<string, ProbeReport[]>();
  for (const probe of probes) {
    if (probe.backend !== null || !probe.target) continue;
    const kind = plainFailure(probe);
    groups.set(kind, [...(groups.get(kind) ?? []), probe]);
  }
  const lines: string[] = [];
  for (const [kind, members] of [...groups].sort((a, b) => b[1].length - a[1].length)) {
    lines.push('', `refused (${members.length}): ${kind || 'no backend is usable'}`);
    lines.push(`  ${members.map((m) => m.name).join(' ')}`);
  }
  return lines;
}

function checkLines(report: DoctorReport): string[] {
  const lines: string[] = [];
  for (const check of report.checks) {
    lines.push(`${check.ok ? 'ok  ' : check.fatal ? 'FAIL' : 'warn'}  ${check.name}: ${check.text}`);
    if (!check.ok && check.advice) lines.push(`      ${check.advice}`);
  }
  if (report.error) lines.push(`FAIL  probes: ${report.error}`);
  return lines;
}

function probeLines(report: DoctorReport): string[] {
  const attached = report.probes.filter((p) => p.backend !== null);
  const missing = report.probes.filter((p) => p.why);
  const lines = ['', `attached (${attached.length}):`];
  for (const probe of attached) {
    const target = probe.target && probe.target !== probe.name ? ` (${probe.target})` : '';
    const tried = probe.failures.map((f) => `${f.backend}: ${f.code}`).join(', ');
    const how = `${probe.backend}${probe.returnValue ? ' +return' : ''}`;
    lines.push(`  ${how.padEnd(20)} ${probe.name}${target}${tried ? `  [${tried}]` : ''}`);
  }
  lines.push(...refusedLines(report.probes));
  if (missing.length > 0) lines.push('', `not in this kernel (${missing.length}):`);
  for (const probe of missing) lines.push(`  ${probe.name}: ${probe.why}`);
  return lines;
}

/** Where the text does not go to a terminal. */
const WIDTH = 100;
const MIN_WIDTH = 40;

function reportText(report: DoctorReport): string {
  const lines = checkLines(report);
  if (report.probes.length > 0) lines.push(...probeLines(report));
  const more = advice(report);
  if (more.length > 0) lines.push('', ...more);
  const width = process.stdout.isTTY ? Math.max(process.stdout.columns || WIDTH, MIN_WIDTH) : WIDTH;
  return lines.map((line) => wrapped(printable(line), width)).join('');
}

/** `nettrace doctor`: exit code 1 where tracing is impossible. */
export async function doctorCommand(options: JsonOption): Promise<void> {
  const report = await examine();
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  if (!report.ok) process.exitCode = 1;
}
