// JSON Schemas of what --json writes, from the TypeScript types.
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

/** The schema of one type of a source file; `title` is what it begins with. */
export function generateSchema(root, type, title, source = 'src/types.ts') {
  const schema = createGenerator({
    path: join(root, source),
    tsconfig: join(root, 'tsconfig.json'),
    type,
    topRef: false,
    additionalProperties: true,
    skipTypeCheck: true,
  }).createSchema(type);
  const { $schema: _, definitions, ...rest } = schema;
  const text = JSON.stringify(
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title,
      ...rest,
      $defs: definitions,
    },
    null,
    2,
  );
  return `${text.replaceAll('#/definitions/', '#/$defs/')}\n`;
}
