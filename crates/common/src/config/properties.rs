//! The librdkafka properties of a client: from typed settings, raw ones, the program's own needs and its defaults.

use std::collections::BTreeMap;
use std::path::Path;

use super::address::has_login;
use super::secret::{REDACTED, is_secret, without_credentials};
use super::{Problems, refused};

/// One property as it will be given to librdkafka.
#[derive(Clone)]
pub struct Property {
    /// The value, maybe secret: print it with [`Property::shown`].
    pub value: String,
    /// Which setting it came from, for messages: `--linger`, `-X`, a file.
    pub origin: String,
    rank: Rank,
}

/// Who has the last word on a property.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The program's default: any raw property replaces it.
    Default,
    /// A properties file.
    File,
    /// `-X` or its variable.
    Raw,
    /// A typed setting that somebody gave.
    Typed,
    /// What the program's correctness rests on.
    Fixed,
}

/// Properties by name, gathered with their origin so that a collision can name both sides.
#[derive(Clone, Default)]
pub struct Properties(BTreeMap<String, Property>);

/// Names that librdkafka takes for the same property, and the one used here.
const SYNONYMS: [(&str, &str); 10] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("compression.codec", "compression.type"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("message.send.max.retries", "retries"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("auto.commit.enable", "enable.auto.commit"),
];

/// The brokers asked first.
pub const SERVERS: &str = "bootstrap.servers";

/// Whether a value has a user and password in it: a URL, or the address of a broker.
fn has_credentials(key: &str, value: &str) -> bool {
    without_credentials(value) != value || (key == SERVERS && has_login(value))
}

impl Property {
    /// The value as it may be printed.
    pub fn shown(&self, key: &str) -> &str {
        if is_secret(key) { REDACTED } else { &self.value }
    }
}

impl Properties {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A default of the program that differs from librdkafka's; any raw property replaces it.
    pub fn fallback(&mut self, key: &str, value: impl ToString) {
        let property = Property { value: value.to_string(), origin: "default".to_owned(), rank: Rank::Default };
        self.0.entry(key.to_owned()).or_insert(property);
    }

    /// A typed setting: `explicit` when somebody gave it, else its default applies unless a raw property says more.
    pub fn typed(&mut self, key: &str, value: impl ToString, setting: &str, explicit: bool, problems: &mut Problems) {
        if !explicit {
            return self.fallback(key, value);
        }
        self.put(key, value.to_string(), setting.to_owned(), Rank::Typed, problems);
    }

    /// A property that the program's promises rest on: no raw property may change it.
    pub fn fixed(&mut self, key: &str, value: impl ToString, problems: &mut Problems) {
        self.put(key, value.to_string(), "the program itself".to_owned(), Rank::Fixed, problems);
    }

    /// A raw property from `-X` or its variable, written `key=value`. Secret keys are refused: arguments are public.
    pub fn raw(&mut self, text: &str, problems: &mut Problems) {
        let Some((key, value)) = text.split_once('=') else {
            return problems.add("-X: expected key=value, as in -X linger.ms=20");
        };
        let key = canonical(key.trim());
        if is_secret(&key) {
            return problems.add(format!(
                "-X {key}: secrets are not taken from arguments; use the KAFKA_* secret variables, their _FILE forms \
                 or --properties-file"
            ));
        }
        self.given(&key, value.trim(), "-X".to_owned(), Rank::Raw, problems);
    }

    /// A file of `key=value` lines, with `#` comments, as other Kafka clients have it.
    pub fn file(&mut self, path: &Path, problems: &mut Problems) {
        let shown = path.display();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => return problems.add(format!("--properties-file {shown}: cannot be read: {error}")),
        };
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let place = format!("--properties-file {shown}, line {number}");
            let Ok(line) = std::str::from_utf8(line) else {
                problems.add(format!("{place} is not UTF-8"));
                continue;
            };
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
            if line.trim_end().is_empty() || line.starts_with('#') || line.starts_with('!') {
                continue;
            }
            let fault = match line.split_once('=') {
                _ if line.contains('\0') => " contains a NUL character",
                _ if line.trim_end() != line => " ends with white space, which would be part of the value: take it off",
                _ if line.ends_with('\\') => " ends in a backslash: a line is not continued by the next one",
                Some((key, value)) if !key.trim().is_empty() => {
                    self.given(&canonical(key.trim()), value.trim_start(), place, Rank::File, problems);
                    continue;
                }
                _ => " is not key=value",
            };
            problems.add(format!("{place}{fault}"));
        }
    }

    /// The value of a raw property as it may be printed: nothing of one that was refused, which may hold a secret under a name
    /// that is not known to be one.
    pub fn shown_raw(&self, key: &str, value: &str) -> String {
        let key = canonical(key.trim());
        let kept = self.0.contains_key(&key) && !has_credentials(&key, value);
        if kept && !is_secret(&key) { value.to_owned() } else { REDACTED.to_owned() }
    }

    /// The value of a property, if anybody set it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|property| property.value.as_str())
    }

    /// Whether a person, rather than the program, gave the property.
    pub fn is_given(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|property| matches!(property.rank, Rank::File | Rank::Raw | Rank::Typed))
    }

    /// Where a property came from.
    pub fn origin(&self, key: &str) -> &str {
        self.0.get(key).map_or("default", |property| &property.origin)
    }

    /// Gives a property the value that was meant; it still comes from where it came from.
    pub fn correct(&mut self, key: &str, value: String) {
        if let Some(property) = self.0.get_mut(key) {
            property.value = value;
        }
    }

    /// Takes a property back.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0.iter().map(|(key, property)| (key.as_str(), property))
    }

    /// A property that a person wrote, unless it is one that must not be.
    fn given(&mut self, key: &str, value: &str, origin: String, rank: Rank, problems: &mut Problems) {
        if let Some(reason) = refused::reason(key) {
            return problems.add(format!("{origin}: {key} {reason}; take it out"));
        }
        if has_credentials(key, value) {
            return problems.add(format!(
                "{origin}: {key} has a user or password in an address, and addresses are printed; use --username and KAFKA_PASSWORD"
            ));
        }
        self.put(key, value.to_owned(), origin, rank, problems);
    }

    fn put(&mut self, key: &str, value: String, origin: String, rank: Rank, problems: &mut Problems) {
        let property = Property { value, origin, rank };
        let Some(other) = self.0.get(key).filter(|other| other.rank != Rank::Default) else {
            self.0.insert(key.to_owned(), property);
            return;
        };
        let (strong, weak) = if rank >= other.rank { (&property, other) } else { (other, &property) };
        match (strong.rank, weak.rank) {
            (Rank::Fixed, Rank::Fixed) => {}
            (Rank::Fixed, _) => problems.add(format!(
                "{}: {key} is set by {}, which relies on {key}={}; take it out",
                weak.origin,
                strong.origin,
                strong.shown(key)
            )),
            (Rank::Typed, Rank::Typed) => {}
            (Rank::File, Rank::File) => {
                problems.add(format!("{} and {} both set {key}: keep one of them", weak.origin, strong.origin));
            }
            (Rank::Typed, _) => {
                problems.add(format!("{} and {} both set {key}: keep one of them", strong.origin, weak.origin));
            }
            _ => {}
        }
        if rank >= other.rank {
            self.0.insert(key.to_owned(), property);
        }
    }
}

