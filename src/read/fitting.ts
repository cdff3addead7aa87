import { followsPackets, type Mode } from '../modes.js';
import type { OutputRecord } from '../types.js';

/** Modes in which a hit of a probe is shown by itself, or counted. */
const EACH_HIT: readonly Mode[] = ['basic', 'drop', 'monitor', 'func-stats'];

/** Can a mode show anything of such a record, whatever the filters say? */
export function fitsMode(mode: Mode, record: OutputRecord): boolean {
  switch (record.type) {
    case 'trace':
      return followsPackets(mode) || EACH_HIT.includes(mode);
    case 'packet':
      return mode === 'life' || EACH_HIT.includes(mode);
    case 'socket':
      if (mode === 'rtt' || mode === 'rtt-detail') return record.rtt !== undefined;
      return ['life', 'monitor', 'sock', 'func-stats'].includes(mode);
    case 'latency':
      return followsPackets(mode);
    case 'functions':
      return mode === 'life' || mode === 'func-stats';
    case 'histogram':
      return mode === 'life' || mode === (record.name === 'rtt' ? 'rtt' : 'latency-summary');
    case 'omitted':
    case 'sampled':
      return true;
    default:
      return mode === 'life';
  }
}

/** Which option recorded it. */
export function recordedWith(record: OutputRecord): string {
  switch (record.type) {
    case 'trace':
      return 'whole ways of packets';
    case 'packet':
      return `--${record.mode}`;
    case 'socket':
      return record.mode === 'rtt' ? '--rtt-detail' : `--${record.mode}`;
    case 'latency':
      return '--latency';
    case 'functions':
      return '--func-stats';
    case 'histogram':
      return record.name === 'rtt' ? '--rtt' : '--latency-summary';
    default:
      return 'the end of a run';
  }
}
