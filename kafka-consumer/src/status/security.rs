//! The headers of both answers. The policy lets the browser run the one script and use the one style that are served here, by
//! their hashes, and talk to nobody else.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::{self, HeaderName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::html::{SCRIPT, STYLE};

static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| HeaderValue::from_str(&policy(SCRIPT, STYLE)).ok());

/// The Content-Security-Policy of a page with this script and this style.
fn policy(script: &str, style: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(script),
        hash(style)
    )
}

type Headers = [(HeaderName, HeaderValue); 4];

/// Of the page. Without the policy nothing in it would run, so it is there or the page is dead text.
pub fn page_headers() -> ([(HeaderName, HeaderValue); 1], Headers) {
    let policy = POLICY.clone().unwrap_or(HeaderValue::from_static("default-src 'none'"));
    ([(header::CONTENT_SECURITY_POLICY, policy)], headers("text/html; charset=utf-8"))
}

/// Of the data.
pub fn data_headers() -> Headers {
    headers("application/json")
}

fn headers(kind: &'static str) -> Headers {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_text() {
        // From `printf 'x' | openssl dgst -sha256 -binary | base64`.
        let policy = policy("x", "x");
        let hash = "'sha256-LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE='";
        assert!(policy.contains(&format!("script-src {hash}; style-src {hash};")), "{policy}");
    }
}
