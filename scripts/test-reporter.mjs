// @ts-check
// Vitest reporter: what a suite's run came to, as JSON, in the file that NETTRACE_TEST_REPORT names.
// Vitest's own JSON leaves out why a test was skipped.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * @typedef {{ name: string, reason: string }} Item
 * @typedef {{ passed: number, failed: Item[], skipped: Item[] }} Report
 */

/** @param {{ message?: string } | undefined} error */
const firstLine = (error) => (error?.message ?? 'no message').split('\n', 1)[0] ?? '';

export default class TestReporter {
  /**
   * @param {readonly import('vitest/node').TestModule[]} modules
   * @param {readonly { message?: string }[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Report} */
    const report = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      // What fails outside of a test: a file that cannot be imported, a hook.
      for (const part of [module, ...module.children.allSuites()]) {
        const name = part.type === 'module' ? file : `${file} > ${part.fullName}`;
        for (const error of part.errors()) report.failed.push({ name, reason: firstLine(error) });
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${file} > ${test.fullName}`;
        if (result.state === 'passed') report.passed += 1;
        else if (result.state === 'failed') report.failed.push({ name, reason: firstLine(result.errors[0]) });
        else if (result.state === 'skipped') report.skipped.push({ name, reason: result.note ?? 'no reason given' });
        else report.failed.push({ name, reason: 'it never ended' });
      }
    }
    for (const error of unhandledErrors) report.failed.push({ name: 'outside of the tests', reason: firstLine(error) });
    const target = process.env.NETTRACE_TEST_REPORT;
    if (target) writeFileSync(target, JSON.stringify(report));
  }
}
