import { describe, expect, it } from 'vitest';
import { onlyOnRealMachines, refusal } from '../support/kernel-modes.js';

/** What would do nothing is refused: whoever wrote it expects something. */
const REFUSED: readonly [words: string, message: RegExp][] = [
  ['--drop --sock', /^nettrace: --drop and --sock: choose one mode$/m],
  ['--basic --monitor --rtt', /: choose one mode$/m],
  ['--drop -t tcp', /^nettrace: --trace makes no sense with --drop: its functions are fixed$/m],
  ['--rtt-detail -t tcp_ack', /--trace makes no sense with --rtt-detail/],
  ['--drop-stack', /--drop-stack makes no sense without --drop$/m],
  ['--drop-all --sock', /--drop-all makes no sense without --drop or --monitor$/m],
  ['--basic --diag', /--diag makes no sense with --basic/],
  ['--drop --latency-show', /--latency-show makes no sense with --drop/],
  ['--sock --tiny-show', /--tiny-show makes no sense with --sock/],
  ['--diag-keep', /--diag-keep makes no sense without --diag/],
  ['--json --tiny-show', /--tiny-show makes no sense with --json/],
  ['--monitor --min-latency 5', /--min-latency makes no sense with --monitor/],
  ['--latency-free', /--latency-free makes no sense without another mode/],
  ['--func-stats --rate-limit 5', /--rate-limit makes no sense with --func-stats/],
  ['--latency-summary --trace-stack icmp_rcv', /--trace-stack makes no sense with --latency-summary/],
  ['--basic --ret', /--ret makes no sense with --basic/],
  ['--drop --hooks', /--hooks makes no sense with --drop/],
  ['--basic --filter-srtt 5', /--filter-srtt makes no sense with --basic/],
  ['--basic --trace-matcher ip_rcv', /--trace-matcher makes no sense with --basic/],
  ['--sock --tcp-flags S', /--tcp-flags makes no sense with --sock: it sees sockets, not packets$/m],
  ['--sock -p icmp', /--proto icmp makes no sense with --sock/],
  ['--sock -p udp', /--proto udp makes no sense with --sock alone: its default functions are TCP's$/m],
  ['--json --date', /--date makes no sense with --json: it has all$/m],
  ['--func-stats --detail', /--detail makes no sense with --func-stats: it shows no single events$/m],
  ['--rtt --filter-srtt much', /--filter-srtt must be a number, not 'much'/],
  ['--basic --rate-limit 0', /rate limit must be a whole number from 1/],
  ['--sock -t ip_rcv_no_such', /unknown function or group 'ip_rcv_no_such'/],
  ['-t netif_receive_skb --trace-stack no_such', /unknown function or group 'no_such'/],
];

describe('options that mean nothing together', () => {
  it.for(REFUSED)('nettrace %s ends with code 2 and says why', async ([words, message], ctx) => {
    onlyOnRealMachines(ctx);
    const { code, stdout, stderr } = await refusal(...words.split(' '));
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
