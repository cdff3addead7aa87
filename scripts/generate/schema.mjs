// The JSON Schema of a trace, from the TypeScript types.
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

export function generateSchema(root) {
  const schema = createGenerator({
    path: join(root, 'src/types.ts'),
    tsconfig: join(root, 'tsconfig.json'),
    type: 'SkbTrace',
    topRef: false,
    additionalProperties: true,
    skipTypeCheck: true,
  }).createSchema('SkbTrace');
  const { $schema: _, definitions, ...rest } = schema;
  const text = JSON.stringify(
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'A nettrace trace: one line of nettrace --json',
      ...rest,
      $defs: definitions,
    },
    null,
    2,
  );
  return `${text.replaceAll('#/definitions/', '#/$defs/')}\n`;
}
