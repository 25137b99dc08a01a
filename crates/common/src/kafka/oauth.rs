//! Tokens for OAUTHBEARER: the client credentials grant at the token endpoint, and the token that was had last.
//!
//! Done here because librdkafka's own OIDC needs curl, which only its CMake build finds, and that build never reports all
//! brokers down. The same OpenSSL serves both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::client::OAuthToken;
use serde::Deserialize;
use ureq::tls::{TlsConfig, TlsProvider};

use crate::config::Secret;
use crate::connection::Oauth;
use crate::text::percent_encoded;
use crate::tls;

/// A token endpoint that hangs is given up after this long.
const TIMEOUT: Duration = Duration::from_secs(5);
/// So long before a token's end by our clock a broker may refuse it, and so long after it a login with it may be under way.
const EARLY: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(10);
/// Assumed when the endpoint does not say how long its token lives.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// The longest that is believed.
const LONGEST_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why no token could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// The endpoint said no: asking again with the same client cannot help.
    Refused(String),
    /// The endpoint could not be asked.
    Unreachable(String),
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TokenError::Refused(reason) | TokenError::Unreachable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for TokenError {}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// Fetches tokens for one client, and keeps the last one.
pub struct TokenSource {
    oauth: Oauth,
    agent: ureq::Agent,
    state: Mutex<State>,
    changed: Condvar,
    /// A token has come that was not handed to the client yet: read in each round of a loop, so without the lock.
    has_news: AtomicBool,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// When the token before it ends, or has ended.
    last_end: Option<Instant>,
    /// Why the last attempt failed; `None` after one that did not.
    failure: Option<TokenError>,
    is_fetching: bool,
    /// The client's secret, once its file held another one than at the start.
    secret: Option<Secret>,
    /// Why the file with the secret is of no use.
    secret_failure: Option<String>,
}

/// A token and its time.
struct Token {
    token: OAuthToken,
    /// From then on another one is wanted.
    refresh_at: Instant,
    ends_at: Instant,
}

impl TokenSource {
    /// Prepares the connection to the token endpoint.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read.
    pub fn new(oauth: Oauth) -> Result<Self, String> {
        let roots = tls::authorities(&oauth.token_url, oauth.ca_location.as_deref(), "KAFKA_SSL_CA_LOCATION")?;
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .tls_config(tls)
            .build()
            .into();
        let (state, changed) = (Mutex::default(), Condvar::new());
        Ok(Self { oauth, agent, state, changed, has_news: AtomicBool::new(false) })
    }

    /// The last token, if it is not to be renewed yet.
    pub fn fresh(&self) -> Option<OAuthToken> {
        fresh(&self.state())
    }

