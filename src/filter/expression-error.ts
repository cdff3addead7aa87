import { UsageError } from '../errors.js';

/** A part of an expression, in characters from its start. */
export interface Span {
  start: number;
  end: number;
}

/**
 * What is wrong with an expression, and where: the message names the column (from 1), and the advice shows the expression
 * with carets under the part.
 */
export function expressionError(what: string, message: string, expression: string, { start, end }: Span): UsageError {
  // a tab would shift the carets
  const line = expression.replaceAll(/[\t\n\r]/g, ' ');
  const carets = `${' '.repeat(start)}${'^'.repeat(Math.max(1, end - start))}`;
  return new UsageError(`${what}, column ${start + 1}: ${message}`, { advice: `${line}\n${carets}` });
}
