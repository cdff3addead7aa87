import { describe, expect, it } from 'vitest';
import { fillOwners } from '../../../src/explain/owners.js';
import { traceEvent } from '../../support/traces.js';

/** Events as `stage` or `stage=owner`; what each belongs to afterwards. */
function owners(...events: string[]): (string | undefined)[] {
  const built = events.map((text) => {
    const [stage = '', comm] = text.split('=');
    return traceEvent({ stage, ...(comm ? { owner: { pid: 1, comm } } : {}) });
  });
  fillOwners(built);
  return built.map((event) => event.owner?.comm);
}

describe('events without an owner of their own', () => {
  it('on the way out belong to the sender', () => {
    expect(owners('tcp-out=curl', 'ip-out', 'qdisc', 'device-out', 'neighbour')).toEqual(Array(5).fill('curl'));
  });

  it('on the way in belong to the receiver', () => {
    expect(owners('device-in', 'netfilter', 'ip-in', 'tcp-in=nginx')).toEqual(Array(4).fill('nginx'));
  });

  it('belong to the one and then to the other where a packet goes through the loopback device', () => {
    expect(owners('tcp-out=curl', 'ip-out', 'device-out', 'device-in', 'ip-in', 'tcp-in=nginx')).toEqual([
      'curl',
      'curl',
      'curl',
      'nginx',
      'nginx',
      'nginx',
    ]);
  });

  it('belong to nobody where nobody is known: a packet that is forwarded, or dropped before its socket is found', () => {
    expect(owners('device-in', 'ip-in', 'ip-out', 'device-out')).toEqual(Array(4).fill(undefined));
    expect(owners('ip-out=curl', 'device-out', 'device-in', 'ip-in', 'life')).toEqual([
      'curl',
      'curl',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('that has one of its own keeps it', () => {
    expect(owners('tcp-out=curl', 'ip-out=wget', 'device-out')).toEqual(['curl', 'wget', 'wget']);
    expect(owners('ip-in', 'udp=a', 'udp=b')).toEqual(['a', 'a', 'b']);
  });
});
