//! Credentials that are replaced while a program runs, in the files that its settings name. A new password goes to librdkafka; a new
//! certificate or key, which librdkafka reads once, ends the run or is told.
//!
//! The files are read on a thread of its own: one on a network may hang. Without such files there is no thread.

mod certificates;
mod file;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::ClientConfig;

use super::native;
use super::replaced::{Password, Replaced};
use super::state::ClientState;
use crate::config::{Properties, Secret};
use crate::connection::Connection;
use certificates::Certificates;
use file::{Look, Watched};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Until the second look at something new.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// What is done about a certificate or key that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// The run ends at a random moment within a minute.
    End,
    /// A warning, with the flag that would end the run where there is one.
    Warn(Option<&'static str>),
}

impl ClientState {
    /// Gives librdkafka a password that was found meanwhile.
    pub(super) fn hand_over_password<C: ClientContext>(&self, client: &Client<C>) {
        let Some(Password { user, secret, path }) = self.replaced.news() else { return };
        let file = path.display();
        match native::set_credentials(client, &user, &secret) {
            Ok(()) => tracing::info!(
                event = "credentials_changed",
                %file,
                "{file}: a new password, used from the next login on"
            ),
            Err(reason) => {
                tracing::warn!(event = "credentials_unusable", %file, "{file}: {reason}; the old password stays in use");
            }
        }
    }

    /// Lets a client that is only now made log in with the last password.
    pub(super) fn renew(&self, config: &mut ClientConfig) {
        if let Some(password) = self.replaced.password() {
            config.set("sasl.password", password.secret.expose());
        }
    }

    /// Whether the time has come for the run to end, because a certificate or key was replaced: asked in each round, so without a
    /// lock.
    pub fn is_outdated(&self, now: Instant) -> bool {
        self.replaced.end().is_some_and(|end| now >= end)
    }
}

/// Looks from now on at the files with the credentials of this client, as long as it is there.
pub fn watch(state: &Arc<ClientState>, properties: &Properties, connection: &Connection, on_change: OnChange) {
    let Some(mut watch) = Watch::new(properties, connection, on_change) else { return };
    let state = Arc::downgrade(state);
    let look = move || {
        let mut pause = PAUSE;
        loop {
            std::thread::sleep(pause);
            let Some(state) = state.upgrade() else { return };
            pause = if watch.look(&state.replaced) { SECOND_LOOK } else { PAUSE };
        }
    };
    if let Err(error) = std::thread::Builder::new().name("credentials".to_owned()).spawn(look) {
        tracing::warn!(
            event = "credentials_unwatched",
            "nobody looks at whether credentials are replaced: {error}; restart this program when they are"
        );
    }
}

/// The files of a client.
struct Watch {
    /// With the user.
    password: Option<(String, Watched<Secret>)>,
    certificates: Option<Certificates>,
}

impl Watch {
    /// `None` where there is nothing to look at.
    fn new(properties: &Properties, connection: &Connection, on_change: OnChange) -> Option<Self> {
        let password = connection.password_file.as_ref().and_then(|path| {
            let [user, password] = ["sasl.username", "sasl.password"].map(|key| properties.get(key));
            // Not what is in the file now: it may have been replaced since the settings were read.
            let watched = Watched::new(path.clone(), Secret::from_file, Some(Secret::new(password?)));
            Some((user?.to_owned(), watched))
        });
        let certificates = Certificates::of(properties, connection, on_change);
        (password.is_some() || certificates.is_some()).then_some(Self { password, certificates })
    }

    /// Looks at each file. `true` when the next look should come soon.
    fn look(&mut self, replaced: &Replaced) -> bool {
        let mut is_unsettled = false;
        if let Some((user, file)) = &mut self.password {
            match file.look() {
                Look::Same => {}
                Look::Unsettled => is_unsettled = true,
                Look::New => {
                    let path = file.path().to_owned();
                    if let Some(secret) = file.take().cloned() {
                        replaced.set_password(Password { user: user.clone(), secret, path });
                    }
                }
            }
        }
        let certificates = self.certificates.as_mut();
        certificates.is_some_and(|certificates| certificates.look(replaced)) || is_unsettled
    }
}

#[cfg(test)]
mod tests;
