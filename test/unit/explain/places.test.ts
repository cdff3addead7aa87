import { describe, expect, it } from 'vitest';
import { fillPlaces } from '../../../src/explain/places.js';
import type { TraceEvent } from '../../../src/types.js';
import { traceEvent } from '../../support/traces.js';

const FUNCTIONS: Readonly<Record<string, string>> = { begin: 'net_dev_start_xmit', end: 'net_dev_xmit' };

/** Events as `stage`, `stage=interface@netns` or `stage=@netns`, `begin` and `end` of a driver; where each was afterwards. */
function places(...events: string[]): string[] {
  const built = events.map((text) => {
    const [stage = '', ifname, netns] = text.split(/[=@]/);
    const func = FUNCTIONS[stage];
    const event: Partial<TraceEvent> = func ? { stage: 'device-out', func } : { stage };
    if (ifname) event.ifname = ifname;
    if (netns) event.netns = Number(netns);
    return traceEvent(event);
  });
  fillPlaces(built);
  return built.map(({ ifname = '', netns = '' }) => `${ifname}@${netns}`);
}

describe('events without an interface of their own', () => {
  it('on the way in are where the packet came in', () => {
    expect(places('device-in=eth0@1', 'ip-in=eth0@1', 'route', 'tcp-in', 'socket', 'life')).toEqual(
      Array(6).fill('eth0@1'),
    );
  });

  it('get the interface where their socket is in its namespace, and none of another', () => {
    expect(places('device-in=eth0@1', 'tcp-in=@1')).toEqual(['eth0@1', 'eth0@1']);
    expect(places('device-in=eth0@1', 'tcp-in=@2', 'tcp-in')).toEqual(['eth0@1', '@2', '@']);
  });

  it('stay where they are on the way out: an interface is chosen late', () => {
    expect(places('tcp-out=@1', 'ip-out=@1', 'qdisc')).toEqual(['@1', '@1', '@']);
    expect(places('device-in=eth0@1', 'device-out=eth1@1', 'qdisc', 'life')).toEqual(['eth0@1', 'eth1@1', '@', '@']);
  });

  it('are nowhere where a free may be behind a way that was not seen', () => {
    expect(places('device-in=eth0@1', 'route', 'life')).toEqual(['eth0@1', 'eth0@1', '@']);
    expect(places('life')).toEqual(['@']);
  });
});

describe('what a driver has taken', () => {
  it('was taken from its interface, wherever the skb is by now', () => {
    expect(places('begin=va@1', 'device-in=vb@2', 'end', 'device-in=vb@2')).toEqual(['va@1', 'vb@2', 'va@1', 'vb@2']);
  });

  it('is told apart where interfaces stand on each other', () => {
    expect(places('begin=vlan7@1', 'begin=eth0@1', 'end', 'end')).toEqual(['vlan7@1', 'eth0@1', 'eth0@1', 'vlan7@1']);
  });

  it('of which the beginning was not seen stays open', () => {
    expect(places('device-in=eth0@1', 'end')).toEqual(['eth0@1', '@']);
  });
});

it('skbs of one trace have places of their own', () => {
  const events = [
    traceEvent({ skb: 0, stage: 'device-in', ifname: 'eth0', netns: 1 }),
    traceEvent({ skb: 1, stage: 'tcp-in' }),
  ];
  fillPlaces(events);
  expect(events[1]).not.toHaveProperty('ifname');
});
