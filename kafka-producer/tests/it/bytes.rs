//! Bytes that nobody can have meant, in every file that the program reads: it ends with 0, or with 2 and a reason, and never by
//! a panic.

use std::fs;

use fastrand::Rng;

use crate::support::*;

/// The same bytes in every run: a failure names its round.
const SEED: u64 = 0xb17e;
/// Each is a process.
const ROUNDS: usize = 40;

/// Pieces of what the files are made of, in an order that makes no sense.
fn nonsense(rng: &mut Rng, pieces: &[&[u8]]) -> Vec<u8> {
    let size = rng.usize(0..12);
    (0..size).flat_map(|_| *rng.choice(pieces).unwrap()).copied().collect()
}

#[test]
fn any_bytes_are_taken_or_refused_as_a_usage_error() {
    let mut rng = Rng::with_seed(SEED);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        // Otherwise hardly any run would get as far as its input.
        let one = rng.usize(0..4);
        let env = if one == 0 {
            nonsense(
                &mut rng,
                &[b"KAFKA_TOPIC=a", b"\nKAFKA_PASSWORD=hunter2", b"\n", b"\xff", b"\0", b"\"", b" ", b"="],
            )
        } else {
            Vec::new()
        };
        let properties = if one == 1 {
            nonsense(&mut rng, &[b"linger.ms=5", b"\nsasl.password=hunter2", b"\n", b"\xff", b"\0", b"\\", b" ", b"="])
        } else {
            Vec::new()
        };
        let template = if one == 2 {
            nonsense(&mut rng, &[b"{{", b"}}", b"{", b"seq", b"random:3", b":", b"\n", "ö".as_bytes()])
        } else {
            b"{{seq}}".to_vec()
        };
        let input = if one == 3 {
            nonsense(&mut rng, &[b"{\"value\":1}\n", b"{\"key\":\"a\"", b"}", b"\n", b"\xff", b"\0", b"[", b"null"])
        } else {
            b"{}\n".to_vec()
        };
        for (name, content) in [(".env.secret", env), ("client.properties", properties), ("input", input)] {
            fs::write(path(name), content).unwrap();
        }
        let program = producer().args(["-b", NOWHERE, "--dry-run", "--input-format", "json"]);
        let program = program.arg("--input").arg(path("input")).arg("--properties-file").arg(path("client.properties"));
        let program = program.arg("--key").arg(String::from_utf8(template).unwrap());
        let outcome = program.env("ENV_DIR", folder.path()).run(SOON).unwrap();
        match outcome.code() {
            Some(0) => taken += 1,
            Some(2) => refused += 1,
            other => panic!("round {round}: ended with {other:?}\n{outcome}"),
        }
        assert!(!outcome.stderr.contains("panicked"), "round {round}: {outcome}");
        assert!(!outcome.stderr.contains("hunter2"), "round {round}: a secret was printed\n{outcome}");
        let says = outcome.stderr.to_ascii_lowercase().contains("error");
        assert!(says || outcome.code() == Some(0), "round {round}: no reason\n{outcome}");
    }
    assert!(taken > ROUNDS / 10 && refused > ROUNDS / 10, "{taken} taken, {refused} refused");
}
