//! What a loop does for its client in each round, as librdkafka's callbacks cannot.

use std::sync::atomic::Ordering;

use rdkafka::client::{Client, ClientContext};

use super::native;
use super::state::ClientState;

impl ClientState {
    /// Does for the client what the callbacks could not: a token that has come and a password that was replaced are handed over,
    /// and a client without any address gets the first ones again. To be called in each round of a loop that serves this client;
    /// mostly it costs three atomic loads.
    pub fn tend<C: ClientContext>(&self, client: &Client<C>) {
        self.hand_over_token(client);
        self.hand_over_password(client);
        // librdkafka drops each node that an answer does not name, and a broker that is fenced (its controller has not heard of
        // it for a while, as after a pause of the whole machine) names none, not even itself. Then nobody is left to ask.
        // librdkafka starts over when the last connection goes down, but an answer that arrives just then calls that off, and for
        // good: it counts as being under way from then on (issue 5301).
        if self.is_lost.load(Ordering::Relaxed)
            && self.is_lost.swap(false, Ordering::Relaxed)
            && let Some(facts) = self.facts.get()
        {
            native::add_brokers(client, &facts.servers);
            tracing::info!(
                event = "rebootstrap",
                bootstrap_servers = facts.servers,
                "the last broker that answered named no broker: the first addresses are asked again"
            );
        }
    }
}
