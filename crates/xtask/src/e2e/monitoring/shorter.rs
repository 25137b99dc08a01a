//! The committed rules and routes with all durations divided by one factor, in this suite only: minutes become seconds.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::monitoring::{routes, rules};

/// By so much: ten minutes are half a minute.
pub const FACTOR: u64 = 20;
/// The fields of routes that are durations.
const OF_ROUTES: [&str; 3] = ["group_wait", "group_interval", "repeat_interval"];

/// A file of rules, as JSON, which is YAML too.
pub fn rules(root: &Path, source: &str) -> Result<String> {
    let mut file = rules::parse(&root.join(rules::FOLDER).join(format!("{source}.yaml")))?;
    shorten(&mut file, &|field, text| match field {
        "for" => duration(text),
        "expr" => expression(text),
        _ => Ok(text.to_owned()),
    })?;
    Ok(serde_json::to_string_pretty(&file)?)
}

/// The plain routes, with Slack's address in this file.
pub fn routes(root: &Path, slack: &Path) -> Result<String> {
    let text = routes::plain(root)?.replace(routes::SLACK_FILE, &slack.display().to_string());
    let mut file: Value = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
    shorten(&mut file, &|field, text| if OF_ROUTES.contains(&field) { duration(text) } else { Ok(text.to_owned()) })?;
    Ok(serde_json::to_string_pretty(&file)?)
}

fn shorten(value: &mut Value, change: &impl Fn(&str, &str) -> Result<String>) -> Result<()> {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Value::String(text) = value {
                    *text = change(name, text)?;
                } else {
                    shorten(value, change)?;
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| shorten(item, change)),
        _ => Ok(()),
    }
}

/// The windows of an expression, and its offsets. Numbers stay: they are what is measured.
fn expression(text: &str) -> Result<String> {
    let mut parts = text.split('[');
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (window, rest) = part.split_once(']').with_context(|| format!("a window without an end: {text}"))?;
        short += &format!("[{}]{rest}", duration(window)?);
    }
    let mut parts = short.split("offset ");
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(part.len());
        done += &format!("offset {}{}", duration(&part[..end])?, &part[end..]);
    }
    Ok(done)
}

/// `10m` is `30000ms`.
fn duration(text: &str) -> Result<String> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().with_context(|| format!("{text:?} is no duration"))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => anyhow::bail!("{text:?} is no duration that is used here"),
    };
    Ok(if number == 0 { "0s".to_owned() } else { format!("{}ms", number * seconds * 1_000 / FACTOR) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_offsets_are_shortened_and_numbers_are_not() {
        let short = expression("increase(a[5m]) > 300 and b offset 10m) or rate(c[1h])").unwrap();
        assert_eq!(short, "increase(a[15000ms]) > 300 and b offset 30000ms) or rate(c[180000ms])");
        assert_eq!(duration("0s").unwrap(), "0s");
        assert!(duration("soon").is_err());
    }
}
