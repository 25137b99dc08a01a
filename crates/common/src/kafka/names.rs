//! A name server that does not answer holds librdkafka up without a word: whether a name is still being resolved is found
//! out beside it.

use std::net::ToSocketAddrs;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Looks names up, each on a thread of its own that may hang.
pub struct Names {
    pending: Vec<(String, Receiver<()>)>,
}

impl Names {
    /// Begins to look up the hosts of these addresses, `HOST[:PORT]` separated by commas.
    pub fn look_up(servers: &str) -> Self {
        Self::look_up_by(servers, |host| drop((host, 0).to_socket_addrs()))
    }

    fn look_up_by(servers: &str, resolve: impl Fn(&str) + Clone + Send + 'static) -> Self {
        let hosts = servers.split(',').map(host).filter(|host| host.parse::<std::net::IpAddr>().is_err());
        let pending = hosts.filter_map(|host| {
            let (done, pending) = channel();
            let (name, resolve) = (host.to_owned(), resolve.clone());
            let look = move || {
                resolve(&name);
                let _ = done.send(());
            };
            // Left behind when it hangs: it holds nothing.
            std::thread::Builder::new().name("name".to_owned()).spawn(look).ok()?;
            Some((host.to_owned(), pending))
        });
        Self { pending: pending.collect() }
    }

    /// The first name that has not been resolved, nor found not to exist, after this long at most.
    pub fn pending(&mut self, wait: Duration) -> Option<&str> {
        let deadline = std::time::Instant::now() + wait;
        self.pending.retain(|(_, pending)| {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            pending.recv_timeout(left) == Err(RecvTimeoutError::Timeout)
        });
        self.pending.first().map(|(host, _)| host.as_str())
    }
}

/// Whether one of these addresses has the host of this one.
pub fn has_host(servers: &str, address: &str) -> bool {
    servers.split(',').any(|server| host(server).eq_ignore_ascii_case(host(address)))
}

/// The host of `PLAINTEXT://HOST:PORT`, `HOST:PORT`, `HOST` or `[V6]:PORT`.
fn host(server: &str) -> &str {
    let server = server.trim();
    let address = server.rsplit_once("://").map_or(server, |(_, address)| address);
    match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((host, _)) => host,
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[test]
    fn hosts() {
        for (server, wanted) in [("a:1", "a"), (" b ", "b"), ("SSL://c:9", "c"), ("[::1]:9092", "::1")] {
            assert_eq!(host(server), wanted);
        }
    }

    #[test]
    fn a_name_server_that_says_nothing_is_told_from_one_that_answers() {
        // The name server is silent as long as the lock is held.
        let silence = Arc::new(Mutex::new(()));
        let held = silence.lock().unwrap_or_else(PoisonError::into_inner);
        let resolve = {
            let silence = Arc::clone(&silence);
            move |host: &str| {
                if host == "silent.example" {
                    drop(silence.lock());
                }
            }
        };
        let mut names = Names::look_up_by("127.0.0.1:9092,known.example:9092,silent.example:9092", resolve);
        assert_eq!(names.pending(Duration::from_millis(200)), Some("silent.example"));
        drop(held);
        assert_eq!(names.pending(Duration::from_secs(30)), None);
    }
}
