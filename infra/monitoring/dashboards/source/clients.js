// Kafka clients: is everything read, how late, by whom, and did the last producer runs succeed?
import { buckets, graph, labelVariable, number, page, query, row, sourceVariable, steps, unit } from './build.js';
import { alerts, FOREIGN, increase, NONE_YET, quantile, rate } from './common.js';
import { producers } from './producers.js';
import { resources } from './resources.js';
import { objective } from './slo.js';

const NAMESPACE = 'namespace=~"$namespace"';
// Each program that is scraped has the first; a Job that is not has the second, from the Pushgateway.
const PROGRAMS = 'kafka_(consumer|producer)_build_info|kafka_producer_last_start_timestamp_seconds';
const PODS = `${NAMESPACE}, pod=~"$pod"`;
const TOPICS = `${PODS}, topic=~"$topic"`;
const GROUP = 'consumergroup=~"$group", topic=~"$topic"';
const RUNS = `${NAMESPACE}, topic=~"$topic"`;

const END_TO_END = 'kafka_consumer_end_to_end_latency_seconds';

const now = [
  alerts(),
  number('Ready pods', {
    normal: 'As many as the Deployment has replicas: 2 in infra/k8s. The page at / of a pod says why it is not ready.',
    unit: unit.count,
    steps: steps(['red'], [1, 'green']),
    queries: [query(`sum(kafka_consumer_ready{${PODS}})`, 'ready')],
  }),
  number('Oldest unread record', {
    normal: 'A few seconds. Above 5 minutes and not shrinking, KafkaConsumerLagOld fires. No value: the lag is not known.',
    unit: unit.seconds,
    steps: steps(['green'], [60, 'yellow'], [300, 'red']),
    queries: [query(`max(kafka_consumer_lag_seconds{${TOPICS}})`, 'oldest')],
  }),
  number('Records per second', {
    normal: 'About the rate at which the topics are written. 0 while there is lag means that nobody reads.',
    unit: unit.recordsPerSecond,
    queries: [query(`sum(${rate('kafka_consumer_records_total', TOPICS)})`, 'records')],
  }),
  number('End-to-end p99', {
    normal: 'Below 2.5 s, the objective; on a quiet cluster a few milliseconds. From sending to logging.',
    unit: unit.seconds,
    steps: steps(['green'], [1, 'yellow'], [2.5, 'red']),
    queries: [query(quantile(0.99, END_TO_END, PODS), 'p99')],
  }),
  number('Last producer run', {
    normal: '0, the exit code of success. With several topics or shards: the highest exit code of their last runs. 1 to 3: '
      + 'messages not acknowledged, wrong settings, no broker; 4 and 5: refused, an assertion failed.',
    unit: unit.number,
    line: false,
    steps: steps(['green'], [1, 'red']),
    queries: [query(`max(kafka_producer_last_run_exit_code{${RUNS}})`, 'exit code')],
  }),
  number('Members, as the brokers see them', {
    normal: 'As many as there are ready pods. 0 with lag fires KafkaConsumerGroupUnattended.',
    unit: unit.count,
    steps: steps(['red'], [1, 'green']),
    queries: [query('sum(kafka_consumergroup_members{consumergroup=~"$group"})', 'members', { empty: FOREIGN.groupLag })],
  }),
];

const throughput = [
  row('Throughput'),
  graph('Records by topic', {
    normal: 'Follows what producers write. A flat 0 beside growing lag means that the topic is not read.',
    unit: unit.recordsPerSecond,
    size: [8, 8],
    queries: [query(`sum by (topic) (${rate('kafka_consumer_records_total', TOPICS)})`, '{{topic}}')],
  }),
  graph('Records by pod', {
    normal: 'Pods with equally many partitions have similar lines. One at 0: its partitions are empty, or it stands still.',
    unit: unit.recordsPerSecond,
    size: [8, 8],
    queries: [query(`sum by (pod) (${rate('kafka_consumer_records_total', TOPICS)})`, '{{pod}}')],
  }),
  graph('Bytes read and logged', {
    normal: 'Log lines are larger than the records, as each line also has topic, offset, headers and times. '
      + 'The lower line is the volume that log storage has to take.',
    unit: unit.bytesPerSecond,
    size: [8, 8],
    queries: [
      query(`sum(${rate('kafka_consumer_record_bytes_total', TOPICS)})`, 'keys and values'),
      query(`sum(${rate('kafka_consumer_output_bytes_total', PODS)})`, 'log lines'),
    ],
  }),
];

