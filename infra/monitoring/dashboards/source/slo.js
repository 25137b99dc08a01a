// The objective: 99% of the records logged within 2.5 s of sending, over 30 days.
import { graph, number, query, row, steps, unit } from './build.js';

const OBJECTIVE = 0.99;
const ALLOWED = (1 - OBJECTIVE).toFixed(2);

/** The row, for the consumers with these labels. */
export function objective(labels) {
  const over = (series, window) => `sum(rate(kafka_consumer_end_to_end_latency_seconds_${series}[${window}]))`;
  const good = (window) => `${over(`bucket{le="2.5", ${labels}}`, window)} / ${over(`count{${labels}}`, window)}`;
  const burn = (window) => `(1 - ${good(window)}) / ${ALLOWED}`;
  return [
    row('Objective: 99% of the records within 2.5 s, over 30 days'),
    number('Records within 2.5 s', {
      normal: '99% or more. Prometheus has to keep 30 days for it; with less it tells of what is kept.',
      unit: unit.ratio,
      size: [6, 8],
      decimals: 3,
      line: false,
      steps: steps(['red'], [OBJECTIVE, 'green']),
      queries: [query(good('30d'), 'within 2.5 s', { instant: true })],
    }),
    number('Error budget left', {
      normal: 'Above 0. 100%: no record was late; 0: one in a hundred was, and the objective is missed from here on.',
      unit: unit.ratio,
      size: [6, 8],
      decimals: 1,
      line: false,
      steps: steps(['red'], [0, 'yellow'], [0.25, 'green']),
      queries: [query(`1 - ${burn('30d')}`, 'left', { instant: true })],
    }),
    graph('Burn rate', {
      normal: 'Below 1: at this speed the budget lasts 30 days. KafkaEndToEndLatencyBudgetBurn fires at 14.4 over an hour, '
        + '6 over six hours and 1 over three days, if a shorter window agrees.',
      unit: unit.number,
      limit: 1,
      queries: ['5m', '1h', '6h', '3d'].map((window) => query(burn(window), window)),
    }),
  ];
}
