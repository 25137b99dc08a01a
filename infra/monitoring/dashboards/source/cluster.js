// Kafka cluster: are all brokers there, is every partition safe, and who is busy? From the JMX exporter of the brokers.
import { graph, labelVariable, number, page, query, row, sourceVariable, steps, unit } from './build.js';
import { alerts, FOREIGN, increase, NONE_YET, rate } from './common.js';

const CLUSTER = 'job="kafka", namespace=~"$namespace"';
const BROKERS = `${CLUSTER}, pod=~"$pod"`;
// The same metric exists for all topics together, without the label.
const TOPICS = `${BROKERS}, topic=~"$topic", topic!=""`;

/** A count that must be 0. */
const zero = (title, metric, { fold = 'sum', ...spec }) => number(title, {
  unit: unit.count,
  size: [3, 4],
  steps: steps(['green'], [1, 'red']),
  queries: [query(`${fold}(${metric}{${CLUSTER}})`, title.toLowerCase())],
  ...spec,
});

const now = [
  alerts(),
  number('Brokers', {
    normal: 'As many as the cluster has. Fewer: one is down or fenced, and its partitions have one replica less.',
    unit: unit.count,
    size: [3, 4],
    steps: steps(['red'], [1, 'green']),
    queries: [query(`max(kafka_controller_kafkacontroller_activebrokercount{${CLUSTER}})`, 'brokers')],
  }),
  number('Active controllers', {
    normal: 'Exactly 1. 0: no topic can be created and no leader elected.',
    unit: unit.count,
    size: [3, 4],
    steps: steps(['red'], [1, 'green'], [2, 'red']),
    queries: [query(`sum(kafka_controller_kafkacontroller_activecontrollercount{${CLUSTER}})`, 'controllers')],
  }),
  zero('Offline partitions', 'kafka_controller_kafkacontroller_offlinepartitionscount', {
    normal: '0. These have no leader: nobody can read or write them.',
    fold: 'max',
  }),
  zero('Under-replicated', 'kafka_server_replicamanager_underreplicatedpartitions', {
    normal: '0, except for minutes while a broker restarts. Partitions with a replica that is not in sync.',
  }),
  zero('Under min ISR', 'kafka_server_replicamanager_underminisrpartitioncount', {
    normal: '0. Writes with acks=all to these partitions are refused.',
  }),
  zero('At min ISR', 'kafka_server_replicamanager_atminisrpartitioncount', {
    normal: '0, except while a broker restarts. One more broker down, and writes are refused.',
    steps: steps(['green'], [1, 'yellow']),
  }),
  zero('Fenced brokers', 'kafka_controller_kafkacontroller_fencedbrokercount', {
    normal: '0. A fenced broker is registered, but the controller does not hear from it.',
    fold: 'max',
  }),
  zero('Offline log directories', 'kafka_log_logmanager_offlinelogdirectorycount', {
    normal: '0. A disk failed: its replicas are gone until it is replaced.',
  }),
];

const traffic = [
  row('Traffic'),
  graph('Messages in by topic', {
    normal: 'What producers write. Compare with the records that the consumers log.',
    unit: unit.messagesPerSecond,
    size: [8, 8],
    queries: [query(`sum by (topic) (${rate('kafka_server_brokertopicmetrics_messagesin_total', TOPICS)})`, '{{topic}}')],
  }),
  graph('Bytes in by topic', {
    normal: 'Compressed, as the producers send them; without replication.',
    unit: unit.bytesPerSecond,
    size: [8, 8],
    queries: [query(`sum by (topic) (${rate('kafka_server_brokertopicmetrics_bytesin_total', TOPICS)})`, '{{topic}}')],
  }),
  graph('Bytes out by topic', {
    normal: 'Bytes in, times the number of groups that read the topic. Much more: somebody reads from the start.',
    unit: unit.bytesPerSecond,
    size: [8, 8],
    queries: [query(`sum by (topic) (${rate('kafka_server_brokertopicmetrics_bytesout_total', TOPICS)})`, '{{topic}}')],
  }),
];

const requestTime = (request) => query(
  `max by (pod) (kafka_network_requestmetrics_totaltimems{${BROKERS}, request="${request}", quantile="0.99"})`,
  '{{pod}}',
);

