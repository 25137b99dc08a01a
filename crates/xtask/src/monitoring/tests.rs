//! Each check finds what it is for.

use std::collections::BTreeSet;

use serde_json::json;

use super::rules::Rules;
use super::{metrics, routes, rules, runbooks, schema};
use crate::manifests::set::list_at;
use crate::programs;

fn read() -> Rules {
    Rules::read(&programs::root()).unwrap()
}

#[test]
fn metrics_are_found_in_expressions_and_nothing_else_is() {
    let found = |expression: &str| metrics::metrics(expression).into_iter().collect::<Vec<_>>();
    assert_eq!(
        found("sum by (namespace, le) (rate(a_total{x=\"b_c\", y=~'d|e'}[5m])) / on (pod) group_left (z) c:d > 1e3"),
        ["a_total", "c:d"]
    );
    assert_eq!(found("time() - (max by (pod) (last) > 0) > 60 and x offset 10m unless y # z"), ["last", "x", "y"]);
    assert_eq!(found("{__name__=~\"otelcol_(a|b)_total\"}"), ["otelcol_~"]);
    assert_eq!(found("{__name__=~\"a_info|b_.+\", ns=\"q\"} + {__name__=\"c\"}"), ["a_info", "b_~", "c"]);
    assert!(found("vector(1) == bool 5").is_empty());
}

#[test]
fn a_rule_without_what_it_must_say_is_found() {
    let find = |pointer: &str, value: serde_json::Value, expected: &str| {
        let mut rules = read();
        *rules.all[0].value.pointer_mut(pointer).unwrap() = value;
        let problems = rules.check();
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    };
    assert!(read().check().is_empty(), "{:?}", read().check());
    find("/labels/severity", json!("page"), "severity is");
    find("/labels/severity", json!("none"), "severity is");
    find("/annotations/summary", json!(""), "no summary");
    find("/annotations/description", json!("too much"), "no number");
    find("/expr", json!("absent(up)"), "absent()");
}

#[test]
fn a_test_that_is_missing_is_found() {
    let mut rules = read();
    assert!(rules.check_tests(&programs::root()).unwrap().is_empty());
    rules.all[0].value["alert"] = json!("KafkaSomethingElse");
    let problems = rules.check_tests(&programs::root()).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn runbooks_are_compared_both_ways() {
    let rules = read();
    let book = |name: &str| format!("\n### {name}\n\n**Meaning.** x **Look.** y **Do.** z\n");
    let page: String = rules.alerts().iter().map(|name| book(name)).collect();
    let page = format!("# P\n\n## Alerts\n{page}\n## Next\n\n### No alert\n");
    assert_eq!(runbooks::compare(&page, &rules), Vec::<String>::new());
    let problems = runbooks::compare(&page.replace("### KafkaBrokerDown", "### KafkaBrokersDown"), &rules);
    assert!(problems.iter().any(|problem| problem.contains("KafkaBrokerDown has no runbook")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("KafkaBrokersDown is no alert")), "{problems:?}");
    assert!(!runbooks::compare(&page.replace("**Do.** z", ""), &rules).is_empty());
}

#[test]
fn a_runbook_is_linked_once_there_is_a_place_for_them() {
    let text = "# x\ngroups:\n  - name: a\n    rules:\n      - alert: KafkaA\n        expr: up\n        annotations:\n          \
                summary: s\n\n      - record: b\n        expr: up\n";
    let object = rules::object("clients", text, "ns", ("p", "1"), "https://example.com/docs/").unwrap();
    assert!(object.contains("\n            runbook_url: https://example.com/docs/operations.md#kafkaa\n"), "{object}");
    let read: serde_json::Value = serde_saphyr::from_str(&object).unwrap();
    assert_eq!(read["spec"]["groups"][0]["rules"][1]["record"], "b");
    assert_eq!(read["spec"]["groups"][0]["rules"][0]["annotations"]["summary"], "s");
    assert!(!rules::object("clients", text, "ns", ("p", "1"), "").unwrap().contains("runbook_url"));
}

#[test]
fn both_kinds_of_routes_say_the_same() {
    let root = programs::root();
    let plain: serde_json::Value = serde_saphyr::from_str(&routes::plain(&root).unwrap()).unwrap();
    let object: serde_json::Value = serde_saphyr::from_str(&routes::object(&root).unwrap()).unwrap();
    assert_eq!(plain["receivers"][2]["slack_configs"][0]["api_url_file"], routes::SLACK_FILE);
    assert_eq!(object["spec"]["receivers"][2]["slackConfigs"][0]["apiURL"], json!({"name": "slack", "key": "url"}));
    let waits: BTreeSet<_> =
        list_at(&plain, "/route/routes").map(|route| route["repeat_interval"].clone().to_string()).collect();
    let same: BTreeSet<_> =
        list_at(&object, "/spec/route/routes").map(|route| route["repeatInterval"].clone().to_string()).collect();
    assert_eq!(waits, same);
    assert_eq!(
        object["spec"]["route"]["routes"][1]["matchers"][1],
        json!({"name": "severity", "matchType": "=", "value": "critical"})
    );
    // The root and each child.
    assert_eq!(schema::with_children(&object).objects.len(), 1 + list_at(&object, "/spec/route/routes").count());
}
