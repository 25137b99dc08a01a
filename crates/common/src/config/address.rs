//! Addresses as people write them: what librdkafka would only call "no broker can be reached", after minutes, is named here.
//!
//! Nothing here repeats an address in an error: it may have a user and password in it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::secret::is_secret;

/// Names of protocols, as they stand before `://` in a broker's own settings.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
/// The longest name that DNS knows, and the longest part of one.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Checks a list of bootstrap servers, and returns it as librdkafka takes it. `tls` says whether certificates are compared with the
/// names.
///
/// # Errors
/// What is wrong with the first address that is wrong, and the right form.
pub fn servers(list: &str, tls: bool) -> Result<String, String> {
    let addresses: Result<Vec<_>, _> = list.split(',').map(|address| server(address.trim(), tls)).collect();
    addresses.map(|addresses| addresses.join(","))
}

fn server(address: &str, tls: bool) -> Result<&str, String> {
    const FORM: &str = "expected HOST:PORT, several separated by commas, each port 1 to 65535";
    if address.is_empty() {
        return Err(format!("an address is empty: {FORM}"));
    }
    if has_login(address) {
        return Err(format!(
            "an address has a user or password in it, and addresses are printed: {FORM}; a user belongs into --username, \
             its password into KAFKA_PASSWORD"
        ));
    }
    if let Some((scheme, rest)) = address.split_once("://") {
        let host = host_and_port(rest).map_or("HOST:PORT", |_| rest);
        return Err(match PROTOCOLS.iter().find(|name| scheme.eq_ignore_ascii_case(name)) {
            Some(name) => format!("an address has no protocol: write {host}, and --security-protocol {name}"),
            None => format!("an address is no URL: write {host}"),
        });
    }
    let (host, _) = host_and_port(address).map_err(|reason| format!("{reason}: {FORM}"))?;
    if tls && let Some(name) = host.strip_suffix('.') {
        return Err(format!(
            "with TLS a host must not end in a dot, as no certificate has a name that does: write {name} instead"
        ));
    }
    Ok(address)
}

/// Checks the URL of a token endpoint.
///
/// # Errors
/// What is wrong with it, and the right form.
pub fn token_url(url: &str) -> Result<(), String> {
    let (form, secret) = ("expected a URL such as https://HOST/PATH", "KAFKA_OAUTH_CLIENT_SECRET");
    http_url(url, form, &["KAFKA_OAUTH_CLIENT_ID", secret])
}

/// Checks the URL of a receiver of traces.
///
/// # Errors
/// What is wrong with it, and the right form.
pub fn otlp_url(url: &str) -> Result<(), String> {
    http_url(url, "expected a URL such as http://HOST:4318", &["OTEL_EXPORTER_OTLP_HEADERS"])
}

/// Checks the URL of a Pushgateway, to which the path of a group is added. `login` are the settings for user and password.
///
/// # Errors
/// What is wrong with it, and the right form.
pub fn gateway_url(url: &str, login: &[&str]) -> Result<(), String> {
    const FORM: &str = "expected a URL such as http://HOST:9091";
    http_url(url, FORM, login)?;
    if url.contains(['?', '#']) {
        return Err(format!("the URL has a query, behind which no path can be added: {FORM}"));
    }
    if url.split_once("://").is_some_and(|(_, rest)| rest.contains("/metrics/")) {
        return Err(format!("the URL has the path of a group, which is added: {FORM}"));
    }
    Ok(())
}

/// Checks a URL. `secrets` are the settings for what does not belong into it.
fn http_url(url: &str, form: &str, secrets: &[&str]) -> Result<(), String> {
    let secrets = secrets.join(" and ");
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return Err("expected a URL that starts with https:// or http://".to_owned()) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if url.contains('@') || has_login(authority) {
        return Err(format!("a user and password do not belong into the URL, which is printed: {form}, and {secrets}"));
    }
    if rest.contains(|character: char| character.is_whitespace() || character.is_control() || character == '\\') {
        return Err(format!("the URL has a character that must not be in one: {form}"));
    }
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    if query.split('&').any(|field| is_secret(&field.split('=').next().unwrap_or_default().to_ascii_lowercase())) {
        return Err(format!("a secret does not belong into the URL, which is printed: {form}, and {secrets}"));
    }
    host_and_port(authority).map(|_| ()).map_err(|reason| format!("{reason}: {form}"))
}