fn canonical(key: &str) -> String {
    SYNONYMS.iter().find(|(name, _)| *name == key).map_or(key, |(_, main)| main).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use fastrand::Rng;

    use super::*;

    /// The same files in every run: a failure names its round.
    const SEED: u64 = 0x9209;
    const ROUNDS: usize = if cfg!(debug_assertions) { 2_000 } else { 20_000 };

    /// What is read from a file of these bytes.
    fn read_bytes(content: &[u8]) -> (Properties, Problems) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let (mut properties, mut problems) = (Properties::new(), Problems::new());
        properties.file(file.path(), &mut problems);
        (properties, problems)
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let mut content = String::new();
            let mut expected = BTreeMap::new();
            for number in 0..rng.usize(0..6) {
                let key = format!("{}.{number}", rng.choice(["linger", "sasl.password", "ä", "x"]).unwrap());
                let size = rng.usize(0..20);
                let value: String = (0..size)
                    .map(|_| match rng.u8(0..3) {
                        0 => rng.char(' '..),
                        1 => *rng.choice(&['=', '#', '!', '"', '\\', '$', ' ', '\t']).unwrap(),
                        _ => rng.alphanumeric(),
                    })
                    .collect();
                // What ends in a backslash looks continued, and is refused.
                let value = value.trim_start().trim_end_matches(|end: char| end.is_whitespace() || end == '\\');
                // An address with a login in it is refused, whatever property it stands in.
                if has_credentials(&key, value) {
                    continue;
                }
                let [indent, around, end] =
                    [["", " \t"], ["", " "], ["\n", "\r\n"]].map(|of| *rng.choice(&of).unwrap());
                // Without a value nothing may stand behind the sign: it would be white space at the end of a line.
                let behind = if value.is_empty() { "" } else { around };
                content.push_str(&format!("{indent}{key}{around}={behind}{value}{end}"));
                content.push_str(rng.choice(["", "# sasl.password=x\n", "!\n", " \t\r\n"]).unwrap());
                expected.insert(key, value.to_owned());
            }
            let (properties, problems) = read_bytes(content.as_bytes());
            assert_eq!(problems.to_string(), "", "round {round}");
            let read = properties.iter().map(|(key, property)| (key.to_owned(), property.value.clone()));
            assert_eq!(read.collect::<BTreeMap<_, _>>(), expected, "round {round}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_by_line() {
        let pieces: [&[u8]; 15] = [
            b"linger.ms",
            b"sasl.password",
            b"bootstrap.servers",
            b"http://u:p@h",
            b"=",
            b"\n",
            b"\r",
            b"\\",
            b"#",
            b"!",
            b" ",
            b"\0",
            b"\xff",
            b"\xc2\xa0",
            b"5",
        ];
        let mut rng = Rng::with_seed(SEED);
        let mut read = 0;
        for round in 0..ROUNDS {
            let size = rng.usize(0..30);
            let content: Vec<u8> = (0..size).flat_map(|_| rng.choice(pieces).unwrap()).copied().collect();
            let (properties, problems) = read_bytes(&content);
            for (key, property) in properties.iter() {
                read += 1;
                assert!(!key.is_empty() && refused::reason(key).is_none(), "round {round}: {key}");
                assert!(!has_credentials(key, &property.value), "round {round}: {}", property.value);
                let inside = !property.value.contains(['\n', '\0']) && property.value.trim() == property.value;
                assert!(inside, "round {round}: {:?}", property.value);
                assert!(property.origin.contains(", line "), "round {round}: {}", property.origin);
            }
            for problem in problems.iter() {
                assert!(problem.contains(", line ") && !problem.contains("u:p@"), "round {round}: {problem}");
            }
        }
        assert!(read > ROUNDS / 20, "{read} properties");
    }

    #[test]
    fn a_raw_property_replaces_a_default_and_collides_with_a_typed_setting() {
        let mut problems = Problems::new();
        let mut properties = Properties::new();
        properties.raw("linger.ms=20", &mut problems);
        properties.typed("linger.ms", 5, "--linger", false, &mut problems);
        assert_eq!(properties.get("linger.ms"), Some("20"));
        assert!(problems.is_empty());
        properties.typed("linger.ms", 7, "--linger", true, &mut problems);
        assert_eq!(problems.to_string(), "error: --linger and -X both set linger.ms: keep one of them");
    }

    #[test]
    fn a_synonym_collides_too() {
        let mut problems = Problems::new();
        let mut properties = Properties::new();
        properties.raw("queue.buffering.max.ms=20", &mut problems);
        properties.typed("linger.ms", 7, "--linger", true, &mut problems);
        assert!(problems.to_string().contains("linger.ms"), "{problems}");
    }

    #[test]
    fn fixed_properties_cannot_be_changed() {
        let mut problems = Problems::new();
        let mut properties = Properties::new();
        properties.raw("enable.auto.offset.store=true", &mut problems);
        properties.fixed("enable.auto.offset.store", "false", &mut problems);
        assert!(
            problems.to_string().contains("-X: enable.auto.offset.store is set by the program itself"),
            "{problems}"
        );
    }

    #[test]
    fn secrets_are_refused_in_arguments_and_redacted_elsewhere() {
        let mut problems = Problems::new();
        let mut properties = Properties::new();
        for key in ["sasl.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"] {
            properties.raw(&format!("{key}=hunter2"), &mut problems);
        }
        assert_eq!(problems.iter().count(), 4);
        assert!(!problems.to_string().contains("hunter2"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# login\nsasl.password=hunter2\nnonsense\n").unwrap();
        let mut problems = Problems::new();
        properties.file(file.path(), &mut problems);
        assert!(problems.to_string().contains("line 3 is not key=value"), "{problems}");
        let (key, property) = properties.iter().next().unwrap();
        assert_eq!(property.shown(key), REDACTED);
    }
}
