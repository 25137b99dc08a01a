//! The environment as layers: the process's own variables, then `.env.secret`, then `.env.shared`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::secret::without_line_break;
pub use super::variables::known_variables;
use super::variables::{is_known, is_of_others, similar};
use super::{Problems, Secret, env_file};

/// Names the folder of the env files; the working folder by default. A variable only, as it is needed before the flags.
pub const ENV_DIR: &str = "ENV_DIR";
/// The env files, the stronger one first.
pub const ENV_FILES: [&str; 2] = [".env.secret", ".env.shared"];
/// Variables that mean the same setting: a short name and Kafka's usual one.
pub const ALIASES: [(&str, &str); 1] = [("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS")];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// The process's environment.
    Environment,
    /// An env file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Environment => f.write_str("environment"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A secret that is given by a variable, or by a file that another variable names; never by a flag, because a
/// process's arguments are visible to everyone on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// The variable with the secret itself.
    pub name: &'static str,
    /// The variable with the path of a file that holds it.
    pub file: &'static str,
    /// What it is for, one line.
    pub help: &'static str,
    /// The librdkafka property it becomes, where it becomes one.
    pub property: Option<&'static str>,
}

/// A setting that is a variable only, because it is not ours to name: OpenTelemetry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainVariable {
    /// The variable.
    pub name: &'static str,
    /// What counts when it is not set; empty when that is nothing, or told by `help`.
    pub default: &'static str,
    /// What it is for, one line.
    pub help: &'static str,
}

struct Layer {
    origin: Origin,
    variables: BTreeMap<String, String>,
}

/// All variables there are, the strongest layer first.
pub struct Layers {
    layers: Vec<Layer>,
    /// Which arguments have their value from here, and from which layer.
    pub(super) supplied: BTreeMap<String, Origin>,
}

