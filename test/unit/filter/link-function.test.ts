import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BpfObject } from '#bpf-loader';
import { generateFunction } from '../../../src/filter/generated-function.js';
import { linkFunction } from '../../../src/filter/link-function.js';

const NAME = 'generated_filter';

describe.each(['x86_64', 'arm64'])('the object for %s', (machine) => {
  const object = readFileSync(new URL(`../../../dist/bpf/nettrace.${machine}.bpf.o`, import.meta.url));

  it('has a place for the generated function, and stays a file that libbpf opens', () => {
    const body = generateFunction(new Map([[0, (out, accept) => out.jump(accept)]]));
    const linked = linkFunction(object, NAME, body);
    expect(Buffer.from(linked.slice(-body.length))).toEqual(Buffer.from(body));
    const opened = BpfObject.open(linked, { name: 'linked' });
    const former = BpfObject.open(object, { name: 'former' });
    expect(opened.programs).toEqual(former.programs);
    opened.close();
    former.close();
  });

  it('is refused where it has not', () => {
    const body = generateFunction(new Map());
    expect(() => linkFunction(object, 'no_such_function', body)).toThrow('have no place for a filter');
    // not the last of its section
    expect(() => linkFunction(object, 'filter_programs_match', body)).toThrow('have no place for a filter');
    expect(() => linkFunction(object, NAME, body.slice(0, 8))).toThrow('have no place for a filter');
  });
});
