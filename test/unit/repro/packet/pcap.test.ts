import { spawnSync } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { build, ethernet, payload, pcapFile, pcapRecord, pcapStream } from '../../../../src/repro/packet/index.js';
import { useFolder } from '../../../support/folder.js';
import { missingTshark } from '../../../support/tshark.js';

const folder = useFolder();
const bytes = build([ethernet({ source: '02:00:00:00:00:01' }), payload('frame')]);
const records = [
  { bytes, time: 1_700_000_000_123_456_789n },
  { bytes: bytes.subarray(0, 16), time: 1_700_000_001_000_000_001n, originalLength: bytes.length },
];

function shown(file: string): string[][] {
  const fields = ['frame.time_epoch', 'frame.cap_len', 'frame.len', 'eth.src'].flatMap((name) => ['-e', name]);
  const { stdout, stderr, status } = spawnSync('tshark', ['-r', file, '-T', 'fields', ...fields], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

describe.skipIf(missingTshark)('a pcap file', () => {
  it('has times to the microsecond, and says what is cut off', () => {
    writeFileSync(folder('one.pcap'), pcapFile(records));
    expect(shown(folder('one.pcap'))).toEqual([
      ['1700000000.123456000', '19', '19', '02:00:00:00:00:01'],
      ['1700000001.000000000', '16', '19', '02:00:00:00:00:01'],
    ]);
  });

  it('has them to the nanosecond where that is asked for', () => {
    writeFileSync(folder('one.pcap'), pcapFile(records, { nanoseconds: true }));
    expect(shown(folder('one.pcap')).map(([time]) => time)).toEqual(['1700000000.123456789', '1700000001.000000001']);
  });

  it('is the same when it is written piece by piece', async () => {
    const options = { nanoseconds: true };
    await pipeline(Readable.from(pcapStream(records, options)), createWriteStream(folder('two.pcap')));
    writeFileSync(folder('one.pcap'), pcapFile(records, options));
    expect(shown(folder('two.pcap'))).toEqual(shown(folder('one.pcap')));
    expect(shown(folder('two.pcap'))).toHaveLength(2);
  });
});

describe('a time that a pcap file cannot hold', () => {
  it.each([-1n, 2n ** 32n * 1_000_000_000n])('%s is a RangeError', (time) => {
    expect(() => pcapRecord({ bytes, time })).toThrow(RangeError);
  });
});
