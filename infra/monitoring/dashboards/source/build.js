// Panels, rows, queries and variables as this project uses them: short calls over Grafana's Foundation SDK, so that a
// dashboard reads as a list of questions and answers.
import common from '@grafana/grafana-foundation-sdk/common';
import dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import logs from '@grafana/grafana-foundation-sdk/logs';
import loki from '@grafana/grafana-foundation-sdk/loki';
import prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import stat from '@grafana/grafana-foundation-sdk/stat';
import table from '@grafana/grafana-foundation-sdk/table';
import timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import units from '@grafana/grafana-foundation-sdk/units';

/** Units by what they measure. */
export const unit = {
  bytes: units.BytesIEC,
  bytesPerSecond: units.BytesPerSecondIEC,
  count: units.Short,
  eventsPerSecond: units.EventsPerSecond,
  messagesPerSecond: units.MessagesPerSecond,
  milliseconds: units.Milliseconds,
  number: units.Number,
  ratio: units.PercentUnit,
  recordsPerSecond: units.RecordsPerSecond,
  requestsPerSecond: units.RequestsPerSecond,
  seconds: units.Seconds,
  since: units.DateTimeFromNow,
};

const PROMETHEUS = { type: 'prometheus', uid: '${datasource}' };
const LOKI = { type: 'loki', uid: '${loki}' };

/** Why a query may answer nothing on a healthy system, by its expression. */
export const mayBeEmpty = new Map();

/**
 * A query over time. Options: `instant`, `table` (instant, for a table), `heatmap`, `exemplars`, and `empty`: the reason why a
 * healthy system may have no series for it.
 */
export function query(expr, legend, options = {}) {
  if (options.empty) {
    mayBeEmpty.set(expr, options.empty);
  }
  const target = new prometheus.DataqueryBuilder().datasource(PROMETHEUS).expr(expr).range();
  if (legend) target.legendFormat(legend);
  if (options.instant || options.table) target.instant();
  if (options.table) target.format('table');
  if (options.heatmap) target.format('heatmap');
  if (options.exemplars) target.exemplar(true);
  return target;
}

/** A query for log lines, or for numbers counted from them. */
export function logQuery(expr, legend) {
  const target = new loki.DataqueryBuilder().datasource(LOKI).expr(expr).queryType('range');
  return legend ? target.legendFormat(legend) : target.maxLines(500);
}

/** What every panel has. `normal` says what a healthy system shows; `size` is width and height on Grafana's grid of 24 columns. */
function panel(builder, title, { normal, unit, size, queries }) {
  const source = queries[0] instanceof loki.DataqueryBuilder ? LOKI : PROMETHEUS;
  builder.title(title).description(normal).datasource(source).span(size[0]).height(size[1]);
  if (unit) builder.unit(unit);
  queries.forEach((target, at) => builder.withTarget(target.refId(String.fromCharCode(65 + at))));
  return builder;
}

/** Colors from a value on: `steps(['green'], [300, 'red'])`. */
export function steps(...from) {
  const colored = from.map((step) => (step.length === 1 ? { value: null, color: step[0] } : { value: step[0], color: step[1] }));
  return new dashboard.ThresholdsConfigBuilder().mode('absolute').steps(colored);
}

/** The latest value, large. */
export function number(title, spec) {
  const builder = panel(new stat.PanelBuilder(), title, { size: [4, 4], ...spec });
  builder.reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false).fields(''));
  builder.graphMode(spec.line === false ? 'none' : 'area').colorMode('value').textMode('auto').justifyMode('auto');
  builder.orientation('auto').wideLayout(true).showPercentChange(false).percentChangeColorMode('standard');
  builder.thresholds(spec.steps ?? steps(['text']));
  if (spec.noValue) builder.noValue(spec.noValue);
  if (spec.decimals !== undefined) builder.decimals(spec.decimals);
  return builder;
}

/** Lines over time. `limit` draws a dashed line there. */
export function graph(title, spec) {
  const builder = panel(new timeseries.PanelBuilder(), title, { size: [12, 8], ...spec });
  builder.lineWidth(1).fillOpacity(spec.stack ? 40 : 8).showPoints('never').spanNulls(false).min(spec.min ?? 0);
  if (spec.max !== undefined) builder.max(spec.max);
  if (spec.stack) builder.stacking(new common.StackingConfigBuilder().mode('normal').group('A'));
  if (spec.bars) builder.drawStyle('bars').fillOpacity(60);
  if (spec.limit !== undefined) {
    builder.thresholds(steps(['transparent'], [spec.limit, 'red']));
    builder.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode('dashed'));
  }
  const legend = new common.VizLegendOptionsBuilder().displayMode('list').placement('bottom').showLegend(true).calcs([]);
  builder.legend(legend).tooltip(new common.VizTooltipOptionsBuilder().mode('multi').sort('desc'));
  return builder;
}

