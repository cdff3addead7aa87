import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { NettraceError } from '../errors.js';
import { namespaceFile } from './names.js';

export interface ToolResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** Which package of Debian has a tool that cases may need. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  iptables: 'iptables',
  'iptables-restore': 'iptables',
  ethtool: 'ethtool',
  tcpdump: 'tcpdump',
};
/** Administrators' tools are where a user's PATH may not look. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
const ENVIRONMENT = { ...process.env, PATH, LC_ALL: 'C' };

/** Of commands: what they say is not translated. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return ENVIRONMENT;
}

export function missingTool(tool: string, cause: NodeJS.ErrnoException): NettraceError {
  const name = PACKAGES[tool];
  return new NettraceError(`cannot run ${tool}: ${cause.code === 'ENOENT' ? 'it is not installed' : cause.message}`, {
    ...(name ? { advice: `Debian has it in the package ${name}` } : {}),
    cause,
  });
}

/** Runs a command to its end. Throws NettraceError where it cannot be started; what it says is the caller's to judge. */
export function runTool(words: readonly string[], input = ''): Promise<ToolResult> {
  const [command = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', (error) => reject(missingTool(command, error)));
    child.on('close', (code, signal) => {
      resolve({ status: code ?? 128, stdout, stderr: signal ? `${stderr}ended by ${signal}` : stderr });
    });
    child.stdin.on('error', () => {}); // one that does not read says so by its exit code
    child.stdin.end(input);
  });
}

/** The same, and what fails throws NettraceError with what the command said. Returns its standard output. */
export async function mustRun(words: readonly string[], input = ''): Promise<string> {
  return outputOf(await runTool(words, input), words, input);
}

/** The standard output of a command that has ended well. */
export function outputOf({ status, stdout, stderr }: ToolResult, words: readonly string[], input: string): string {
  if (status === 0) return stdout;
  const said = stderr.trim() || stdout.trim() || `exit code ${status}`;
  throw new NettraceError(`${words.join(' ')}: ${said}${input ? `\n${input.trim()}` : ''}`);
}

/** Lines of commands for `ip`, inside of a namespace if one is given. */
export async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  await mustRun(['ip', ...(namespace ? ['-n', namespace] : []), '-batch', '-'], `${lines.join('\n')}\n`);
}

/**
 * Removes namespaces at once, as at the end of the process, where nothing can be waited for. Those that are gone are none.
 * False where some are left.
 */
export function deleteNamespacesNow(names: readonly string[]): boolean {
  const input = names.map((name) => `netns delete ${name}\n`).join('');
  spawnSync('ip', ['-force', '-batch', '-'], { env: ENVIRONMENT, input, stdio: ['pipe', 'ignore', 'ignore'] });
  return !names.some((name) => existsSync(namespaceFile(name)));
}

export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await runTool(['ip', '-force', '-batch', '-'], names.map((name) => `netns delete ${name}\n`).join(''));
}