const lag = [
  row('Lag'),
  graph('Lag by partition, in records', {
    normal: 'Near 0, or falling while a backlog is read. A single rising line: one stuck partition. No line: the pod\'s '
      + 'statistics are stale, so look at the brokers\' view.',
    unit: unit.count,
    queries: [query(`max by (topic, partition) (kafka_consumer_lag_records{${TOPICS}})`, '{{topic}}[{{partition}}]')],
  }),
  graph('Lag by partition, in seconds', {
    normal: 'A few seconds. Rises by one second a second while a partition is not read.',
    unit: unit.seconds,
    limit: 300,
    queries: [query(`max by (topic, partition) (kafka_consumer_lag_seconds{${TOPICS}})`, '{{topic}}[{{partition}}]')],
  }),
  graph('Lag by partition, as the brokers see it', {
    normal: 'The same as the lag in records, and up to one commit interval more. Known even when every consumer is dead.',
    unit: unit.count,
    queries: [
      query(
        `max by (consumergroup, topic, partition) (kafka_consumergroup_lag{${GROUP}} >= 0)`,
        '{{consumergroup}} {{topic}}[{{partition}}]',
        { empty: FOREIGN.groupLag },
      ),
    ],
  }),
  graph('Members by group', {
    normal: 'Steady, and as many as pods. It changes with each rollout.',
    unit: unit.count,
    queries: [
      query('max by (consumergroup) (kafka_consumergroup_members{consumergroup=~"$group"})', '{{consumergroup}}', {
        empty: FOREIGN.groupLag,
      }),
    ],
  }),
];

const whole = [
  row('Nothing lost'),
  graph('Audits that failed', {
    normal: '0. 1: the Job of an audit (docs/audit.md) found something, or could not prove its run; KafkaAuditFailed fires.',
    unit: unit.count,
    size: [8, 8],
    queries: [
      query(`max by (job_name) (kube_job_failed{${NAMESPACE}, condition="true", job_name=~"kafka-audit.*"})`, '{{job_name}}', {
        empty: FOREIGN.kubeState,
      }),
    ],
  }),
  graph('Records logged again', {
    normal: '0. A member that died alone repeats what it had logged and not committed: at most two commit intervals of records.',
    unit: unit.count,
    size: [8, 8],
    bars: true,
    queries: [
      query(`sum by (topic) (${increase('kafka_consumer_repeated_records_total', TOPICS)})`, 'repeated {{topic}}', {
        empty: NONE_YET,
      }),
    ],
  }),
  graph('Records that cannot be read any more', {
    normal: '0. Skipped: retention deleted records before they were read. Corrupt: batches that failed their checksum.',
    unit: unit.count,
    size: [8, 8],
    bars: true,
    queries: [
      query(`sum by (topic) (${increase('kafka_consumer_skipped_records_total', TOPICS)})`, 'skipped {{topic}}', {
        empty: NONE_YET,
      }),
      query(`sum by (topic) (${increase('kafka_consumer_corrupt_batches_total', TOPICS)})`, 'corrupt {{topic}}', {
        empty: NONE_YET,
      }),
    ],
  }),
];

const latency = [
  row('Latency'),
  buckets('End-to-end latency', {
    normal: 'Most records in the lowest buckets. Each point is a record with a trace: click it to see where its time went.',
    unit: unit.seconds,
    queries: [
      query(`sum by (le) (${increase(`${END_TO_END}_bucket`, PODS)})`, '{{le}}', { heatmap: true, exemplars: true }),
    ],
  }),
  graph('End-to-end latency, percentiles', {
    normal: 'p50 in milliseconds, p99 below 2.5 s. A backlog that is being read shows the age of its records here.',
    unit: unit.seconds,
    limit: 2.5,
    queries: [
      query(quantile(0.5, END_TO_END, PODS), 'p50'),
      query(quantile(0.95, END_TO_END, PODS), 'p95'),
      query(quantile(0.99, END_TO_END, PODS), 'p99', { exemplars: true }),
    ],
  }),
];

const group = [
  row('Consumer group'),
  graph('Assigned partitions', {
    normal: 'The pods share all partitions evenly; the sum is the number of partitions.',
    unit: unit.count,
    size: [8, 8],
    stack: true,
    queries: [query(`sum by (pod) (kafka_consumer_assigned_partitions{${PODS}})`, '{{pod}}')],
  }),
  graph('Rebalances', {
    normal: 'None, except during a rollout. "lost" means that a pod was too late to commit: its records may be read twice.',
    unit: unit.count,
    size: [8, 8],
    bars: true,
    queries: [query(`sum by (kind) (${increase('kafka_consumer_rebalances_total', PODS)})`, '{{kind}}')],
  }),
  graph('Commits', {
    normal: 'Successful ones at a steady rate while records arrive, no errors.',
    unit: unit.eventsPerSecond,
    size: [8, 8],
    queries: [query(`sum by (result) (${rate('kafka_consumer_commits_total', PODS)})`, '{{result}}')],
  }),
  graph('Commit time, p99', {
    normal: 'Tens of milliseconds. It grows when the group coordinator\'s broker is busy.',
    unit: unit.seconds,
    queries: [query(quantile(0.99, 'kafka_consumer_commit_seconds', PODS), 'p99')],
  }),
  graph('Time since the loop last asked for records', {
    normal: 'About a second. Beyond 60 s KafkaConsumerLoopStalled fires: most often nobody reads the pod\'s stdout.',
    unit: unit.seconds,
    limit: 60,
    queries: [
      query(`time() - max by (pod) (kafka_consumer_last_poll_timestamp_seconds{${PODS}})`, '{{pod}}'),
    ],
  }),
];

