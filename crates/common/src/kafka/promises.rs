//! What of librdkafka's settings the programs' promises depend on: refused where a verdict would be a lie, named where it is a choice.

use serde::Serialize;

use super::alone;
use crate::config::{Problems, Properties};

/// A setting that takes something from what the program promises by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// The property.
    pub property: &'static str,
    /// Its value, as librdkafka understands it.
    pub value: String,
    /// What follows from it.
    pub consequence: &'static str,
}

/// The settings that weaken a promise when they have this value. Values are librdkafka's own words for them.
const WEAK: [(&str, &str, &str); 4] = [
    ("enable.idempotence", "false", "a message may be written twice, or out of order, when a request is sent again"),
    ("check.crcs", "false", "damaged records are taken for good ones"),
    ("enable.ssl.certificate.verification", "false", "any server is taken for the broker, and gets the password"),
    ("ssl.endpoint.identification.algorithm", "none", "any server with a certificate is taken for the broker"),
];

/// Which of the producer's promises were given up, for its report. Empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Guarantees {
    /// How many replicas acknowledge, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acks: Option<String>,
    /// `false`, if a message may be written twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotence: Option<bool>,
}

impl Guarantees {
    /// Finds them among the weaknesses.
    pub fn of(weaknesses: &[Weakness]) -> Self {
        let value = |property: &str| weaknesses.iter().find(|weak| weak.property == property).map(|weak| &weak.value);
        Self { acks: value("acks").cloned(), idempotence: value("enable.idempotence").map(|_| false) }
    }
}

/// Refuses what would make a verdict a lie, and returns what was weakened.
pub fn check(properties: &Properties, problems: &mut Problems) -> Vec<Weakness> {
    if meant(properties, "statistics.interval.ms").as_deref() == Some("0") {
        let origin = properties.origin("statistics.interval.ms");
        problems.add(format!(
            "{origin}: statistics.interval.ms=0: readiness and metrics rest on the statistics; take it out"
        ));
    }
    let mut weaknesses = Vec::new();
    match meant(properties, "acks") {
        None => {}
        Some(acks) if acks == "-1" || acks == "all" => {}
        Some(acks) if acks == "0" => problems.add(format!(
            "{}: acks=0: no broker would acknowledge anything, and each message would count as delivered; use acks=all, or \
             acks=1 with enable.idempotence=false",
            properties.origin("acks")
        )),
        Some(value) => weaknesses.push(Weakness {
            property: "acks",
            value,
            consequence: "a message counts as delivered before all in-sync replicas have it, and is lost when its leader is",
        }),
    }
    for (property, weak, consequence) in WEAK {
        if let Some(value) = meant(properties, property).filter(|value| value == weak) {
            weaknesses.push(Weakness { property, value, consequence });
        }
    }
    weaknesses
}

/// Says it at each start.
pub fn warn(weaknesses: &[Weakness]) {
    for Weakness { property, value, consequence } in weaknesses {
        tracing::warn!(event = "weakened", property, value, "{property}={value}: {consequence}");
    }
}

/// A value as librdkafka understands it: `0x0` is `0`, and `f` is `false`. `None` where nobody set it, and where it is refused.
fn meant(properties: &Properties, key: &str) -> Option<String> {
    let config = alone(key, properties.get(key)?).create_native_config().ok()?;
    config.get(key).ok().map(|value| value.trim_end_matches('\0').to_owned())
}
