import { spawnSync } from 'node:child_process';

/** Is there a program of this name? Tests that need it are skipped where there is none. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}