const connections = [
  row('Connections and errors'),
  graph('Connected brokers by pod', {
    normal: 'Every broker that leads one of the pod\'s partitions, and the group coordinator.',
    unit: unit.count,
    size: [8, 8],
    queries: [query(`sum by (pod) (kafka_consumer_broker_up{${PODS}})`, '{{pod}}')],
  }),
  graph('Round trip to the brokers, p99', {
    normal: 'Requests to fetch wait for records, so an idle topic shows up to fetch.wait.max.ms (0.5 s) here. More: the network, or a busy broker.',
    unit: unit.seconds,
    size: [8, 8],
    queries: [
      query(`max by (broker) (kafka_consumer_broker_round_trip_seconds{${PODS}, stat="p99"})`, 'broker {{broker}}'),
    ],
  }),
  graph('Errors that librdkafka reported', {
    normal: 'None. Transport errors come in pairs with a restarted broker and end by themselves.',
    unit: unit.count,
    size: [8, 8],
    bars: true,
    queries: [
      query(`sum by (error) (${increase('kafka_consumer_client_errors_total', PODS)})`, 'consumer: {{error}}', { empty: NONE_YET }),
      query(`sum by (error) (${increase('kafka_producer_client_errors_total', NAMESPACE)})`, 'producer: {{error}}', { empty: NONE_YET }),
    ],
  }),
  graph('Requests to the admin server', {
    normal: 'Probes and scrapes, answered 200. A 503 of /readyz or /livez is an answer; other 5xx are errors.',
    unit: unit.requestsPerSecond,
    size: [8, 8],
    queries: [query(`sum by (path, status) (${rate('kafka_consumer_http_requests_total', PODS)})`, '{{path}} {{status}}')],
  }),
  graph('Spans', {
    normal: 'Exported ones at the sampled share of the records; none failed or dropped. No data while tracing is off.',
    unit: unit.eventsPerSecond,
    size: [8, 8],
    queries: [
      query(`sum by (result) (${rate('kafka_consumer_spans_total', PODS)})`, 'consumer: {{result}}', { empty: 'tracing is off' }),
      query(`sum by (result) (${rate('kafka_producer_spans_total', NAMESPACE)})`, 'producer: {{result}}', { empty: 'tracing is off' }),
    ],
  }),
  graph('Time until certificates expire', {
    normal: 'Weeks. Below 14 days KafkaClientCertificateExpiry fires. No data without TLS files.',
    unit: unit.seconds,
    size: [8, 8],
    limit: 0,
    queries: [
      query(
        `min by (kind) ({__name__=~"kafka_(consumer|producer)_certificate_expiry_timestamp_seconds", ${NAMESPACE}}) - time()`,
        '{{kind}}',
        { empty: 'TLS is off' },
      ),
    ],
  }),
];

/** The dashboard. */
export function clients() {
  return page({
    uid: 'kafka-clients',
    title: 'Kafka clients',
    description: 'What kafka-consumer and kafka-producer do: lag, latency, group, connections, runs, resources, objective.',
    refresh: '10s',
    range: 'now-1h',
    variables: [
      sourceVariable('datasource', 'Metrics', 'prometheus'),
      labelVariable('namespace', 'Namespace', `label_values({__name__=~"${PROGRAMS}"}, namespace)`, { all: '.*' }),
      labelVariable('group', 'Group', 'label_values(kafka_consumer_info{namespace=~"$namespace"}, group)', { all: '.*' }),
      labelVariable('topic', 'Topic', 'label_values(kafka_consumer_records_total{namespace=~"$namespace"}, topic)', { all: '.*' }),
      // Without a value for "All": the pods of the chosen groups are listed, as only this metric knows both.
      labelVariable('pod', 'Pod', 'label_values(kafka_consumer_info{namespace=~"$namespace", group=~"$group"}, pod)'),
    ],
    parts: [
      ...now, ...throughput, ...lag, ...whole, ...latency, ...group, ...connections, ...producers(NAMESPACE, RUNS), ...resources(NAMESPACE), ...objective(PODS),
    ],
  });
}