/** Buckets of a histogram over time, with a point for each exemplar. */
export function buckets(title, spec) {
  const builder = panel(new heatmap.PanelBuilder(), title, { size: [12, 8], ...spec });
  const colors = new heatmap.HeatmapColorOptionsBuilder().mode('scheme').scheme('Oranges').fill('dark-orange').exponent(0.5);
  builder.calculate(false).color(colors.steps(64).reverse(false));
  return builder.yAxis(new heatmap.YAxisConfigBuilder().unit(spec.unit)).showLegend().cellGap(1);
}

/** Rows of labels and values, one instant query a column. `columns` renames and orders the columns, `hide` leaves some out. */
export function rows(title, spec) {
  const builder = panel(new table.PanelBuilder(), title, { size: [24, 8], ...spec });
  const names = Object.keys(spec.columns);
  const order = Object.fromEntries(names.map((name, at) => [name, at]));
  const hidden = Object.fromEntries(['Time', ...(spec.hide ?? [])].map((name) => [name, true]));
  if (spec.queries.length > 1) builder.withTransformation({ id: 'merge', options: {} });
  builder.withTransformation({
    id: 'organize',
    options: { excludeByName: hidden, indexByName: order, renameByName: spec.columns },
  });
  for (const [column, properties] of Object.entries(spec.fields ?? {})) {
    builder.overrideByName(column, Object.entries(properties).map(([id, value]) => ({ id, value })));
  }
  if (spec.noValue) builder.noValue(spec.noValue);
  return builder.showHeader(true).cellHeight('sm');
}

/** Log lines, newest first. Lines have no unit. */
export function lines(title, spec) {
  const builder = panel(new logs.PanelBuilder(), title, { size: [24, 12], ...spec });
  builder.showTime(true).showLabels(false).showCommonLabels(false).wrapLogMessage(true).prettifyLogMessage(false);
  return builder.enableLogDetails(true).sortOrder('Descending').dedupStrategy('none');
}

/** A heading; the panels after it belong to it. */
export function row(title) {
  return new dashboard.RowBuilder(title);
}

/** A heading that hides its panels, and asks for nothing, until somebody opens it. */
export function folded(title, panels) {
  return Object.assign(row(title).collapsed(true), { panels });
}

/** All panels of a dashboard, those under a folded heading too. */
export function panelsOf(made) {
  return made.panels.flatMap((it) => [it, ...(it.panels ?? [])]);
}

/** Which data source of a kind the panels ask; the one of datasources/, whose uid is its type, unless somebody chooses another. */
export function sourceVariable(name, label, type) {
  const text = type[0].toUpperCase() + type.slice(1);
  return new dashboard.DatasourceVariableBuilder(name).label(label).type(type).current({ text, value: type });
}

/** A choice among the values that a label has. `all` is what "All" stands for; without it, every value that is listed. */
export function labelVariable(name, label, query, { loki: ofLogs = false, all } = {}) {
  const asked = ofLogs ? { label: query, refId: name, stream: '', type: 1 } : { query, refId: name };
  const variable = new dashboard.QueryVariableBuilder(name).label(label).datasource(ofLogs ? LOKI : PROMETHEUS).query(asked);
  variable.refresh(dashboard.VariableRefresh.OnTimeRangeChanged).sort(dashboard.VariableSort.AlphabeticalAsc);
  variable.multi(true).includeAll(true).current({ text: ['All'], value: ['$__all'] });
  return all === undefined ? variable : variable.allValue(all);
}

/** A field to type into. */
export function textVariable(name, label, value) {
  return new dashboard.TextBoxVariableBuilder(name).label(label).defaultValue(value).current({ text: value, value });
}

/** A dashboard of `variables` and `parts`, which are panels and headings in the order of reading. */
export function page({ uid, title, description, refresh, range, variables, parts }) {
  const built = new dashboard.DashboardBuilder(title).uid(uid).description(description).tags(['kafka']).readonly();
  built.timezone('browser').tooltip(dashboard.DashboardCursorSync.Crosshair).refresh(refresh);
  built.time({ from: range, to: 'now' }).variables(variables).annotations([]);
  const others = new dashboard.DashboardLinkBuilder('Other dashboards').type('dashboards').tags(['kafka']).asDropdown(false);
  built.link(others.icon('external link').tooltip('').url('').includeVars(true).keepTime(true).targetBlank(false));
  let id = 0;
  for (const part of parts) {
    part.id(id += 1);
    for (const hidden of part.panels ?? []) part.withPanel(hidden.id(id += 1));
    if (part instanceof dashboard.RowBuilder) built.withRow(part);
    else built.withPanel(part);
  }
  return cleaned(built.build());
}

/** Without what the SDK writes for every variable and table, and Grafana's schema of this version does not know. */
function cleaned(made) {
  for (const variable of made.templating.list) {
    delete variable.auto;
    delete variable.auto_min;
    delete variable.auto_count;
  }
  for (const { type, options } of panelsOf(made)) {
    if (type === 'table') delete options.footer;
  }
  return made;
}
