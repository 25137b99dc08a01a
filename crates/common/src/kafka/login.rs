//! Login by token: fetched on a thread of its own, so that an endpoint that hangs holds no loop up, and handed to librdkafka by
//! the loop as soon as it is there.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::client::{Client, ClientContext, OAuthToken};

use super::error::Class;
use super::native;
use super::oauth::{TokenError, TokenSource};
use super::phrases::{About, Reading};
use super::state::{ClientState, PENDING};

/// How long librdkafka's callback waits for a token: an endpoint that is near answers sooner, and a loop can bear it.
const NEAR: Duration = Duration::from_millis(50);

/// Between two attempts at first, and at most; librdkafka asks again only after 10 s.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

const HINT: &str = "check KAFKA_OAUTH_TOKEN_URL, KAFKA_OAUTH_CLIENT_ID and the client's secret";

impl ClientState {
    /// For `ClientContext::generate_oauth_token`: the token at hand, or the error that one is being fetched, which then comes by
    /// [`ClientState::tend`].
    ///
    /// # Errors
    /// Why there is no token yet.
    pub fn token(self: &Arc<Self>) -> Result<OAuthToken, Box<dyn Error>> {
        let source = self.tokens.as_ref().ok_or("OAUTHBEARER is not configured")?;
        if let Some(token) = source.fresh() {
            return Ok(token);
        }
        if source.begin() {
            let (state, fetched_from) = (Arc::downgrade(self), Arc::clone(source));
            let fetch = move || fetch(&state, &fetched_from);
            if let Err(error) = std::thread::Builder::new().name("token".to_owned()).spawn(fetch) {
                source.end();
                return Err(error.into());
            }
        }
        source.fresh_within(NEAR).ok_or_else(|| PENDING.into())
    }

    /// Gives librdkafka a token that has come meanwhile.
    pub(super) fn hand_over_token<C: ClientContext>(&self, client: &Client<C>) {
        if let Some(token) = self.tokens.as_ref().and_then(|source| source.news())
            && let Err(reason) = native::set_token(client, &token)
        {
            self.no_token(&TokenError::Refused(format!("librdkafka does not take the token: {reason}")));
        }
    }

    /// Gives the token at hand to another client of this user, one whose callbacks nobody serves: it would never get one.
    pub(crate) fn lend_token<C: ClientContext>(&self, client: &Client<C>) {
        if let Some(token) = self.tokens.as_ref().and_then(|source| source.fresh_within(NEAR))
            && let Err(reason) = native::set_token(client, &token)
        {
            self.no_token(&TokenError::Refused(format!("librdkafka does not take the token: {reason}")));
        }
    }

    fn no_token(&self, error: &TokenError) {
        let (text, class) = match error {
            TokenError::Refused(reason) => (format!("{reason}; {HINT}"), Class::Refused),
            TokenError::Unreachable(reason) => {
                (format!("{reason}; check KAFKA_OAUTH_TOKEN_URL and the way there"), Class::Unreachable)
            }
        };
        self.note_cause(Reading { class, text: text.clone(), about: Some(About::Token) });
        if self.is_due("token") {
            tracing::warn!(event = "token_error", "{text}");
        }
        if class == Class::Refused {
            self.refuse(&text);
        }
    }

    fn count_token(&self, result: &str) {
        self.metrics.token_requests.with_label_values(&[result]).inc();
    }
}

/// Tries until there is a token, until the endpoint refuses one, or until the client is gone.
fn fetch(state: &Weak<ClientState>, source: &TokenSource) {
    let (mut pause, longest) = PAUSES;
    loop {
        let result = source.attempt();
        let Some(state) = state.upgrade() else { break };
        match result {
            Ok(()) => {
                state.forget_cause(About::Token);
                state.count_token("ok");
                break;
            }
            Err(error) => {
                state.no_token(&error);
                state.count_token("error");
                // librdkafka asks again after 10 s.
                if matches!(error, TokenError::Refused(_)) {
                    break;
                }
            }
        }
        drop(state);
        std::thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
    source.end();
}

#[cfg(test)]
mod tests;
