// Dashboards against Grafana's schemas, and LogQL against Grafana's grammar. Prints one problem a line, and ends with 1 if there is one.
//
//   node source/check.js SCHEMAS FOLDER
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { parser } from '@grafana/lezer-logql';
import Ajv from 'ajv';

import { panelsOf } from './build.js';

const [schemas, folder] = process.argv.slice(2);
const read = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));

const ajv = new Ajv({ allErrors: true, strict: false });
const valid = Object.fromEntries(readdirSync(schemas).filter((name) => name.endsWith('.json'))
  .map((name) => [basename(name, '.json'), ajv.compile(read(schemas, name))]));

/** What a schema refuses. */
function refused(kind, value, where) {
  if (!valid[kind]) return [`${where}: no schema is known for a panel of this kind: ${kind}`];
  if (valid[kind](value)) return [];
  return valid[kind].errors.map((error) => {
    const what = error.params.additionalProperty ?? error.params.allowedValues ?? '';
    return `${where}${error.instancePath}: ${error.message} ${what}`.trim();
  });
}

/** Where the grammar does not fit a query. */
function unread({ dashboard, panel, expr }) {
  const problems = [];
  parser.parse(expr).iterate({
    enter: ({ type, from }) => {
      if (type.isError) problems.push(`${dashboard}: ${panel}: not LogQL from character ${from} on: ${expr}`);
    },
  });
  return problems;
}

const problems = readdirSync(join(folder, 'json')).flatMap((name) => {
  const dashboard = read(folder, 'json', name);
  const panels = panelsOf({ panels: [], ...dashboard }).filter(({ type }) => type !== 'row');
  const options = panels.flatMap(({ type, title, options: of }) => refused(type, of, `${name}: ${title}: options`));
  return [...refused('dashboard', dashboard, name), ...options];
});
problems.push(...read(folder, 'queries.json').filter(({ language }) => language === 'logql').flatMap(unread));
problems.forEach((problem) => console.log(problem));
process.exitCode = problems.length > 0 ? 1 : 0;
