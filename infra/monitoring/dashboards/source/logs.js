// Logs: what the programs said, and single records, found by topic, partition, key or trace. The labels are Loki's for logs that
// came by OTLP; everything else is read from the JSON of the line, so that no value of a record is a label.
import { graph, labelVariable, lines, logQuery, page, row, sourceVariable, textVariable, unit } from './build.js';

const STREAM = '{k8s_namespace_name=~"$namespace", k8s_container_name=~"$container"}';
// The operational log has any event but `record`.
const OPERATION = `${STREAM} != \`"event":"record"\` | json level="level", event="event" | __error__=""`;
const RECORD = `${STREAM} |= \`"event":"record"\` |= \`$trace_id\``
  + ' | json topic="topic", partition="partition", key="key", latency_ms="latency_ms" | __error__=""'
  + ' | topic=~"$topic" | partition=~"$partition" | key=~"$key"';

const counted = (by, of) => logQuery(`sum by (${by}) (count_over_time(${of} [$__auto]))`, by.split(', ').map((it) => `{{${it}}}`).join(' '));

const operation = [
  row('What the programs said'),
  graph('Lines by program and level', {
    normal: 'Only INFO, one line a record. WARN: something is retried. ERROR: somebody has to act.',
    unit: unit.count,
    bars: true,
    stack: true,
    queries: [counted('service_name, level', `${STREAM} | json level="level" | __error__=""`)],
  }),
  graph('Operational lines by event', {
    normal: 'A few lines when a pod starts, stops or rebalances. Many of one event: read them below.',
    unit: unit.count,
    bars: true,
    stack: true,
    queries: [counted('event', OPERATION)],
  }),
  lines('Warnings and errors', {
    normal: 'Empty. Each line says what happened, where, and what to do.',
    size: [24, 8],
    queries: [logQuery(`${OPERATION} | level=~"WARN|ERROR"`)],
  }),
  lines('Rebalances, commits and readiness', {
    normal: 'A rebalance at the start and at each rollout, then silence.',
    size: [24, 8],
    queries: [logQuery(`${OPERATION} | event=~"rebalance|commit_failed|commits_succeed|not_ready|ready"`)],
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
    bars: true,
    stack: true,
    queries: [counted('topic', RECORD)],
  }),
  graph('Slowest record', {
    normal: 'Below 2.5 s. From sending to logging, the maximum of each interval.',
    unit: unit.milliseconds,
    queries: [logQuery(`max by (topic) (max_over_time(${RECORD} | unwrap latency_ms | __error__="" [$__auto]))`, '{{topic}}')],
  }),
  lines('Records', {
    normal: 'The records that match the fields on top. Open a line and follow its trace_id to see where the time went.',
    size: [24, 14],
    queries: [logQuery(RECORD)],
  }),
];

/** The dashboard. */
export function logs() {
  return page({
    uid: 'kafka-logs',
    title: 'Kafka clients: logs',
    description: 'The lines of kafka-consumer and kafka-producer. Topic, partition and key are regular expressions; the trace id is text.',
    refresh: '',
    range: 'now-1h',
    variables: [
      sourceVariable('loki', 'Logs', 'loki'),
      labelVariable('namespace', 'Namespace', 'k8s_namespace_name', { loki: true, all: '.+' }),
      labelVariable('container', 'Container', 'k8s_container_name', { loki: true, all: 'kafka-consumer|kafka-producer' }),
      textVariable('topic', 'Topic', '.*'),
      textVariable('partition', 'Partition', '.*'),
      textVariable('key', 'Key', '.*'),
      textVariable('trace_id', 'Trace id', ''),
    ],
    parts: [...operation, ...records],
  });
}
