//! What the brokers say: who we are, where they are, the topics, the rights, the group.

use std::collections::HashMap;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use super::client::Client;
use super::finding::{Findings, Layer};
use super::rights::{Feature, Need, Resource, needs};
use super::{Wanted, network, protocol, transport};
use crate::config::Properties;
use crate::exit::Exit;
use crate::kafka::error::{class, hint};
use crate::kafka::native::{Answer, GroupAnswer, Isolation, Operation, Operations, TopicAnswer, TopicPartition};

/// ListOffsets' word for the end of a partition.
const END: i64 = -1;
/// Partitions that a sentence names.
const NAMED: usize = 5;

/// Logs in; what the brokers say of the first topic. Without an answer the layers below are not reached.
pub fn log_in(client: &Client, wanted: &Wanted, properties: &Properties, findings: &mut Findings) -> Option<Metadata> {
    let first = wanted.topics.first().map_or("test", String::as_str);
    let Some(metadata) = client.metadata(first) else {
        let verdict = client.state.refused().unwrap_or_else(|| client.state.unreachable(&wanted.servers));
        findings.fail(Layer::Login, "", verdict.exit, verdict.reason(), "");
        return None;
    };
    findings.pass(Layer::Login, "", login(properties));
    let brokers: Vec<String> = metadata.brokers().iter().map(|broker| broker.id().to_string()).collect();
    findings.pass(Layer::Brokers, "", format!("{} in the cluster: {}", brokers.len(), brokers.join(", ")));
    Some(metadata)
}

/// How the login is made, and by whom.
fn login(properties: &Properties) -> String {
    let protocol = properties.get("security.protocol").unwrap_or("plaintext").to_ascii_uppercase();
    let mechanism = properties.get("sasl.mechanism").unwrap_or_default();
    match (protocol.starts_with("SASL"), properties.get("sasl.username")) {
        (true, Some(user)) => format!("as {user} by {mechanism}, {protocol}"),
        (true, None) => format!("by {mechanism}, {protocol}"),
        (false, _) if properties.get("ssl.certificate.location").is_some() => format!("by a certificate, {protocol}"),
        (false, _) => format!("no login asked for, {protocol}"),
    }
}

/// Reaches each broker where it tells its clients to, and has it answer.
pub fn listeners(metadata: &Metadata, wanted: &Wanted, properties: &Properties, findings: &mut Findings) {
    for broker in metadata.brokers() {
        let place = format!("{}:{}", broker.host(), broker.port());
        let what = format!("broker {} at {place}", broker.id());
        let stream = network::connect(&place, Layer::Listeners, Layer::Listeners, &what, findings, wanted.timeout);
        let Some(stream) = stream else { continue };
        let stream = match transport::is_wanted(properties) {
            false => Some(transport::Stream::Plain(stream)),
            true => transport::shake_hands(Layer::Listeners, &place, stream, properties, findings),
        };
        // A process that stands still takes connections all the same.
        if let Some(Err(error)) = stream.map(|mut stream| protocol::ask(&mut stream)) {
            let to_do = "is the broker alive, and does the address lead to it?";
            findings.fail(Layer::Listeners, what, Exit::Unreachable, protocol::said(&error), to_do);
        }
    }
}

/// Topics and the rights on them.
pub fn topics(client: &Client, metadata: &Metadata, wanted: &Wanted, properties: &Properties, findings: &mut Findings) {
    let any = metadata.brokers().first().map(rdkafka::metadata::MetadataBroker::id);
    for topic in &wanted.topics {
        let answer = client.ask(|questions| {
            // The name was checked, so it can be asked for.
            let _ = questions.topics(0, any, std::slice::from_ref(topic));
        });
        let answered = match answer {
            Some(Answer::Topics(topics)) => topics.into_iter().find(|answer| answer.name == *topic),
            _ => None,
        };
        match answered {
            None => findings.fail(Layer::Topic, topic, Exit::Unreachable, "no broker has described it in time", ""),
            Some(TopicAnswer { found: Err(code), .. }) => missing(client, topic, code, wanted, findings),
            Some(TopicAnswer { found: Ok((_, partitions)), allowed, .. }) => {
                let leaderless: Vec<i32> =
                    partitions.iter().filter(|one| one.leader.is_none()).map(|one| one.partition).collect();
                if leaderless.is_empty() {
                    replicas(client, topic, partitions.len(), wanted, properties, findings);
                } else {
                    findings.fail(
                        Layer::Topic,
                        topic,
                        Exit::Incomplete,
                        format!("partitions without a leader: {}", some(&leaderless)),
                        "start the brokers that have their replicas",
                    );
                }
                for need in needs(&wanted.features).iter().filter(|need| need.on == Resource::Topic) {
                    // It is there.
                    if need.operation != Operation::Create {
                        right(need, topic, allowed, findings);
                    }
                }
            }
        }
    }
}

