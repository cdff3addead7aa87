import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/errors.js';
import { type ParameterDefinitions, parameterValues, parseSettings } from '../../../src/repro/parameters.js';

const DEFINITIONS = {
  port: { default: 8000, text: 'port', range: [1, 65535] },
  tsval: { default: 0, text: 'timestamp' },
  mode: { default: 'reset', text: 'how', choices: ['reset', 'close'] },
  name: { default: 'eth0', text: 'interface' },
  slow: { default: false, text: 'slowly' },
} as const satisfies ParameterDefinitions;

const values = (...words: string[]) => parameterValues(DEFINITIONS, parseSettings(words));

describe('parameters', () => {
  it('have their defaults', () => {
    expect(values()).toEqual({ port: 8000, tsval: 0, mode: 'reset', name: 'eth0', slow: false });
  });

  it('are set, each as its type', () => {
    expect(values('port=80', 'mode=close', 'name=a=b', 'slow=true', 'tsval=4294967295')).toEqual({
      port: 80,
      tsval: 4294967295,
      mode: 'close',
      name: 'a=b',
      slow: true,
    });
  });

  it.each([
    ['port=0', /port must be a whole number from 1 to 65535, not '0'/],
    ['port=65536', /port must be/],
    ['port=', /port must be/],
    ['port=8e3', /port must be/],
    ['tsval=-1', /tsval must be a whole number from 0/],
    ['tsval=4294967296', /tsval must be/],
    ['mode=kill', /mode must be one of reset, close, not 'kill'/],
    ['slow=yes', /slow must be true or false, not 'yes'/],
  ])('%s is refused', (word, message) => {
    expect(() => values(word)).toThrow(UsageError);
    expect(() => values(word)).toThrow(message);
  });

  it.each(['port', '=80', ''])("'%s' is no setting", (word) => {
    expect(() => parseSettings([word])).toThrow(/--set takes name=value/);
  });

  it('cannot be set twice', () => {
    expect(() => parseSettings(['port=1', 'port=2'])).toThrow(/--set port is given twice/);
  });
});
