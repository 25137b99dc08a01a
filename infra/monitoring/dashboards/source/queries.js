// The queries of a dashboard as a server gets them: Grafana's variables are filled in.
import { mayBeEmpty, panelsOf } from './build.js';

/** What Grafana itself fills in. The windows are those of a short run. */
const BUILT_IN = { $__rate_interval: '1m', $__interval: '15s', $__range: '1h', $__auto: '1m' };

function fill(text, variables) {
  let filled = text;
  for (const [name, value] of Object.entries(BUILT_IN)) {
    filled = filled.replaceAll(name, value);
  }
  for (const { name, type, query, allValue = '.*' } of variables) {
    // What a field to type into starts with, or "All".
    const value = type === 'textbox' ? query : allValue;
    filled = filled.replaceAll(`\${${name}}`, value).replaceAll(`$${name}`, value);
  }
  if (/\$\w|\$\{/.test(filled)) {
    throw new Error(`a variable is not defined: ${filled}`);
  }
  return filled;
}

/** A variable's query: `label_values(series, label)` asks for the series. */
function ofVariable({ query }) {
  const series = /^label_values\((.*), *\w+\)$/s.exec(query?.query ?? '');
  return series?.[1];
}

/** All of them, in order: where each is, its language, and why it may be empty. */
export function queries(dashboard) {
  const { uid, templating: { list: variables } } = dashboard;
  const of = (where, language, text) => {
    const reason = mayBeEmpty.get(text);
    const query = { dashboard: uid, ...where, language, expr: fill(text, variables) };
    return reason ? { ...query, may_be_empty: reason } : query;
  };
  const asked = variables.filter(ofVariable).map((it) => of({ variable: it.name }, 'promql', ofVariable(it)));
  const shown = panelsOf(dashboard).flatMap(({ title, targets = [] }) => targets.map((target) => {
    const language = target.datasource.type === 'loki' ? 'logql' : 'promql';
    return of({ panel: title, ref: target.refId }, language, target.expr);
  }));
  return [...asked, ...shown];
}
