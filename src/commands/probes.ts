import { PROBES, STAGES } from '../generated/probes.js';
import { planProbes } from '../load/attach-plan.js';
import { Kernel } from '../load/kernel.js';
import { requireTraceable } from '../load/preflight.js';
import type { JsonOption } from './doctor.js';

interface ProbeRow {
  name: string;
  stage: string;
  groups: readonly string[];
  default: boolean;
  /** Name in this kernel, or null where it has none; absent where it could not be asked. */
  target?: string | null;
  why?: string;
}

async function rows(): Promise<{ rows: ProbeRow[]; problem: string | undefined }> {
  const targets = new Map<string, { target: string | null; why?: string }>();
  let problem: string | undefined;
  try {
    requireTraceable();
    const plan = planProbes(PROBES, await Kernel.read(), false);
    for (const probe of plan.probes) targets.set(probe.definition.name, { target: probe.target });
    for (const { definition, why } of plan.unavailable) targets.set(definition.name, { target: null, why });
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  return {
    problem,
    rows: PROBES.map((p) => ({
      name: p.name,
      stage: p.stage,
      groups: p.groups,
      default: p.isDefault,
      ...targets.get(p.name),
    })),
  };
}

/** `nettrace probes`: the table, in the order of a packet's way. */
export async function probesCommand(options: JsonOption): Promise<void> {
  const { rows: table, problem } = await rows();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(table, null, 2)}\n`);
    return;
  }
  for (const stage of STAGES) {
    const members = table.filter((row) => row.stage === stage);
    const others = members[0]?.groups.length ? ` (also: ${members[0].groups.join(', ')})` : '';
    const optional = members.every((row) => !row.default) ? ', only with -t' : '';
    process.stdout.write(`${stage}${others}${optional}\n`);
    for (const row of members) {
      const here = row.target === undefined ? '?' : row.target === null ? '-' : '+';
      const name = row.target && row.target !== row.name ? `${row.name} (${row.target})` : row.name;
      process.stdout.write(`  ${here} ${name}${row.why ? `: ${row.why}` : ''}\n`);
    }
  }
  process.stdout.write('\n+ in this kernel   - not in this kernel\n');
  if (problem) process.stderr.write(`nettrace: what is available here could not be seen: ${problem}\n`);
}
