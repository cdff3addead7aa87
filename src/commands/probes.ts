import { PROBES, STAGES } from '../generated/probes.js';
import { requireTraceable } from '../load/preflight.js';
import type { KnownProbe } from '../load/try-probes.js';
import type { JsonOption } from './doctor.js';

/** What is known of this kernel is absent where it could not be asked. */
interface ProbeRow extends Partial<KnownProbe> {
  name: string;
  stage: string;
  groups: readonly string[];
  default: boolean;
}

interface Table {
  rows: ProbeRow[];
  takesFunctions: boolean;
  problem: string | undefined;
}

async function readTable(): Promise<Table> {
  let known = new Map<string, KnownProbe>();
  let takesFunctions = true;
  let problem: string | undefined;
  try {
    requireTraceable();
    // where the kernel cannot be looked into, the list is still there
    const { lookUpProbes } = await import('../load/try-probes.js');
    ({ probes: known, takesFunctions } = await lookUpProbes());
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const rows = PROBES.map((p) => ({
    name: p.name,
    stage: p.stage,
    groups: p.groups,
    default: p.isDefault,
    ...known.get(p.name),
  }));
  return { rows, takesFunctions, problem };
}

function stageLines(stage: string, members: readonly ProbeRow[]): string[] {
  const others = members[0]?.groups.length ? ` (also: ${members[0].groups.join(', ')})` : '';
  const isOptional = members.every((row) => !row.default);
  return [
    `${stage}${others}${isOptional ? ', only with -t' : ''}`,
    ...members.map((row) => {
      const here = row.available === undefined ? '?' : row.available ? '+' : '-';
      const name = row.target && row.target !== row.name ? `${row.name} (${row.target})` : row.name;
      const asked = row.default || isOptional ? '' : ', only with -t';
      return `  ${here} ${name}${asked}${row.why ? `: ${row.why}` : ''}`;
    }),
  ];
}

/** `nettrace probes`: the table, in the order of a packet's way. */
export async function probesCommand(options: JsonOption): Promise<void> {
  const { rows, takesFunctions, problem } = await readTable();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const lines = STAGES.flatMap((stage) =>
    stageLines(
      stage,
      rows.filter((row) => row.stage === stage),
    ),
  );
  lines.push('', '+ can be traced here   - cannot');
  if (!takesFunctions) lines.push('This kernel gives tracepoints only, no functions: nettrace doctor says why.');
  process.stdout.write(`${lines.join('\n')}\n`);
  if (problem) process.stderr.write(`nettrace: what is available here could not be seen: ${problem}\n`);
}
