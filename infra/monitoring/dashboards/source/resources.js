// What the pods of the clients use, against what they may use.
import { graph, query, row, unit } from './build.js';
import { FOREIGN } from './common.js';

const PROGRAMS = 'kafka-consumer|kafka-producer';

/** The row, for the pods with these labels. */
export function resources(labels) {
  const process = `job=~"${PROGRAMS}", ${labels}`;
  const container = `container=~"${PROGRAMS}", ${labels}`;
  const periods = (which) => `sum by (pod) (rate(container_cpu_cfs_${which}periods_total{${container}}[$__rate_interval]))`;
  return [
    row('Resources'),
    graph('CPU', {
      normal: 'Below 0.2 cores, the limit in infra/k8s, which is enough for some 200,000 records per second.',
      unit: unit.number,
      size: [6, 8],
      queries: [query(`sum by (pod) (rate(process_cpu_seconds_total{${process}}[$__rate_interval]))`, '{{pod}}')],
    }),
    graph('CPU periods that were throttled', {
      normal: 'Near 0. Above a quarter the limit is too low for the load, and latency shows it.',
      unit: unit.ratio,
      size: [6, 8],
      max: 1,
      queries: [query(`${periods('throttled_')} / ${periods('')}`, '{{pod}}', { empty: FOREIGN.cadvisor })],
    }),
    graph('Memory against the limit', {
      normal: 'Steady, and well below the limit: 256 MiB in infra/k8s. At the limit the kernel kills the pod (exit code 137).',
      unit: unit.bytes,
      size: [6, 8],
      queries: [
        query(`max by (pod) (process_resident_memory_bytes{${process}})`, '{{pod}}'),
        query(`max by (container) (kube_pod_container_resource_limits{resource="memory", ${container}})`, 'limit of {{container}}', {
          empty: FOREIGN.kubeState,
        }),
      ],
    }),
    graph('Restarts', {
      normal: 'None. More than 2 process starts in 15 minutes fire KafkaClientRestarting.',
      unit: unit.count,
      size: [6, 8],
      bars: true,
      queries: [
        query(`sum by (pod) (changes(process_start_time_seconds{${process}}[$__rate_interval]))`, '{{pod}}'),
        query(`sum by (pod) (increase(kube_pod_container_status_restarts_total{${container}}[$__rate_interval]))`, '{{pod}}, by the kubelet', {
          empty: FOREIGN.kubeState,
        }),
      ],
    }),
  ];
}
