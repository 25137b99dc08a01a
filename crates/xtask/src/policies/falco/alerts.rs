//! What Falco tells, a JSON object a line, among lines that are none.

use serde_json::Value;

use super::rules::Rules;
use crate::manifests::set::{Problems, text};

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The rule.
    pub rule: String,
    /// The container's name.
    pub container: String,
    /// The whole line.
    pub line: String,
}

/// All alerts in what Falco has written.
pub fn read(written: &str) -> Vec<Alert> {
    let alert = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        let rule = value.get("rule")?.as_str()?.to_owned();
        // The name of the field has dots, and is one key.
        let container = value["output_fields"]["container.name"].as_str().unwrap_or_default().to_owned();
        Some(Alert { rule, container, line: line.to_owned() })
    };
    written.lines().filter_map(alert).collect()
}

/// Whether an alert of this rule came from this container.
pub fn has(alerts: &[Alert], rule: &str, container: &str) -> bool {
    alerts.iter().any(|alert| alert.rule == rule && alert.container == container)
}

/// What must not be: a rule that did not alert for the container where it was provoked, and an alert for any other.
pub fn judge(alerts: &[Alert], rules: &Rules, provoked: &str) -> Problems {
    let missing = rules.rules.iter().filter(|rule| !has(alerts, &rule.name, provoked));
    let missing = missing.map(|rule| format!("rule {:?} did not alert; its command is {}", rule.name, rule.command));
    let others = alerts.iter().filter(|alert| alert.container != provoked);
    missing.chain(others.map(|alert| format!("an alert without a cause: {}", alert.line))).collect()
}

/// What is wrong in the answer of `falco -V`, as JSON.
pub fn validation(written: &str) -> Problems {
    let answers = written.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(answer) = answers.into_iter().find(|answer| answer.get("falco_load_results").is_some()) else {
        return vec![format!("falco -V has not answered: {written}")];
    };
    let results = answer["falco_load_results"].as_array().cloned().unwrap_or_default();
    let faulty = |result: &&Value| {
        let some = |kind: &str| result[kind].as_array().is_none_or(|all| !all.is_empty());
        result["successful"] != true || some("errors") || some("warnings")
    };
    let mut problems: Problems =
        results.iter().filter(faulty).map(|result| format!("{}: {result}", text(result, "/name"))).collect();
    if results.is_empty() {
        problems.push("falco -V has looked at no file".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    fn line(rule: &str, container: &str) -> String {
        format!(r#"{{"priority":"Critical","rule":"{rule}","output_fields":{{"container.name":"{container}"}}}}"#)
    }

    #[test]
    fn each_rule_has_to_alert_where_it_was_provoked_and_nowhere_else() {
        let rules = Rules::load(&programs::root()).unwrap();
        let all: Vec<String> = rules.rules.iter().map(|rule| line(&rule.name, "provoked")).collect();
        let written = format!("Fri Nov 27 Falco version: 0.44.1\n{}\n", all.join("\n"));
        assert_eq!(judge(&read(&written), &rules, "provoked"), Problems::new());
        let fewer = all[1..].join("\n");
        let found = judge(&read(&fewer), &rules, "provoked");
        assert!(found.len() == 1 && found[0].contains("did not alert"), "{found:?}");
        let more = format!("{written}{}\n", line(&rules.rules[0].name, "kafka-consumer-1"));
        let found = judge(&read(&more), &rules, "provoked");
        assert!(found.len() == 1 && found[0].contains("without a cause"), "{found:?}");
        assert_eq!(judge(&[], &rules, "provoked").len(), rules.rules.len());
    }

    #[test]
    fn a_validation_without_an_answer_or_with_a_warning_fails() {
        let answer = |successful: bool, warnings: &str| {
            format!(
                r#"{{"falco_load_results":[{{"name":"x","successful":{successful},"errors":[],"warnings":[{warnings}]}}]}}"#
            )
        };
        assert_eq!(validation(&format!("Fri Nov 27\n{}\n", answer(true, ""))), Problems::new());
        assert_eq!(validation(&answer(false, "")).len(), 1);
        assert_eq!(validation(&answer(true, r#"{"code":"LOAD_UNKNOWN_FILTER"}"#)).len(), 1);
        assert_eq!(validation(r#"{"falco_load_results":[]}"#).len(), 1);
        assert_eq!(validation("").len(), 1);
    }
}
