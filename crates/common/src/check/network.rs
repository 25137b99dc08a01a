//! Names and connections, by the operating system and nothing else.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::finding::{Findings, Layer};
use crate::exit::Exit;

/// How long the name servers may take for a name, and an address for a connection.
const LIMIT: Duration = Duration::from_secs(5);

/// The addresses of a place `host:port`, within a limit: the resolver of the operating system has none that could be set.
///
/// # Errors
/// What it said.
fn resolve(place: &str, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (done, resolved) = channel();
    let asked = place.to_owned();
    let look = move || {
        // Nobody waits any more for a look-up that hangs.
        let _ = done.send(asked.to_socket_addrs().map(Iterator::collect::<Vec<_>>).map_err(|error| error.to_string()));
    };
    std::thread::Builder::new().name("name".to_owned()).spawn(look).map_err(|error| error.to_string())?;
    match resolved.recv_timeout(limit) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(result) => result,
        Err(_) => Err(format!("no name server has answered within {limit:?}")),
    }
}

/// Resolves and connects to a place, and says how that went in these layers. A connection, where there is one.
pub fn connect(
    place: &str,
    names: Layer,
    connections: Layer,
    what: &str,
    findings: &mut Findings,
    limit: Duration,
) -> Option<TcpStream> {
    let limit = limit.min(LIMIT);
    let addresses = match resolve(place, limit) {
        Ok(addresses) => addresses,
        Err(reason) => {
            findings.fail(
                names,
                what,
                Exit::Unreachable,
                format!("{place}: {reason}"),
                "check the name, KAFKA_BOOTSTRAP_SERVERS, advertised.listeners on the brokers, and the DNS of this machine",
            );
            return None;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    if names != connections {
        findings.pass(names, what, shown.join(", "));
    }
    let mut reasons = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => {
                // Also where nobody ever answers.
                let limited = stream.set_read_timeout(Some(limit)).and_then(|()| stream.set_write_timeout(Some(limit)));
                if limited.is_ok() {
                    findings.pass(connections, what, format!("connected to {address}"));
                    return Some(stream);
                }
            }
            Err(error) => reasons.push(format!("{address}: {error}")),
        }
    }
    let reason = if reasons.is_empty() { "no address took a connection".to_owned() } else { reasons.join(", ") };
    findings.fail(
        connections,
        what,
        Exit::Unreachable,
        reason,
        "check the port, and firewalls or NetworkPolicies in between",
    );
    None
}
