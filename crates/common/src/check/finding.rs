//! What a check has found: one line each, and the exit code that it comes to.

use serde::Serialize;

use crate::exit::Exit;
use crate::verdict::Verdict;

/// What is looked at, from the outside in: what is below a layer that failed cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Addresses of the names.
    Name,
    /// A TCP connection.
    Tcp,
    /// The handshake, and the certificate.
    Tls,
    /// Who the brokers say we are.
    Login,
    /// What the brokers can do.
    Brokers,
    /// The addresses that the brokers tell clients to use.
    Listeners,
    /// Partitions and replicas.
    Topic,
    /// What the login may do.
    Rights,
    /// The consumer group.
    Group,
}

impl Layer {
    /// All, from the outside in.
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Tcp,
        Self::Tls,
        Self::Login,
        Self::Brokers,
        Self::Listeners,
        Self::Topic,
        Self::Rights,
        Self::Group,
    ];

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Brokers => "brokers",
            Self::Listeners => "listeners",
            Self::Topic => "topic",
            Self::Rights => "rights",
            Self::Group => "group",
        }
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it must be.
    Pass,
    /// Not as it must be; a program would end with this code.
    Fail(Exit),
    /// Nobody says, and nothing that changes anything is tried.
    NotVerified,
    /// Something above it failed.
    NotReached,
}

impl Status {
    /// For people, and in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail(_) => "FAIL",
            Self::NotVerified => "not verified",
            Self::NotReached => "not reached",
        }
    }
}

/// One line of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it belongs.
    pub layer: Layer,
    /// What was looked at: an address, a topic, a right. Empty for the layer as a whole.
    pub what: String,
    /// How it is.
    pub status: Status,
    /// What was seen.
    pub seen: String,
    /// What to do about it; empty where nothing is to be done.
    pub to_do: String,
}

/// A finding as JSON has it.
#[derive(Serialize)]
struct Line<'a> {
    layer: Layer,
    #[serde(skip_serializing_if = "str::is_empty")]
    what: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    seen: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    to_do: &'a str,
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { layer, what, status, seen, to_do } = self;
        Line { layer: *layer, what, status: status.label(), seen, to_do }.serialize(serializer)
    }
}

impl Finding {
    /// The line behind the status, for people.
    pub fn line(&self) -> String {
        let mut line = self.layer.label().to_owned();
        for part in [&self.what, &self.seen].into_iter().filter(|part| !part.is_empty()) {
            let between = if std::ptr::eq(part, &raw const self.what) { " " } else { ": " };
            line.push_str(between);
            line.push_str(part);
        }
        if !self.to_do.is_empty() {
            line.push_str("; ");
            line.push_str(&self.to_do);
        }
        line
    }
}

/// All lines of a check, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// One more.
    pub fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Something is as it must be.
    pub fn pass(&mut self, layer: Layer, what: impl Into<String>, seen: impl Into<String>) {
        self.line(layer, what, Status::Pass, seen, "");
    }

    /// Something is not.
    pub fn fail(
        &mut self,
        layer: Layer,
        what: impl Into<String>,
        exit: Exit,
        seen: impl Into<String>,
        to_do: impl Into<String>,
    ) {
        self.line(layer, what, Status::Fail(exit), seen, to_do);
    }

    /// Nobody says.
    pub fn not_verified(&mut self, layer: Layer, what: impl Into<String>, why: impl Into<String>) {
        self.line(layer, what, Status::NotVerified, why, "");
    }

    fn line(
        &mut self,
        layer: Layer,
        what: impl Into<String>,
        status: Status,
        seen: impl Into<String>,
        to_do: impl Into<String>,
    ) {
        self.add(Finding { layer, what: what.into(), status, seen: seen.into(), to_do: to_do.into() });
    }

    /// These layers could not be reached.
    pub fn not_reached(&mut self, layers: impl IntoIterator<Item = Layer>) {
        for layer in layers {
            self.line(layer, "", Status::NotReached, "", "");
        }
    }

    /// Whether something of this layer is as it must be.
    pub fn has_passed(&self, layer: Layer) -> bool {
        self.0.iter().any(|finding| finding.layer == layer && finding.status == Status::Pass)
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }

    /// What it comes to: the outermost layer that failed decides.
    pub fn verdict(&self) -> Verdict {
        let failed = self.0.iter().filter_map(|finding| match finding.status {
            Status::Fail(exit) => Some((finding, exit)),
            _ => None,
        });
        let failed: Vec<_> = failed.collect();
        let Some((_, exit)) = failed.iter().min_by_key(|(finding, _)| finding.layer) else { return Verdict::ok() };
        let lines: Vec<String> = failed.iter().map(|(finding, _)| finding.line()).collect();
        Verdict::new(*exit, lines.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_failure_decides_and_all_are_said() {
        let mut findings = Findings::default();
        assert_eq!(findings.verdict(), Verdict::ok());
        findings.pass(Layer::Name, "a:9092", "127.0.0.1");
        findings.not_verified(Layer::Rights, "Write on transactional id x", "brokers do not tell");
        assert_eq!(findings.verdict(), Verdict::ok(), "what is not verified is no failure");
        findings.fail(Layer::Topic, "t", Exit::Refused, "missing Describe, or no such topic", "create it");
        findings.fail(Layer::Tcp, "b:9092", Exit::Unreachable, "refused", "");
        let verdict = findings.verdict();
        assert_eq!(verdict.exit, Exit::Unreachable);
        assert_eq!(
            verdict.reason(),
            "topic t: missing Describe, or no such topic; create it; tcp b:9092: refused",
            "{verdict}"
        );
    }

    #[test]
    fn a_line_in_json_has_what_there_is() {
        let mut findings = Findings::default();
        findings.pass(Layer::Name, "a:9092", "127.0.0.1");
        findings.not_reached([Layer::Group]);
        let lines: Vec<String> =
            findings.iter().map(|finding| serde_json::to_string(finding).unwrap_or_default()).collect();
        assert_eq!(
            lines,
            [
                r#"{"layer":"name","what":"a:9092","status":"PASS","seen":"127.0.0.1"}"#,
                r#"{"layer":"group","status":"not reached"}"#
            ]
        );
    }
}
