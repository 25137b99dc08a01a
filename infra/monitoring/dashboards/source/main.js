// Writes the dashboards, and every query of them with its variables filled in, for those who run or parse queries.
//
//   node source/main.js FOLDER LOG_QUERIES
//
// LOG_QUERIES is infra/logging/queries/queries.yaml.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import { clients } from './clients.js';
import { cluster } from './cluster.js';
import { logs } from './logs.js';
import { queries } from './queries.js';

const [folder, logQueries] = process.argv.slice(2);
if (!logQueries) {
  console.error('usage: node source/main.js FOLDER LOG_QUERIES');
  process.exit(2);
}
const dashboards = [clients(), cluster(), logs(parse(readFileSync(logQueries, 'utf8')).queries)];
const write = (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 1)}\n`);
mkdirSync(join(folder, 'json'), { recursive: true });
for (const dashboard of dashboards) {
  write(`json/${dashboard.uid}.json`, dashboard);
}
write('queries.json', dashboards.flatMap(queries));
