// What several dashboards share: reasons for empty answers, forms of queries, and the table of firing alerts.
import { query, rows } from './build.js';

/** Metrics of other programs, which not every set-up has; infra/monitoring/README.md says which part gives them. */
export const FOREIGN = {
  groupLag: 'from kafka_exporter, or from the Collector of infra/monitoring/kafka-lag',
  kubeState: 'from kube-state-metrics',
  cadvisor: 'from cAdvisor in the kubelet',
  volumes: 'from the kubelet, for volumes that report their size',
};

/** The series appears with the first event of its kind. */
export const NONE_YET = 'nothing of this kind has happened yet';

/** The rate of a counter, what it rose by, and a quantile of a histogram, for series with these labels. */
export const rate = (metric, labels) => `rate(${metric}{${labels}}[$__rate_interval])`;
export const increase = (metric, labels) => `increase(${metric}{${labels}}[$__rate_interval])`;
export const quantile = (q, histogram, labels) => `histogram_quantile(${q}, sum by (le) (${rate(`${histogram}_bucket`, labels)}))`;

/** The alerts that fire now. All of them: an alert about a broker often explains one about a client. */
export function alerts() {
  const ours = 'alertname=~"Kafka.*"';
  const by = 'alertname, severity, namespace';
  const since = `min by (${by}) (ALERTS_FOR_STATE{${ours}}) * 1000`;
  return rows('Firing alerts', {
    normal:
      'Empty. The runbook for each name is in docs/operations.md. A click on a namespace opens its log lines. '
      + 'The list holds all of Kafka: a broker\'s alert often explains a client\'s.',
    unit: 'dateTimeFromNow',
    size: [24, 5],
    noValue: 'No alert is firing',
    queries: [
      query(`${since} and on (${by}) ALERTS{alertstate="firing", ${ours}}`, '', {
        table: true,
        empty: 'no alert is firing',
      }),
    ],
    columns: { alertname: 'Alert', severity: 'Severity', namespace: 'Namespace', Value: 'Since' },
    fields: {
      Namespace: {
        links: [{
          title: 'Log lines of this namespace',
          url: '/d/kafka-logs?var-namespace=${__value.raw}&${__url_time_range}',
        }],
      },
    },
  });
}
