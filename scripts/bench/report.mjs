#!/usr/bin/env node
// @ts-check
// Makes tables and charts of the numbers that bench.mjs wrote: the part of a page that is behind the line MARK.
//
//   node scripts/bench/report.mjs PAGE.md FOLDER RESULTS.json...
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { describeGroups } from './report-groups.mjs';

const MARK = '<!-- What follows is written by make bench. -->';
const [page, folder, ...files] = process.argv.slice(2);
if (!page || !folder || files.length === 0) {
  console.error('usage: report.mjs PAGE.md FOLDER RESULTS.json...');
  process.exit(2);
}

mkdirSync(folder, { recursive: true });
const link = (/** @type {string} */ path) => relative(resolve(dirname(page)), resolve(path));
const parts = files.map((file) => {
  /** @type {import('./bench.mjs').Results} */
  const results = JSON.parse(readFileSync(file, 'utf8'));
  const name = basename(file, '.json');
  const sections = describeGroups(results).map(({ title, text, table, charts }) => {
    const images = charts.map(({ suffix, svg }) => {
      const path = join(folder, `${name}-${suffix}.svg`);
      writeFileSync(path, svg);
      return `![${title}](${link(path)})\n`;
    });
    return `### ${title}\n\n${text}\n\n${images.join('\n')}\n${table}\n`;
  });
  const { date, commit, cpus, cpu, memoryBytes, seconds, kernel } = results;
  return `## Linux ${kernel}

${date.slice(0, 10)}, commit ${commit}, ${cpus} CPUs (${cpu}), ${(memoryBytes / 2 ** 30).toFixed(1)} GiB;
loads of ${seconds} s. Numbers: [${name}.json](${link(file)}).

${sections.join('\n')}`;
});
const former = existsSync(page) ? readFileSync(page, 'utf8').split(MARK)[0] : '# Performance\n\n';
writeFileSync(page, `${former}${MARK}\n\n${parts.join('\n')}`);
