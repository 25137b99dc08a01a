//! The client and the thread that serves its callbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::exit::Exit;
use common::kafka::{Failure, client_config};
use rdkafka::producer::BaseProducer;

use crate::config::Config;
use crate::context::Context;

/// How long the delivery callbacks wait for work at a time; also how long the end of the thread may take.
const SERVE: Duration = Duration::from_millis(10);

/// The client and the thread that serves its callbacks.
pub(super) struct Client {
    pub producer: Arc<BaseProducer<Context>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    pub fn start(context: Context, config: &Config) -> Result<Self, Failure> {
        let producer: BaseProducer<Context> = client_config(&config.properties)
            .create_with_context(context)
            .map_err(|error| Failure::creation(&error))?;
        let producer = Arc::new(producer);
        let ended = Arc::new(AtomicBool::new(false));
        let serve = {
            let (producer, ended) = (Arc::clone(&producer), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    producer.poll(SERVE);
                }
            }
        };
        let thread = std::thread::Builder::new().name("deliveries".to_owned()).spawn(serve).map_err(|error| {
            Failure::new(Exit::Incomplete, format!("the thread for deliveries cannot start: {error}"))
        })?;
        Ok(Self { producer, ended, thread: Some(thread) })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