/// Whether an address has a user or password in it, also where its marks are written as a URL writes them.
pub fn has_login(address: &str) -> bool {
    address.contains('@') || address.to_ascii_lowercase().contains("%40")
}

/// The two parts of `host`, `host:port` or `[v6]:port`.
fn host_and_port(address: &str) -> Result<(&str, Option<u16>), String> {
    if address.contains(char::is_whitespace) {
        return Err("an address has white space in it".to_owned());
    }
    if address.contains('/') {
        return Err("an address has a slash in it".to_owned());
    }
    if address.contains(';') {
        return Err("an address has a semicolon in it".to_owned());
    }
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("an address has a bracket without its other half")?;
            let ip = host.split('%').next().unwrap_or_default();
            if ip.parse::<Ipv6Addr>().is_err() {
                return Err("only an IPv6 address stands in brackets".to_owned());
            }
            match rest.strip_prefix(':') {
                None if rest.is_empty() => (host, None),
                None => return Err("an address goes on behind its bracket".to_owned()),
                port => (host, port),
            }
        }
        None => match address.split_once(':') {
            Some((_, rest)) if rest.contains(':') => return Err(bare_v6(address)),
            Some((host, port)) => (checked_host(host)?, Some(port)),
            None => (checked_host(address)?, None),
        },
    };
    let port = port.map(checked_port).transpose()?;
    Ok((host, port))
}

/// The right form of an address with several colons and no brackets.
fn bare_v6(address: &str) -> String {
    let with_port = address.rsplit_once(':').filter(|(host, port)| {
        let is_long = host.parse::<Ipv6Addr>().is_ok();
        is_long && port.len() > 3 && port.parse::<u16>().is_ok()
    });
    match with_port {
        Some((host, port)) => format!("an IPv6 address stands in brackets, as in [{host}]:{port}"),
        None if address.parse::<Ipv6Addr>().is_ok() => {
            format!("an IPv6 address stands in brackets, as in [{address}]:9092")
        }
        None => "an address has more than one colon; an IPv6 address stands in brackets, as in [::1]:9092".to_owned(),
    }
}

fn checked_port(port: &str) -> Result<u16, String> {
    let number = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    number.filter(|port| *port > 0).ok_or_else(|| "a port is not a number from 1 to 65535".to_owned())
}

