// JSON schemas of Grafana's own types: of a dashboard, and of the options of each kind of panel that is used here. They are made
// from the package, never kept in this repository.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { createGenerator } from 'ts-json-schema-generator';

const types = join(dirname(createRequire(import.meta.url).resolve('@grafana/schema/package.json')), 'dist/types/raw');
const panel = (name) => ({ path: join(types, `composable/${name}/panelcfg/x/types.gen.d.ts`), type: 'Options' });

/** Where each type is. */
const SCHEMAS = {
  dashboard: { path: join(types, 'dashboard/x/types.gen.d.ts'), type: 'Dashboard' },
  heatmap: panel('heatmap'),
  logs: panel('logs'),
  stat: panel('stat'),
  table: panel('table'),
  timeseries: panel('timeseries'),
};

const [folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const [name, { path, type }] of Object.entries(SCHEMAS)) {
  const schema = createGenerator({ path, type, skipTypeCheck: true, expose: 'export' }).createSchema(type);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(schema));
}