    /// As [`TokenSource::fresh`], after this wait at most for one that is being fetched.
    pub fn fresh_within(&self, wait: Duration) -> Option<OAuthToken> {
        let waits = |state: &mut State| state.is_fetching && fresh(state).is_none();
        let waited = self.changed.wait_timeout_while(self.state(), wait, waits);
        fresh(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// A token that has come since the last call.
    pub fn news(&self) -> Option<OAuthToken> {
        if self.has_news.load(Ordering::Acquire) && self.has_news.swap(false, Ordering::AcqRel) {
            return self.fresh();
        }
        None
    }

    /// Whether the token is one that a broker should take: it came in time, no attempt has failed since, and it was not the one
    /// before, which has just ended, that a connection logged in with. A refusal is about
    /// the client then, and not about a token that has ended.
    pub fn is_good(&self) -> bool {
        let state = self.state();
        let ended_lately = state.last_end.is_some_and(|end| {
            let now = Instant::now();
            now + EARLY >= end && now < end + LATE
        });
        state.failure.is_none() && fresh(&state).is_some() && !ended_lately
    }

    /// Whether this caller is to fetch: nobody else does.
    pub fn begin(&self) -> bool {
        !std::mem::replace(&mut self.state().is_fetching, true)
    }

    /// Whoever fetched has given up.
    pub fn end(&self) {
        self.state().is_fetching = false;
        self.changed.notify_all();
    }

    /// Makes one attempt, and keeps what came of it. Blocks for five seconds at most.
    ///
    /// # Errors
    /// Names the endpoint and says what it answered; never the client's secret or a token.
    pub fn attempt(&self) -> Result<(), TokenError> {
        let result = self.fetch();
        let mut state = self.state();
        match result {
            Ok((token, lifetime)) => {
                // As librdkafka does: when a fifth of its life is left.
                let now = Instant::now();
                let token = Token { token, refresh_at: now + lifetime * 4 / 5, ends_at: now + lifetime };
                state.last_end = state.token.replace(token).map(|before| before.ends_at);
                state.failure = None;
                self.has_news.store(true, Ordering::Release);
                drop(state);
                self.changed.notify_all();
                Ok(())
            }
            Err(error) => {
                state.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client's secret, as its file has it now; the last good one where the file has none.
    fn secret(&self) -> Secret {
        let mut state = self.state();
        let last = state.secret.clone().unwrap_or_else(|| self.oauth.client_secret.clone());
        let Some(path) = &self.oauth.client_secret_file else { return last };
        drop(state);
        // Without the lock: the loop asks for a token under it, and a file on a network may hang.
        let read = Secret::from_file(path);
        state = self.state();
        let (file, failure) = (path.display(), read.as_ref().err().cloned());
        if let Some(reason) = failure.as_ref().filter(|_| state.secret_failure != failure) {
            tracing::warn!(event = "credentials_unusable", %file, "{file}: {reason}; what was read before stays in use");
        }
        state.secret_failure = failure;
        let Some(secret) = read.ok().filter(|secret| *secret != last) else { return last };
        tracing::info!(event = "credentials_changed", %file, "{file}: a new client secret, used for tokens from now on");
        state.secret = Some(secret.clone());
        secret
    }

    fn fetch(&self) -> Result<(OAuthToken, Duration), TokenError> {
        let url = &self.oauth.token_url;
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.oauth.scope {
            form.push(("scope", scope));
        }
        // Credentials of the Basic scheme are form-encoded first (RFC 6749, section 2.3.1).
        let secret = percent_encoded(self.secret().expose());
        let credentials = format!("{}:{secret}", percent_encoded(&self.oauth.client_id));
        let authorization = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, credentials));
        let mut response = self
            .agent
            .post(url)
            .header("authorization", &authorization)
            .header("accept", "application/json")
            .send_form(form)
            .map_err(|error| unreachable(url, &error))?;
        let status = response.status();
        let body = response.body_mut().read_to_string().map_err(|error| unreachable(url, &error))?;
        if !status.is_success() {
            let reason = match serde_json::from_str::<Refusal>(&body) {
                Ok(refusal) => format!("{}: {}", refusal.error, refusal.error_description.unwrap_or_default()),
                Err(_) => String::new(),
            };
            let text = format!("token endpoint {url} answered {status} {reason}");
            let text = text.trim_end_matches([':', ' ']).to_owned();
            // Both of them pass: too slow, too often.
            let passes = matches!(status.as_u16(), 408 | 429);
            return Err(if status.is_client_error() && !passes {
                TokenError::Refused(text)
            } else {
                TokenError::Unreachable(text)
            });
        }
        let answer: Answer = serde_json::from_str(&body)
            .map_err(|_| TokenError::Refused(format!("token endpoint {url} answered without an access_token")))?;
        let lifetime = answer.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        // Nobody means a century, which clocks might not take.
        let lifetime = lifetime.min(LONGEST_LIFETIME);
        let expiry = SystemTime::now() + lifetime;
        let lifetime_ms = expiry.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let token = OAuthToken {
            token: answer.access_token,
            principal_name: self.oauth.client_id.clone(),
            lifetime_ms: i64::try_from(lifetime_ms).unwrap_or(i64::MAX),
        };
        Ok((token, lifetime))
    }
}

fn unreachable(url: &str, error: &ureq::Error) -> TokenError {
    TokenError::Unreachable(match error {
        ureq::Error::Timeout(_) => format!("token endpoint {url}: no answer within {} s", TIMEOUT.as_secs()),
        error => format!("token endpoint {url}: {error}"),
    })
}

fn fresh(state: &State) -> Option<OAuthToken> {
    let token = state.token.as_ref().filter(|token| Instant::now() < token.refresh_at)?;
    Some(OAuthToken {
        token: token.token.token.clone(),
        principal_name: token.token.principal_name.clone(),
        lifetime_ms: token.token.lifetime_ms,
    })
}
