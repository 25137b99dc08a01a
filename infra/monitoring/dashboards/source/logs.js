// Logs: what the programs said, and single records, found by topic, partition, key or trace. Labels and attributes are those that the
// agent of infra/logging sets; what a record is about is read from the JSON of its line, so that no value of a record is a label.
import { folded, graph, labelVariable, lines, logQuery, page, row, sourceVariable, textVariable, unit } from './build.js';

const STREAM = '{k8s_namespace_name=~"$namespace", k8s_container_name=~"$container"}';
// The operational log has any event but `record`.
const OPERATION = `${STREAM} | event!="record"`;
const RECORD = `${STREAM} | event="record" | trace_id=~"$trace_id"`
  + ' | json topic="topic", partition="partition", key="key" | topic=~"$topic" | partition=~"$partition" | key=~"$key"';

const counted = (by, of) => logQuery(`sum by (${by.join(', ')}) (count_over_time(${of} [$__auto]))`, by.map((it) => `{{${it}}}`).join(' '));

const operation = [
  row('What the programs said'),
  graph('Lines by program and level', {
    normal: 'Only INFO, one line a record. WARN: something is retried. ERROR: somebody has to act.',
    unit: unit.count,
    bars: true,
    stack: true,
    queries: [counted(['service_name', 'severity_text'], STREAM)],
  }),
  graph('Operational lines by event', {
    normal: 'A few lines when a pod starts, stops or rebalances. Many of one event: read them below.',
    unit: unit.count,
    bars: true,
    stack: true,
    queries: [counted(['event'], OPERATION)],
  }),
  lines('Warnings and errors', {
    normal: 'Empty. Each line says what happened, where, and what to do.',
    size: [24, 8],
    queries: [logQuery(`${STREAM} | severity_text=~"WARN|ERROR"`)],
  }),
  lines('Operational log', {
    normal: 'Every line that is not a record, newest first: what a pod said before it ended is at its top.',
    size: [24, 10],
    queries: [logQuery(OPERATION)],
  }),
];

const records = [
  row('Records'),
  graph('Records by topic', {
    normal: 'The same as the metric of the consumers, as long as no line is lost on its way here.',
    unit: unit.count,
    size: [24, 8],
    bars: true,
    stack: true,
    queries: [counted(['topic'], RECORD)],
  }),
  lines('Records', {
    normal: 'The records that match the fields on top. Open a line and follow its trace_id to see where the time went.',
    size: [24, 14],
    queries: [logQuery(RECORD)],
  }),
];

/** A documented query as a panel. Its variables are exact there, and regular expressions here, so that one may be left open. */
function documented({ title, answer, logql }) {
  const expr = logql.replaceAll(/(?<![!=])="\$(\w+)"/g, '=~"$$$1"');
  if (expr.startsWith('{')) return lines(title, { normal: answer, size: [24, 10], queries: [logQuery(expr)] });
  const measured = expr.includes('unwrap latency_ms') ? unit.milliseconds : unit.count;
  return graph(title, { normal: answer, unit: measured, size: [24, 8], queries: [logQuery(expr, '{{topic}} {{partition}} {{record_offset}}')] });
}

/** The dashboard, with the queries that the documentation has too. */
export function logs(documentedQueries) {
  return page({
    uid: 'kafka-logs',
    title: 'Kafka clients: logs',
    description: 'The lines of kafka-consumer and kafka-producer. The fields on top are regular expressions, the offsets are numbers.',
    refresh: '',
    range: 'now-1h',
    variables: [
      sourceVariable('loki', 'Logs', 'loki'),
      labelVariable('namespace', 'Namespace', 'k8s_namespace_name', { loki: true, all: '.+' }),
      labelVariable('container', 'Container', 'k8s_container_name', { loki: true, all: 'kafka-consumer|kafka-producer' }),
      textVariable('topic', 'Topic', '.*'),
      textVariable('partition', 'Partition', '.*'),
      textVariable('key', 'Key', '.*'),
      textVariable('trace_id', 'Trace id', '.*'),
      textVariable('pod', 'Pod', '.*'),
      textVariable('run_id', 'Run id', '.*'),
      textVariable('first', 'First offset', '0'),
      textVariable('last', 'Last offset', '9000000000000000'),
    ],
    parts: [...operation, ...records, folded('The documented queries', documentedQueries.map(documented))],
  });
}
