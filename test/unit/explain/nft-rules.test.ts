import { describe, expect, it, vi } from 'vitest';
import { type ListRules, nameRules, parseTable, suspects } from '../../../src/explain/nft-rules.js';
import type { TraceEvent } from '../../../src/types.js';
import { traceEvent } from '../../support/traces.js';

/** As nft 1.0.6 lists it with -a. */
const LISTED = `table inet t { # handle 9
	set blocked { # handle 4
		type ipv4_addr
		elements = { 10.0.0.7 }
	}

	chain in { # handle 1
		comment "first"
		type filter hook input priority filter; policy drop;
		ct state established accept # handle 5
		tcp dport 8603 counter packets 3 bytes 180 drop comment "no # handle 99" # handle 6
		ip saddr { 10.0.0.1, 10.0.0.2,
			   10.0.0.3 } jump sub # handle 7
	}

	chain sub { # handle 2
		meta l4proto udp reject # handle 8
	}

	chain aside { # handle 3
		drop # handle 10
	}
}
`;
const listed = (text: string) => {
  const table = parseTable(text);
  if (!table) throw new Error(`no table: ${text}`);
  return table;
};
const CHAIN = 'type filter hook input priority 0; policy accept;';
const table = (rules: string[], more = '') =>
  `table inet t { # handle 1\n\tchain in { # handle 1\n\t\t${[CHAIN, ...rules.map((rule, i) => `${rule} # handle ${i + 2}`)].join('\n\t\t')}\n\t}\n${more}}\n`;

describe('a listed table', () => {
  it('has chains, their policies, and rules that may take several lines', () => {
    const { chains } = listed(LISTED);
    expect([...chains.keys()]).toEqual(['in', 'sub', 'aside']);
    expect(chains.get('in')?.policy).toBe('drop');
    expect(chains.get('sub')?.policy).toBeUndefined();
    expect(chains.get('in')?.rules.map(({ handle }) => handle)).toEqual([5, 6, 7]);
    expect(chains.get('in')?.rules[2]?.text).toBe('ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 } jump sub');
  });

  it('is not read where a comment goes on in the next line: that may look like anything', () => {
    expect(parseTable(table(['accept comment "x\n\t\tdrop # handle 3\n\t\t"']))).toBeUndefined();
    expect(parseTable('')).toBeUndefined();
  });
});

describe('rules that may have dropped a packet', () => {
  const handles = (rules: string[], more?: string) =>
    suspects(listed(table(rules, more)), 'in').map(({ handle, text }) => handle ?? text);

  it('are those of the chain and of the chains that it leads to, and the policy', () => {
    expect(suspects(listed(LISTED), 'in').map(({ handle, text }) => handle ?? text)).toEqual([6, 8, 'policy drop']);
  });

  it.each([
    ['drop', true],
    ['counter packets 0 bytes 0 reject with icmp port-unreachable', true],
    ['tcp dport vmap { 22 : drop, 23 : accept }', true],
    ['tcp dport vmap @ports', true],
    ['xt target "SYNPROXY"', true],
    ['accept', false],
    ['log prefix "drop " accept', false],
    ['accept comment "will drop"', false],
    ['meta nftrace set 1', false],
  ])('%s: %s', (rule, isOne) => {
    expect(handles([rule])).toEqual(isOne ? [2] : []);
  });

  it('are in any chain where a map says which', () => {
    const aside = '\n\tchain aside { # handle 9\n\t\tdrop # handle 20\n\t}\n';
    expect(handles(['accept'], aside)).toEqual([]);
    expect(handles(['ip saddr vmap @verdicts'], aside)).toEqual([2, 20]);
    expect(handles(['ip saddr vmap { 10.0.0.1 : goto aside }'], aside)).toEqual([2, 20]);
  });

  it('end where chains lead in a circle', () => {
    expect(handles(['jump in', 'drop'])).toEqual([3]);
  });
});

describe('the rule that dropped a packet', () => {
  const chain = (ret = 0): TraceEvent =>
    traceEvent({ func: 'nft_do_chain', ret, netns: 7, netfilter: { family: 'ipv4', table: 't', chain: 'in' } });
  const traced = (handle: number, verdict: string): TraceEvent =>
    traceEvent({ func: 'nft_trace_notify', netfilter: { rule: { handle, verdict } } });
  const texts = (events: TraceEvent[]) => events.map(({ notes }) => notes.map(({ text }) => text));
  const name = (events: TraceEvent[], ...tables: string[]) => {
    nameRules(events, () => tables.map(listed));
    return texts(events);
  };

  it('is what the kernel told, with its text', () => {
    const events = [chain(), traced(5, 'NFT_CONTINUE'), traced(6, 'NF_DROP')];
    expect(name(events, LISTED)).toEqual([
      [],
      ['rule handle 5: ct state established accept'],
      [expect.stringMatching(/^dropped by rule handle 6: tcp dport 8603 counter .* drop comment "no # handle 99"$/)],
    ]);
    expect(events[2]?.netfilter).toMatchObject({ table: 't', rule: { handle: 6, chain: 'in', verdict: 'NF_DROP' } });
    expect(events[2]?.notes[0]).toMatchObject({ level: 'error', advice: expect.stringContaining('t in handle 6') });
  });

  it('keeps its handle where its text cannot be listed, or two tables could be meant', () => {
    const said = [[], ['dropped by rule handle 6, NF_DROP']];
    expect(name([chain(), traced(6, 'NF_DROP')])).toEqual(said);
    expect(name([chain(), traced(6, 'NF_DROP')], LISTED, LISTED)).toEqual(said);
  });

  it('is named where no other could have been it, and else with all that could', () => {
    expect(name([chain()], table(['accept', 'tcp dport 1 drop']))).toEqual([
      ['only this rule drops here: handle 3: tcp dport 1 drop'],
    ]);
    expect(name([chain(2)], table(['tcp dport 1 drop', 'udp dport 1 drop']))).toEqual([
      ['one of 2 rules dropped it: handle 2: tcp dport 1 drop; handle 3: udp dport 1 drop'],
    ]);
  });

  it('is one of many: some are shown, and how many more there are', () => {
    const rules = Array.from({ length: 20 }, (_, i) => `tcp dport ${i + 1} drop`);
    const [notes = []] = name([chain()], table(rules));
    expect(notes[0]).toMatch(/^one of 20 rules dropped it: .*; 12 more$/);
  });

  it.each([
    ['the chain accepted the packet', [chain(1)], [LISTED]],
    ['two tables of that name have such a chain', [chain()], [LISTED, LISTED]],
    ['the tables cannot be listed', [chain()], []],
    ['no rule there drops', [chain()], [table(['accept'])]],
  ])('is not named where %s', (_why, events, tables) => {
    expect(name(events, ...tables)).toEqual([[]]);
  });

  it('is not asked for where the namespace is not known', () => {
    const list = vi.fn<ListRules>();
    const { netns: _unknown, ...event } = chain();
    nameRules([event], list);
    expect(list).not.toHaveBeenCalled();
  });
});