/// Without Describe a topic looks like one that is not there.
fn missing(client: &Client, topic: &str, code: RDKafkaErrorCode, wanted: &Wanted, findings: &mut Findings) {
    let is_hidden = matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::TopicAuthorizationFailed
    );
    if !is_hidden {
        return findings.fail(Layer::Topic, topic, class(code).exit(), code.to_string(), hint(code));
    }
    if !wanted.features.contains(&Feature::CreateTopic) {
        let to_do = "create it, or ask for Read, Write or Describe on it";
        return findings.fail(Layer::Topic, topic, Exit::Refused, "missing Describe, or no such topic", to_do);
    }
    findings.not_verified(Layer::Topic, topic, "no such topic yet, or missing Describe: --create-topic makes it");
    let cluster = client.ask(|questions| questions.cluster(0));
    let may_create = matches!(&cluster, Some(Answer::Cluster(cluster)) if cluster.allowed.is_some_and(|allowed| allowed.has(Operation::Create)));
    if may_create {
        findings.pass(Layer::Rights, format!("Create on topic {topic}"), "allowed on the whole cluster");
    } else {
        let why = "not allowed on the whole cluster; a right on this name cannot be asked for before it is there";
        findings.not_verified(Layer::Rights, format!("Create on topic {topic}"), why);
    }
    findings.not_verified(Layer::Rights, format!("Write on topic {topic}"), "cannot be asked for before it is there");
}

/// Replicas that are in sync, and what the topic takes.
fn replicas(
    client: &Client,
    topic: &str,
    partitions: usize,
    wanted: &Wanted,
    properties: &Properties,
    findings: &mut Findings,
) {
    let metadata = client.metadata(topic);
    let found = metadata.as_ref().and_then(|metadata| metadata.topics().iter().find(|found| found.name() == topic));
    let all = found.map_or(&[][..], |found| found.partitions());
    let replicas = all.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
    let in_sync = all.iter().map(|partition| partition.isr().len()).min().unwrap_or(0);
    let limits = client.limits(properties, topic);
    let least = limits.in_sync.map_or("not told".to_owned(), |least| least.to_string());
    let bytes = limits.message_bytes.map_or("not told".to_owned(), |bytes| format!("{bytes} bytes"));
    let seen = format!(
        "{partitions} partitions, {replicas} replicas, at least {in_sync} in sync (min.insync.replicas: {least}), \
         messages up to: {bytes}"
    );
    let writes = !wanted.features.iter().all(|feature| matches!(feature, Feature::Read | Feature::ReadInGroup));
    if let Some(least) = limits.in_sync.filter(|least| writes && in_sync < *least) {
        let short: Vec<i32> =
            all.iter().filter(|partition| partition.isr().len() < least).map(|partition| partition.id()).collect();
        let to_do =
            format!("too few in sync to write to partitions {}: start the brokers that have the others", some(&short));
        return findings.fail(Layer::Topic, topic, Exit::Incomplete, seen, to_do);
    }
    if let (Some(largest), Some(most)) = (wanted.largest, limits.message_bytes)
        && largest > most
    {
        let to_do = format!("a message of {largest} bytes does not fit: raise max.message.bytes of the topic");
        return findings.fail(Layer::Topic, topic, Exit::Refused, seen, to_do);
    }
    findings.pass(Layer::Topic, topic, seen);
}

/// A right that the login has or has not.
fn right(need: &Need, name: &str, allowed: Option<Operations>, findings: &mut Findings) {
    let what = format!("{} on {} {name}", need.operation.name(), need.on.label());
    match allowed {
        None => findings.not_verified(Layer::Rights, what, "the brokers do not tell"),
        Some(allowed) if allowed.has(need.operation) => findings.pass(Layer::Rights, what, "allowed"),
        Some(allowed) => {
            let others = allowed.names();
            let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
            let to_do = format!("ask for it: it is needed {}", need.why);
            findings.fail(Layer::Rights, what, Exit::Refused, format!("not allowed; allowed is: {others}"), to_do);
        }
    }
}

