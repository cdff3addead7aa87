import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../support/kernel-agent.js';
import { Topology, until } from '../support/kernel-topology.js';

const EXAMPLE = fileURLToPath(new URL('../../docs/example.mjs', import.meta.url));
/** No other test uses it: the example's filter is the port alone. */
const PORT = 38_217;

const net = new Topology();
const ADDRESS = `${net.v4}.7.1`;
let agent: Agent;

beforeAll(async () => {
  net.add('solo');
  net.ip('solo', `address add ${ADDRESS}/24 dev lo`);
  agent = await net.agent('solo');
});
afterAll(() => net.close());

describe('docs/example.mjs', () => {
  it('says that a packet to a port that is not listened is dropped, and ends after the packets asked for', async () => {
    const child = spawn(process.execPath, [EXAMPLE, String(PORT), '2'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    try {
      await until('ready', () => stderr.includes('ready\n') || child.exitCode !== null, 100);
      // refused: the SYN is one packet, the RST that answers it the other
      await agent.run(['nc', '-w', '5', ADDRESS, String(PORT)]);
      expect(await ended, stderr).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
    expect(stderr).toBe('ready\n');
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stdout).toMatch(new RegExp(`^${ADDRESS} -> ${ADDRESS}:${PORT} dropped at \\S+`, 'm'));
  });
});
