// What the producers did: their last runs, which the Pushgateway keeps, and those that run now.
import { graph, query, row, rows, unit } from './build.js';
import { NONE_YET, quantile, rate } from './common.js';

const LAST = ['namespace', 'topic', 'shard'];
const DELIVERY = 'kafka_producer_delivery_seconds';

/** The row: `live` are the labels of producers that are scraped, `runs` those of runs on the Pushgateway. */
export function producers(live, runs) {
  const last = (metric) => query(`max by (${LAST.join(', ')}) (kafka_producer_last_${metric}{${runs}})`, '', { table: true });
  const ago = (metric) => query(`max by (${LAST.join(', ')}) (kafka_producer_last_${metric}{${runs}}) * 1000`, '', { table: true });
  return [
    row('Producers'),
    rows('Last run of each producer', {
      normal: 'Exit code 0, delivered equal to requested, nothing failed or unsent. A start without a later completion: it runs, or it was killed.',
      unit: unit.count,
      size: [24, 7],
      noValue: 'No producer has pushed a run to the Pushgateway',
      queries: [
        last('run_exit_code'), last('run_requested_messages'), last('run_delivered_messages'), last('run_failed_messages'),
        last('run_unsent_messages'), last('run_duration_seconds'), ago('start_timestamp_seconds'),
        ago('completion_timestamp_seconds'), ago('success_timestamp_seconds'),
      ],
      columns: {
        namespace: 'Namespace', topic: 'Topic', shard: 'Shard', 'Value #A': 'Exit code', 'Value #B': 'Requested',
        'Value #C': 'Delivered', 'Value #D': 'Failed', 'Value #E': 'Unsent', 'Value #F': 'Duration', 'Value #G': 'Started',
        'Value #H': 'Completed', 'Value #I': 'Last success',
      },
      fields: {
        'Exit code': {
          unit: unit.number,
          thresholds: { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: 1, color: 'red' }] },
          'custom.cellOptions': { type: 'color-text' },
        },
        Duration: { unit: unit.seconds },
        Started: { unit: unit.since },
        Completed: { unit: unit.since },
        'Last success': { unit: unit.since },
      },
    }),
    graph('Messages per second', {
      normal: 'The rate of --rate, else as fast as the brokers acknowledge. Producers show only while they run and are scraped.',
      unit: unit.messagesPerSecond,
      size: [8, 8],
      queries: [
        query(`sum by (pod) (${rate('kafka_producer_delivered_messages_total', live)})`, 'delivered {{pod}}'),
        query(`sum by (error) (${rate('kafka_producer_failed_messages_total', live)})`, 'failed: {{error}}', { empty: NONE_YET }),
        query(`sum(${rate('kafka_producer_unsent_messages_total', live)})`, 'unsent'),
      ],
    }),
    graph('Messages in flight', {
      normal: 'Steady. At the limit of the queue the producer waits; that is normal for a run without --rate.',
      unit: unit.count,
      size: [8, 8],
      queries: [query(`sum by (pod) (kafka_producer_in_flight_messages{${live}})`, '{{pod}}')],
    }),
    graph('Delivery time', {
      normal: 'Milliseconds with --rate. Without it messages wait in the queue, so seconds are normal.',
      unit: unit.seconds,
      size: [8, 8],
      queries: [
        query(quantile(0.5, DELIVERY, live), 'p50'),
        query(quantile(0.99, DELIVERY, live), 'p99', { exemplars: true }),
      ],
    }),
  ];
}
