import type { SkbTrace } from '../types.js';
import { shapeOf } from './path.js';

/** Traces that went the same way. */
export interface ShapeGroup {
  functions: string[];
  count: number;
  /** The first of them. */
  example: SkbTrace;
}

/** Ways of one file that are kept, and characters of their examples as JSON: more are counted only. */
const MAX_SHAPES = 10_000;
const MAX_CHARACTERS = 2 ** 27;

/** Groups the traces of one file by their ways. */
export class ShapeSet {
  readonly groups = new Map<string, ShapeGroup>();
  traces = 0;
  incomplete = 0;
  notCompared = 0;
  #characters = 0;

  add(trace: SkbTrace): void {
    this.traces++;
    if (!trace.complete) this.incomplete++;
    const functions = shapeOf(trace);
    const key = functions.join('\n');
    const group = this.groups.get(key);
    if (group) {
      group.count++;
      return;
    }
    this.#characters += JSON.stringify(trace).length;
    if (this.groups.size >= MAX_SHAPES || (this.groups.size > 0 && this.#characters > MAX_CHARACTERS)) {
      this.notCompared++;
      return;
    }
    this.groups.set(key, { functions, count: 1, example: trace });
  }
}