fn checked_host(host: &str) -> Result<&str, String> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.is_empty() {
        return Err("an address has no host".to_owned());
    }
    if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
        return Err("a host is neither a name (ASCII letters, digits, hyphens and dots) nor an IP address".to_owned());
    }
    if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && name.parse::<Ipv4Addr>().is_err() {
        return Err("a host of digits is not an IPv4 address".to_owned());
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_taken_as_librdkafka_takes_them() {
        for good in [
            "localhost",
            "localhost:9092",
            "a:1,b:65535",
            "[::1]:9092",
            "[fe80::1%eth0]:9092",
            "10.0.0.1:9092",
            "kafka_1.internal-2:9092",
            "kafka.kafka.svc.cluster.local.:9092",
        ] {
            assert_eq!(servers(good, false).as_deref(), Ok(good));
        }
        assert_eq!(servers(" a:1 ,\tb:2", true).as_deref(), Ok("a:1,b:2"));
    }

    #[test]
    fn what_is_no_server_is_told_with_the_right_form() {
        let cases = [
            ("", "empty"),
            ("a:1,,b:1", "empty"),
            ("a:1,", "empty"),
            ("a:", "1 to 65535"),
            ("a:0", "1 to 65535"),
            ("a:65536", "1 to 65535"),
            ("a:+9092", "1 to 65535"),
            ("a:kafka", "1 to 65535"),
            (":9092", "no host"),
            (".:9092", "no host"),
            ("two words:1", "white space"),
            ("a:1 b:1", "white space"),
            ("a:9092;b:9092", "semicolon"),
            ("host:9092/", "slash"),
            ("/var/run/kafka.sock", "slash"),
            ("unix:/var/run/kafka.sock", "slash"),
            ("SASL_SSL://host:9092", "write host:9092, and --security-protocol SASL_SSL"),
            ("plaintext://host:9092", "write host:9092, and --security-protocol PLAINTEXT"),
            ("http://host:9092", "write host:9092"),
            ("kafka://host:9092/", "write HOST:PORT"),
            ("::1:9092", "as in [::1]:9092"),
            ("::1", "as in [::1]:9092"),
            ("fe80:0:0:0:0:0:0:1:9092", "as in [fe80:0:0:0:0:0:0:1]:9092"),
            ("host:9092:9093", "more than one colon"),
            ("[::1", "bracket"),
            ("[::1]9092", "behind its bracket"),
            ("[localhost]:9092", "only an IPv6 address"),
            ("a..b:9092", "neither a name"),
            ("-a:9092", "neither a name"),
            ("käfka:9092", "neither a name"),
            ("a*b", "neither a name"),
            ("10.0.0.256:9092", "IPv4"),
            ("10.0.1:9092", "IPv4"),
        ];
        for (bad, says) in cases {
            let error = servers(bad, false).err().unwrap_or_default();
            assert!(error.contains(says), "{bad:?}: {error:?}");
        }
        let long = format!("{}:9092", "a".repeat(64));
        assert!(servers(&long, false).is_err());
        let error = servers("a:1,kafka.svc.:9092", true).err().unwrap_or_default();
        assert!(error.contains("write kafka.svc instead"), "{error}");
    }

    #[test]
    fn a_login_in_an_address_is_refused_and_not_repeated() {
        for address in ["user:hunter2@host:9092", "user%3ahunter2%40host:9092", "ssl://user:hunter2@host:9092"] {
            let error = servers(&format!("a:1,{address}"), false).err().unwrap_or_default();
            assert!(error.contains("--username") && !error.contains("hunter2"), "{error}");
        }
        for url in [
            "https://id:hunter2@host/token",
            "https://id:hun/ter2@host/token",
            "https://id%3Ahunter2%40host/token",
            "https://id@host",
        ] {
            let error = token_url(url).err().unwrap_or_default();
            assert!(error.contains("KAFKA_OAUTH_CLIENT_SECRET") && !error.contains("ter2"), "{url}: {error}");
        }
    }

    #[test]
    fn gateway_urls() {
        let login = ["--pushgateway-username", "PRODUCER_PUSHGATEWAY_PASSWORD"];
        for good in ["http://localhost:9091", "https://gateway.example/prefix/", "http://[::1]:9091/"] {
            assert_eq!(gateway_url(good, &login), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("localhost:9091", "https:// or http://"),
            ("http://user:hunter2@gateway:9091", "--pushgateway-username and PRODUCER_PUSHGATEWAY_PASSWORD"),
            ("http://user%3Ahunter2%40gateway:9091", "PRODUCER_PUSHGATEWAY_PASSWORD"),
            ("http://gateway:9091?x=1", "a query"),
            ("http://gateway:9091/metrics/job/x", "the path of a group"),
            ("http://gateway:port", "1 to 65535"),
        ] {
            let error = gateway_url(bad, &login).err().unwrap_or_default();
            assert!(error.contains(says) && !error.contains("hunter2"), "{bad}: {error}");
        }
    }

    #[test]
    fn token_urls() {
        for good in [
            "https://host/token",
            "http://127.0.0.1:8080/realms/a/protocol/openid-connect/token",
            "https://[::1]:8443/",
            "https://host/oauth2/v2.0/token?p=b2c_1_sign_in",
            "https://host",
        ] {
            assert_eq!(token_url(good), Ok(()), "{good}");
        }
        for bad in [
            "host/token",
            "ftp://host/token",
            "https://",
            "https:///token",
            "https://two words/",
            "https://host:port/",
            "https://host/a b",
            "https://host\\@other/",
            "https://host/token?client_secret=hunter2",
        ] {
            assert!(token_url(bad).is_err_and(|error| !error.contains("hunter2")), "{bad}");
        }
    }
}