/// Rights that no description tells.
pub fn untold(wanted: &Wanted, findings: &mut Findings) {
    for need in needs(&wanted.features).iter().filter(|need| need.on == Resource::TransactionalId) {
        let name = wanted.transactional_id.as_deref().unwrap_or_default();
        let what = format!("{} on {} {name}", need.operation.name(), need.on.label());
        findings.not_verified(Layer::Rights, what, "brokers tell it only to a producer that begins a transaction");
    }
}

/// The group: its rights, its state, and where it stands in each partition. It is not joined.
pub fn group(client: &Client, metadata: &Metadata, wanted: &Wanted, findings: &mut Findings) {
    let Some(group) = &wanted.group else { return };
    let answer = client.ask(|questions| {
        let _ = questions.group(0, group);
    });
    match answer {
        Some(Answer::Group(Ok(described))) => {
            for need in needs(&wanted.features).iter().filter(|need| need.on == Resource::Group) {
                right(need, group, described.allowed, findings);
            }
            findings.pass(Layer::Group, group, state(&described));
        }
        // Offsets are told all the same.
        Some(
            Answer::Group(Err(RDKafkaErrorCode::UnsupportedFeature))
            | Answer::Failed(RDKafkaErrorCode::UnsupportedFeature, _),
        ) => {
            findings.not_verified(Layer::Group, group, "these brokers do not describe groups");
        }
        Some(Answer::Group(Err(code)) | Answer::Failed(code, _))
            if code == RDKafkaErrorCode::GroupAuthorizationFailed =>
        {
            let (what, to_do) =
                (format!("Read on group {group}"), "ask for it: it is needed to be a member and to commit");
            findings.fail(Layer::Rights, what, Exit::Refused, "not allowed, nor Describe", to_do);
            return findings.not_reached([Layer::Group]);
        }
        Some(Answer::Group(Err(code)) | Answer::Failed(code, _)) => {
            return findings.fail(Layer::Group, group, class(code).exit(), code.to_string(), hint(code));
        }
        _ => {
            return findings.fail(
                Layer::Group,
                group,
                Exit::Unreachable,
                "its coordinator has not answered in time",
                "",
            );
        }
    }
    for topic in &wanted.topics {
        standing(client, metadata, group, topic, findings);
    }
}

fn state(GroupAnswer { state, members, .. }: &GroupAnswer) -> String {
    match (state.as_str(), members) {
        ("Dead", 0) => "there is no such group yet: it comes with its first member".to_owned(),
        (state, members) => format!("{state}, {members} members"),
    }
}

/// Committed offset, end and lag of each partition.
fn standing(client: &Client, metadata: &Metadata, group: &str, topic: &str, findings: &mut Findings) {
    let known = metadata.topics().iter().find(|found| found.name() == topic);
    let asked = if known.is_none() { client.metadata(topic) } else { None };
    let known = known.or_else(|| asked.as_ref()?.topics().iter().find(|found| found.name() == topic));
    let mut places: Vec<TopicPartition> =
        known.iter().flat_map(|found| found.partitions()).map(|one| TopicPartition::new(topic, one.id())).collect();
    places.sort();
    if places.is_empty() {
        return;
    }
    let offsets = |answer: Option<Answer>| match answer {
        Some(Answer::Offsets(entries)) => {
            entries.into_iter().filter_map(|(place, offset)| Some((place, offset.ok()?))).collect()
        }
        _ => HashMap::new(),
    };
    let committed: HashMap<TopicPartition, i64> = offsets(client.ask(|questions| {
        let _ = questions.committed(1, group, &places);
    }));
    let ends: HashMap<TopicPartition, i64> = offsets(client.ask(|questions| {
        let _ = questions.offsets(2, &places, END, Isolation::ReadUncommitted);
    }));
    for place in places {
        let end = ends.get(&place).copied().filter(|end| *end >= 0);
        let committed = committed.get(&place).copied();
        let of_end = end.map_or("end not told".to_owned(), |end| format!("end {end}"));
        let seen = match (committed, end) {
            (Some(committed), Some(end)) if committed >= 0 => {
                format!("committed {committed}, {of_end}, lag {}", (end - committed).max(0))
            }
            (Some(committed), None) if committed >= 0 => format!("committed {committed}, {of_end}"),
            (Some(_), _) => format!("nothing committed, {of_end}"),
            (None, _) => {
                findings.not_verified(Layer::Group, place.to_string(), format!("committed offset not told, {of_end}"));
                continue;
            }
        };
        findings.pass(Layer::Group, place.to_string(), seen);
    }
}

fn some(numbers: &[i32]) -> String {
    let named: Vec<String> = numbers.iter().take(NAMED).map(ToString::to_string).collect();
    let more = numbers.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
