import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagText } from '../../../src/sinks/diag.js';
import { UNPRINTABLE } from '../../../src/sinks/printable.js';
import type { Finding } from '../../../src/types.js';

const finding = (more: Partial<Finding> = {}): Finding => ({
  level: 'error',
  func: 'kfree_skb',
  group: 'life',
  message: 'packet is dropped by kernel',
  advice: [],
  values: [],
  ...more,
});

const NETFILTER: Partial<Finding> = {
  func: 'nf_hook_slow',
  group: 'netfilter',
  message: 'packet is dropped by netfilter (NF_DROP)',
};

describe('the block of the diagnose mode', () => {
  it('has the form that users know', () => {
    const text = diagText(
      [
        finding({
          level: 'warning',
          func: '__inet_lookup_listener',
          group: 'tcp-in',
          message: 'tcp port is not listened',
          advice: ['check your target tcp port'],
        }),
        finding({
          func: 'tcp_v4_send_reset',
          group: 'tcp-in',
          message: 'connection reset initiated by the TCP stack',
          state: 'no socket',
          resetReason: 'NO_SOCKET',
        }),
        finding({ location: 'tcp_v4_rcv+0x9a', dropReason: 'NO_SOCKET' }),
      ],
      true,
    );
    expect(text).toBe(
      [
        '---------------- ANALYSIS RESULT ---------------------',
        '[1] WARNING happens in __inet_lookup_listener(tcp-in):',
        '\ttcp port is not listened',
        '    fix advice:',
        '\tcheck your target tcp port',
        '',
        '[2] ERROR happens in tcp_v4_send_reset(tcp-in):',
        '\tconnection reset initiated by the TCP stack',
        '    state:',
        '\tno socket',
        '    reset reason:',
        '\tNO_SOCKET',
        '',
        '[3] ERROR happens in kfree_skb(life):',
        '\tpacket is dropped by kernel',
        '    location:',
        '\ttcp_v4_rcv+0x9a',
        '    drop reason:',
        '\tNO_SOCKET',
        '',
        'analysis finished!',
        '',
      ].join('\n'),
    );
  });

  it('sets hook functions apart', () => {
    const hooks = [{ name: 'nft_do_chain_ipv4', blamed: true }];
    expect(diagText([finding({ ...NETFILTER, hooks, advice: ['check your netfilter rule'] })], true)).toBe(
      [
        '---------------- ANALYSIS RESULT ---------------------',
        '[1] ERROR happens in nf_hook_slow(netfilter):',
        '\tpacket is dropped by netfilter (NF_DROP)',
        '',
        '    following hook functions are blamed:',
        '\tnft_do_chain_ipv4 <- returned the verdict',
        '',
        '    fix advice:',
        '\tcheck your netfilter rule',
        '',
        'analysis finished!',
        '',
      ].join('\n'),
    );
  });

  it('marks no hook function that nobody has proved guilty', () => {
    const text = diagText([finding({ ...NETFILTER, hooks: [{ name: 'a' }, { name: 'b' }] })], true);
    expect(text).toContain('    following hook functions are blamed:\n\ta\n\tb\n\nanalysis');
  });

  it('shows values behind the advice, one a line', () => {
    const values = [
      { name: 'net.core.somaxconn', value: '4096' },
      { name: 'TcpExtListenDrops', value: '3' },
    ];
    expect(diagText([finding({ advice: ['accept faster'], values })], false)).toContain(
      '    fix advice:\n\taccept faster\n\tnet.core.somaxconn is 4096\n\tTcpExtListenDrops is 3\n',
    );
  });

  it('says that the analysis is finished behind the last block alone', () => {
    const head = '---------------- ANALYSIS RESULT ---------------------\n';
    expect(diagText([], true)).toBe(`${head}analysis finished!\n`);
    expect(diagText([], false)).toBe(`${head}\n`);
    expect(diagText([finding()], false)).toBe(
      `${head}[1] ERROR happens in kfree_skb(life):\n\tpacket is dropped by kernel\n\n`,
    );
  });

  it('obeys no character of a name from outside', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, text, (func, message, name) => {
        const out = diagText([finding({ func, message, location: name, values: [{ name, value: name }] })], true);
        expect(out.replace(/[\n\t]/g, '')).not.toMatch(UNPRINTABLE);
        expect(out.split('\n')).toHaveLength(10);
      }),
    );
  });
});