const requests = [
  row('Requests'),
  graph('Produce, p99', {
    normal: 'Tens of milliseconds. With acks=all it includes the slowest in-sync replica.',
    unit: unit.milliseconds,
    queries: [requestTime('Produce')],
  }),
  graph('Fetch by consumers, p99', {
    normal: 'Up to fetch.wait.max.ms (500 ms) where records are rare: the broker waits for them. More is a busy disk or network.',
    unit: unit.milliseconds,
    queries: [requestTime('FetchConsumer')],
  }),
  graph('Request handlers, idle', {
    normal: 'Above 0.3. Below 0.2 for 15 minutes KafkaRequestHandlersBusy fires: the broker needs more cores or less load.',
    unit: unit.ratio,
    size: [6, 8],
    max: 1,
    queries: [
      query(`min by (pod) (kafka_server_kafkarequesthandlerpool_requesthandler_avgidle_ratio{${BROKERS}})`, '{{pod}}'),
    ],
  }),
  graph('Network threads, idle', {
    normal: 'Above 0.3. Lower: many connections, or TLS on too few network threads.',
    unit: unit.ratio,
    size: [6, 8],
    max: 1,
    queries: [query(`min by (pod) (kafka_network_socketserver_networkprocessor_avgidle_ratio{${BROKERS}})`, '{{pod}}')],
  }),
  graph('Requests waiting for a handler', {
    normal: 'Near 0. A queue that stays means that the handlers are too slow.',
    unit: unit.count,
    size: [6, 8],
    queries: [query(`max by (pod) (kafka_network_requestchannel_requestqueuesize{${BROKERS}})`, '{{pod}}')],
  }),
  graph('Requests answered with an error', {
    normal: 'None to speak of. A leader that moved gives a few NOT_LEADER_OR_FOLLOWER; authorization errors are wrong rights.',
    unit: unit.requestsPerSecond,
    size: [6, 8],
    queries: [
      query(
        `sum by (request, error) (${rate('kafka_network_requestmetrics_errors_total', `${BROKERS}, error!="NONE"`)}) > 0`,
        '{{request}}: {{error}}',
        { empty: NONE_YET },
      ),
    ],
  }),
];

const replication = [
  row('Replication'),
  graph('Changes of in-sync replicas', {
    normal: 'None. Shrinks without a restart: a broker or the network is too slow. Each shrink should be followed by an expand.',
    unit: unit.count,
    size: [8, 8],
    bars: true,
    queries: [
      query(`sum by (pod) (${increase('kafka_server_replicamanager_isrshrinks_total', BROKERS)})`, 'shrinks {{pod}}'),
      query(`sum by (pod) (${increase('kafka_server_replicamanager_isrexpands_total', BROKERS)})`, 'expands {{pod}}'),
      query(`sum by (pod) (${increase('kafka_server_replicamanager_failedisrupdates_total', BROKERS)})`, 'failed {{pod}}'),
    ],
  }),
  graph('Leaders by broker', {
    normal: 'Even. After a restart the preferred leaders return within minutes.',
    unit: unit.count,
    size: [8, 8],
    queries: [query(`max by (pod) (kafka_server_replicamanager_leadercount{${BROKERS}})`, '{{pod}}')],
  }),
  graph('Elections and transactions that need a look', {
    normal: '0. An unclean election has lost records; a late transaction makes read_committed consumers stand still.',
    unit: unit.count,
    size: [8, 8],
    queries: [
      query(`sum(${increase('kafka_controller_controllerstats_uncleanleaderelections_total', CLUSTER)})`, 'unclean elections'),
      query(`sum(kafka_server_replicamanager_partitionswithlatetransactionscount{${BROKERS}})`, 'partitions with late transactions'),
    ],
  }),
];

const storage = [
  row('Storage'),
  graph('Log size by topic', {
    normal: 'Grows to what retention allows, then stays. Of all replicas together.',
    unit: unit.bytes,
    queries: [query(`sum by (topic) (kafka_log_log_size{${TOPICS}})`, '{{topic}}')],
  }),
  graph('Free space of the volumes', {
    normal: 'Above 30%. Below 15%, or if it will be full within a day, KafkaDiskFilling fires.',
    unit: unit.ratio,
    max: 1,
    queries: [
      query(
        'min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{namespace=~"$namespace", persistentvolumeclaim=~"data-.*"}'
        + ' / kubelet_volume_stats_capacity_bytes{namespace=~"$namespace", persistentvolumeclaim=~"data-.*"})',
        '{{persistentvolumeclaim}}',
        { empty: FOREIGN.volumes },
      ),
    ],
  }),
];

const java = [
  row('Java'),
  graph('Heap in use', {
    normal: 'A saw between a quarter and three quarters of the limit.',
    unit: unit.bytes,
    queries: [
      query(`max by (pod) (jvm_memory_used_bytes{${BROKERS}, area="heap"})`, '{{pod}}'),
      query(`max(jvm_memory_max_bytes{${BROKERS}, area="heap"})`, 'limit'),
    ],
  }),
  graph('Share of time in garbage collection', {
    normal: 'Below 1%. Above 5% clients notice: the heap is too small, or the load too high.',
    unit: unit.ratio,
    queries: [query(`sum by (pod) (${rate('jvm_gc_collection_seconds_sum', BROKERS)})`, '{{pod}}')],
  }),
];

/** The dashboard. */
export function cluster() {
  return page({
    uid: 'kafka-cluster',
    title: 'Kafka cluster',
    description: 'The brokers and controllers: availability, replication, traffic, requests, storage, Java.',
    refresh: '30s',
    range: 'now-1h',
    variables: [
      sourceVariable('datasource', 'Metrics', 'prometheus'),
      labelVariable('namespace', 'Namespace', 'label_values(up{job="kafka"}, namespace)', { all: '.*' }),
      labelVariable('pod', 'Broker', 'label_values(up{job="kafka", namespace=~"$namespace"}, pod)', { all: '.*' }),
      labelVariable(
        'topic',
        'Topic',
        'label_values(kafka_server_brokertopicmetrics_messagesin_total{namespace=~"$namespace", topic!=""}, topic)',
        { all: '.*' },
      ),
    ],
    parts: [...now, ...traffic, ...requests, ...replication, ...storage, ...java],
  });
}
