//! The gate on results that are as reviewed, that are not, that are empty, and of tools that found nothing to look at. Those of
//! docker-bench are real ones, of commit ff26d67 through podman's API; those of kube-bench, which runs on a node, are made here.

use serde_json::{Value, json};

use super::baseline::Baseline;
use super::gate;
use super::results::{Results, Tool};
use crate::manifests::set::Problems;
use crate::programs;

const CONFINED: &str = include_str!("testdata/docker-bench-confined.json");
const UNCONFINED: &str = include_str!("testdata/docker-bench-unconfined.json");
const NOTHING_RUNNING: &str = include_str!("testdata/docker-bench-nothing-running.json");

fn baseline(tool: Tool) -> Baseline {
    let all = Baseline::all(&programs::root()).unwrap();
    all.into_iter().find(|baseline| baseline.tool == tool).unwrap()
}

fn problems(written: &str) -> Problems {
    let results = Results::read(written).unwrap();
    gate::check(&results, &baseline(results.tool))
}

/// What kube-bench writes when each check has this result, by number.
fn kube_bench(result: impl Fn(&str, &str) -> String) -> Value {
    let baseline = baseline(Tool::KubeBench);
    let (mut results, mut totals) =
        (Vec::new(), json!({"total_pass": 0, "total_fail": 0, "total_warn": 0, "total_info": 0}));
    for (number, allowed) in baseline.results() {
        let status = result(number, allowed[0]);
        let total = format!("total_{}", status.to_lowercase());
        totals[&total] = json!(totals[&total].as_u64().unwrap() + 1);
        results.push(
            json!({"test_number": number, "test_desc": "...", "status": status, "actual_value": "", "scored": true}),
        );
    }
    let controls = json!({"id": "1", "version": "cis-1.12", "node_type": "master", "tests": [{"section": "1.1", "results": results}]});
    json!({"Controls": [controls], "Totals": totals})
}

#[test]
fn results_as_reviewed_pass() {
    assert_eq!(problems(CONFINED), Problems::new());
    assert_eq!(problems(&kube_bench(|_, reviewed| reviewed.to_owned()).to_string()), Problems::new());
}

#[test]
fn a_container_without_confinement_is_told_check_by_check() {
    let found = problems(UNCONFINED);
    for check in ["5.3: WARN", "5.11: WARN", "5.12: WARN", "5.13: WARN", "5.26: WARN"] {
        assert!(found.iter().any(|problem| problem.starts_with(check)), "{check}: {found:?}");
    }
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found.iter().all(|problem| problem.contains("kafka-consumer")), "{found:?}");
}

#[test]
fn a_tool_that_found_nothing_to_look_at_fails() {
    let found = problems(NOTHING_RUNNING);
    assert!(found[0].starts_with("4.1: INFO (No containers running)"), "{found:?}");
    // Section 5 but for 5.1: no container, no check.
    assert_eq!(found.iter().filter(|problem| problem.ends_with(": did not run")).count(), 31, "{found:?}");
    let mut nothing = kube_bench(|_, reviewed| reviewed.to_owned());
    nothing["Controls"][0]["tests"] = json!([]);
    nothing["Totals"] = json!({"total_pass": 0, "total_fail": 0, "total_warn": 0, "total_info": 0});
    let found = problems(&nothing.to_string());
    assert!(found.len() > 60 && found.iter().all(|problem| problem.ends_with(": did not run")), "{found:?}");
}

#[test]
fn empty_results_fail() {
    let empty = r#"{"dockerbenchsecurity":"1.6.0","start":0,"tests":[],"checks":0,"score":0,"end":0}"#;
    assert_eq!(problems(empty).len(), baseline(Tool::DockerBench).results().len());
    let empty = r#"{"Controls":[],"Totals":{"total_pass":0,"total_fail":0,"total_warn":0,"total_info":0}}"#;
    let found = problems(empty);
    assert!(found[0].starts_with("results of version \"\""), "{found:?}");
    assert_eq!(found.len(), baseline(Tool::KubeBench).results().len() + 1);
    assert!(Results::read("").is_err());
}

#[test]
fn each_difference_is_told() {
    let told = |results: &Value, start: &str| {
        let found = problems(&results.to_string());
        assert!(found.len() == 1 && found[0].starts_with(start), "{start}: {found:?}");
    };
    let one = |number: &'static str, status: &'static str| {
        kube_bench(move |check, reviewed| if check == number { status } else { reviewed }.to_owned())
    };
    told(&one("1.2.6", "FAIL"), "1.2.6: FAIL; reviewed was PASS");
    told(&one("1.2.6", "WARN"), "1.2.6: WARN; reviewed was PASS");
    // One that got better: the baseline has to be shortened, or it may get worse again unseen.
    told(&one("1.2.16", "PASS"), "1.2.16: PASS; reviewed was FAIL");
    let reviewed = || kube_bench(|_, reviewed| reviewed.to_owned());
    let mut other = reviewed();
    other["Controls"][0]["version"] = json!("cis-1.11");
    told(&other, "results of version \"cis-1.11\"");
    let mut more = reviewed();
    more["Totals"]["total_pass"] = json!(1_000);
    told(&more, "97 checks are listed, the tool has counted 1");
    let mut new = reviewed();
    new["Controls"][0]["tests"][0]["results"][0]["test_number"] = json!("1.1.99");
    let found = problems(&new.to_string());
    assert!(
        found.len() == 2 && found[0].contains("nobody has reviewed it") && found[1].contains("did not run"),
        "{found:?}"
    );
}
