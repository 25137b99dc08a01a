//! Env files: each value is one that stands in the file, and what is wrong is told by file and line.

use std::ffi::OsString;
use std::sync::LazyLock;

use common::config::layers::{ENV_DIR, known_variables};
use common::config::{Layers, Problems};
use tempfile::TempDir;

/// Where the file is written, again and again.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("there is a temporary folder"));

/// Takes the bytes as `.env.secret`.
pub fn check(content: &[u8]) {
    std::fs::write(FOLDER.path().join(".env.secret"), content).expect("the file can be written");
    let mut problems = Problems::new();
    let environment = [(OsString::from(ENV_DIR), FOLDER.path().as_os_str().to_owned())];
    let layers = Layers::load(environment, &mut problems);
    for name in known_variables() {
        let Some((value, origin)) = layers.get(name).filter(|_| name != ENV_DIR) else { continue };
        let whole = format!("{name}={value}");
        let stands = content.split(|byte| *byte == b'\n').any(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.ends_with(whole.as_bytes())
        });
        assert!(stands, "{name} is not from a line of the file");
        assert!(origin.to_string().ends_with(".env.secret"), "{origin}");
    }
    for problem in problems.iter() {
        assert!(problem.contains(".env.secret: line "), "{problem}");
    }
}