impl Layers {
    /// Takes an environment, the process's own in life, and reads the env files of its folder. What is wrong goes to `problems`.
    pub fn load(environment: impl IntoIterator<Item = (OsString, OsString)>, problems: &mut Problems) -> Self {
        let environment = known_text(environment, problems);
        let folder = environment.get(ENV_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let mut layers = vec![(Origin::Environment, environment)];
        for name in ENV_FILES {
            let path = folder.as_ref().map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
            if let Some(variables) = env_file::read(&path, problems) {
                layers.push((Origin::File(path), variables));
            }
        }
        if let (Some(folder), 1) = (folder, layers.len()) {
            problems.add(format!("{ENV_DIR}={}: there is neither .env.secret nor .env.shared in it", folder.display()));
        }
        Self::from_maps(layers)
    }

    /// Layers made by hand, the strongest first, for tests and tools.
    pub fn from_maps(maps: impl IntoIterator<Item = (Origin, BTreeMap<String, String>)>) -> Self {
        let layers = maps.into_iter().map(|(origin, variables)| Layer { origin, variables }).collect();
        Self { layers, supplied: BTreeMap::new() }
    }

    /// The strongest value of a variable that is not empty.
    pub fn get(&self, name: &str) -> Option<(&str, &Origin)> {
        self.layers.iter().find_map(|layer| Some((layer.get(name)?, &layer.origin)))
    }

    /// The strongest of two names for one setting; both in one layer is a problem.
    pub fn either(&self, one: &str, other: &str, problems: &mut Problems) -> Option<(String, String, Origin)> {
        for layer in &self.layers {
            let (name, value) = match (layer.get(one), layer.get(other)) {
                (None, None) => continue,
                (Some(_), Some(_)) => {
                    problems.add(format!("{one} and {other} are both set ({}): keep one of them", layer.origin));
                    return None;
                }
                (Some(value), None) => (one, value),
                (None, Some(value)) => (other, value),
            };
            return Some((name.to_owned(), value.to_owned(), layer.origin.clone()));
        }
        None
    }

    /// The value of a secret, from its variable or from the file that its `_FILE` variable names.
    pub fn secret(&self, variable: &SecretVariable, problems: &mut Problems) -> Option<(Secret, String)> {
        let (name, value, origin) = self.either(variable.name, variable.file, problems)?;
        if name == variable.name {
            return Some((Secret::new(value), format!("{name}, {origin}")));
        }
        match Secret::from_file(Path::new(&value)) {
            Ok(secret) => Some((secret, format!("{name}={value}, {origin}"))),
            Err(error) => {
                problems.add(format!("{name}={value} ({origin}): {error}"));
                None
            }
        }
    }

    /// The file that a secret comes from, where it comes from one.
    pub fn secret_file(&self, variable: &SecretVariable) -> Option<PathBuf> {
        // What is wrong is said by `secret`.
        let (name, value, _) = self.either(variable.name, variable.file, &mut Problems::new())?;
        (name == variable.file).then(|| PathBuf::from(value))
    }

    /// The strongest value of a variable, or of its alias, with the name that says it.
    pub(super) fn setting(&self, name: &str, problems: &mut Problems) -> Option<(String, String, Origin)> {
        match ALIASES.iter().find(|(_, main)| *main == name) {
            Some((alias, _)) => self.either(alias, name, problems),
            None => self.get(name).map(|(value, origin)| (name.to_owned(), value.to_owned(), origin.clone())),
        }
    }

    /// Variables of the process's environment that look like a mistyped setting, with what was probably meant.
    /// Others that start with `KAFKA_` are normal: Kubernetes sets `KAFKA_PORT` and its like for a Service `kafka`.
    pub fn near_misses(&self) -> Vec<String> {
        let environment = self.layers.iter().filter(|layer| layer.origin == Origin::Environment);
        let prefixes = ["KAFKA_", "PRODUCER_", "CONSUMER_", "AUDIT_", "ADMIN_", "OTEL_"];
        environment
            .flat_map(|layer| layer.variables.keys())
            .filter(|name| {
                prefixes.iter().any(|prefix| name.starts_with(prefix)) && !is_known(name) && !is_of_others(name)
            })
            .filter_map(|name| Some(format!("the variable {name} is not known; was {} meant?", similar(name)?)))
            .collect()
    }
}

impl Layer {
    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The variables of an environment that are text. The line break at the end of a value does not count: it comes from
/// `echo` when a Secret was made, or from a block in YAML, and nobody means it.
fn known_text(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in environment {
        // A name that is not UTF-8 is none of ours.
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => drop(variables.insert(name, without_line_break(&value).to_owned())),
            Err(_) if is_known(&name) || name == ENV_DIR => {
                problems.add(format!("the variable {name} is not valid UTF-8"));
            }
            Err(_) => {}
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const PASSWORD: SecretVariable =
        SecretVariable { name: "KAFKA_PASSWORD", file: "KAFKA_PASSWORD_FILE", help: "", property: None };

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn layers(environment: &[(&str, &str)], file: &[(&str, &str)]) -> Layers {
        Layers::from_maps([(Origin::Environment, map(environment)), (Origin::File(".env.shared".into()), map(file))])
    }

    #[test]
    fn the_stronger_layer_wins_and_empty_is_unset() {
        let layers = layers(
            &[("KAFKA_TOPIC", ""), ("KAFKA_USERNAME", "one")],
            &[("KAFKA_TOPIC", "a"), ("KAFKA_USERNAME", "two")],
        );
        assert_eq!(layers.get("KAFKA_TOPIC"), Some(("a", &Origin::File(".env.shared".into()))));
        assert_eq!(layers.get("KAFKA_USERNAME"), Some(("one", &Origin::Environment)));
    }

    #[test]
    fn both_names_in_one_layer_are_a_problem_across_layers_the_higher_wins() {
        let mut problems = Problems::new();
        let same = layers(&[("KAFKA_BOOTSTRAP_SERVER", "a:1"), ("KAFKA_BOOTSTRAP_SERVERS", "b:1")], &[]);
        assert_eq!(same.either("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS", &mut problems), None);
        assert_eq!(problems.iter().count(), 1);
        let across = layers(&[("KAFKA_BOOTSTRAP_SERVER", "a:1")], &[("KAFKA_BOOTSTRAP_SERVERS", "b:1")]);
        let found = across.either("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS", &mut problems);
        assert_eq!(found.unwrap().1, "a:1");
        assert_eq!(across.setting("KAFKA_BOOTSTRAP_SERVERS", &mut problems).unwrap().2, Origin::Environment);
    }

    #[test]
    fn a_secret_comes_from_its_file_without_the_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        let mut problems = Problems::new();
        let from_file = layers(&[("KAFKA_PASSWORD_FILE", path.to_str().unwrap())], &[]);
        assert_eq!(from_file.secret(&PASSWORD, &mut problems).unwrap().0.expose(), "hunter2");
        assert_eq!(from_file.secret_file(&PASSWORD), Some(path));
        assert_eq!(layers(&[("KAFKA_PASSWORD", "x1")], &[("KAFKA_PASSWORD_FILE", "y")]).secret_file(&PASSWORD), None);
        let missing = layers(&[("KAFKA_PASSWORD_FILE", "/nowhere/password")], &[]);
        assert!(missing.secret(&PASSWORD, &mut problems).is_none());
        let both = layers(&[("KAFKA_PASSWORD", "x1"), ("KAFKA_PASSWORD_FILE", "y")], &[]);
        assert!(both.secret(&PASSWORD, &mut problems).is_none());
        assert_eq!(problems.iter().count(), 2);
        assert!(!problems.to_string().contains("x1"));
    }

    #[test]
    fn an_environment_is_taken_without_the_line_breaks_at_its_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env.shared"), "KAFKA_TOPIC=from-file\n").unwrap();
        let not_text = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        let environment = [
            ("KAFKA_PASSWORD".into(), "hunter2\n".into()),
            ("PRODUCER_VALUE".into(), "two\nlines\r\n".into()),
            (ENV_DIR.into(), folder.path().into()),
            ("KAFKA_USERNAME".into(), not_text),
        ];
        let mut problems = Problems::new();
        let layers = Layers::load(environment, &mut problems);
        assert_eq!(problems.to_string(), "error: the variable KAFKA_USERNAME is not valid UTF-8");
        assert_eq!(layers.secret(&PASSWORD, &mut problems).unwrap().0.expose(), "hunter2");
        assert_eq!(layers.get("PRODUCER_VALUE").unwrap().0, "two\nlines");
        assert_eq!(layers.get("KAFKA_TOPIC").unwrap().0, "from-file");
    }

    #[test]
    fn only_near_misses_of_the_environment_are_reported() {
        let layers = layers(&[("KAFKA_PORT", "tcp://1"), ("KAFKA_SERVICE_HOST", "x"), ("KAFKA_TOPC", "x")], &[]);
        let misses = layers.near_misses();
        assert_eq!(misses.len(), 1, "{misses:?}");
        assert!(misses[0].contains("KAFKA_TOPIC"));
    }
}
