//! Where the messages come from.
//!
//! A [`Source`] fills one [`Message`] at a time into buffers that are used again, so that making a message costs well
//! under a microsecond and the cost of publishing is that of the client. Nothing here knows Kafka.
//!
//! Messages are numbered from 0 over the whole run, and a process that publishes a share asks for the numbers of its share
//! only (`index`, `index + shards`, ...). Line `n` of an input is message `n - 1`, whoever asks for it, so shares have no gap
//! and no overlap.

mod clock;
mod context;
mod demo;
mod error;
mod file;
mod input;
mod message;
mod payload;
mod random;
mod reader;
mod record;
mod spec;
mod template;

pub use clock::Clock;
pub use error::{LineProblem, SourceError};
pub use message::Message;
pub use payload::PayloadKind;
pub use reader::{Patience, can_wait};
pub use spec::{DEFAULT_MAX_LINE_BYTES, Input, KeySpec, LineFormat, MAX_MESSAGE_BYTES, Spec, ValueSpec};
pub use template::{PLACEHOLDERS, TemplateError, TemplateProblem};

use context::Context;
use demo::Demo;
use file::WholeFile;
use input::Lines;
use payload::Payload;
use template::Template;

/// What [`Source::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Filled {
    /// The message is filled.
    Message,
    /// There is no message of this number, nor of any higher one.
    End,
    /// The run is to stop, and nobody knows whether there would have been a message.
    Stopped,
}

/// Makes the messages of a run, one after the other.
pub struct Source {
    context: Context,
    key: Key,
    headers: Vec<(String, Template)>,
    body: Body,
}

enum Key {
    /// What the body brings, if anything.
    Own,
    Sequence,
    Template(Template),
    None,
}

enum Body {
    Demo(Demo),
    Template(Template),
    Payload(Payload),
    Lines(Lines),
    File(WholeFile),
}

impl Source {
    /// Prepares everything that can be prepared once, and opens the input, which is waited for as long as `patience` lasts. A
    /// whole file is read here.
    pub fn open(spec: &Spec, patience: Patience) -> Result<Source, SourceError> {
        let mut context = Context::new(&spec.run_id, &spec.host, spec.index);
        let key = match spec::parse_key(&spec.key)? {
            Some(template) => Key::Template(template),
            None if spec.key == KeySpec::None => Key::None,
            None => match spec.value {
                ValueSpec::Demo | ValueSpec::Template(_) | ValueSpec::TemplateFrom(_) | ValueSpec::Payload { .. } => {
                    Key::Sequence
                }
                ValueSpec::Lines { .. } | ValueSpec::File { .. } => Key::Own,
            },
        };
        let headers = (spec.headers.iter().enumerate())
            .map(|(at, header)| spec::parse_header(at, header))
            .collect::<Result<_, _>>()?;
        let body = match &spec.value {
            ValueSpec::Demo => Body::Demo(Demo::new(&spec.run_id)),
            ValueSpec::Template(text) => Body::Template(spec::parse_value(text)?),
            ValueSpec::TemplateFrom(from) => {
                let text = String::from_utf8(file::whole(from, false, patience)?).map_err(|_| {
                    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, "not UTF-8");
                    SourceError::ReadFile { name: reader::name_of(from), source }
                })?;
                Body::Template(spec::parse_value(&text)?)
            }
            ValueSpec::Payload { size, kind } => {
                spec::check_size(*size)?;
                Body::Payload(Payload::new(*size, *kind, context.rng()))
            }
            ValueSpec::Lines { from, format, max_line_bytes } => {
                Body::Lines(Lines::open(from, *format, *max_line_bytes, patience)?)
            }
            ValueSpec::File { from, gzip, count } => Body::File(WholeFile::open(from, *gzip, *count, patience)?),
        };
        Ok(Source { context, key, headers, body })
    }

    /// Fills in message number `sequence`, sent at the time that `clock` shows, which is taken anew when the message had to be
    /// waited for.
    ///
    /// The numbers asked for have to rise. After an error about one line the next numbers can still be asked for. Reading
    /// from a pipe blocks until a line, or the end, is there.
    pub fn fill(&mut self, sequence: u64, clock: &mut Clock, message: &mut Message) -> Result<Filled, SourceError> {
        let Source { context, key, headers, body } = self;
        message.clear();
        if let Body::Lines(lines) = body {
            let reads = lines.reads();
            let filled = lines.fill(sequence, message)?;
            if filled != Filled::Message {
                return Ok(filled);
            }
            if lines.reads() > reads {
                clock.tick();
            }
        }
        context.begin(sequence, clock.us());
        match body {
            Body::Demo(demo) => demo.render(context, message.value.start()),
            Body::Template(template) => template.render(context, message.value.start()),
            Body::Payload(payload) => payload.render(sequence, message.value.start()),
            Body::Lines(_) => {}
            Body::File(file) => {
                if file.fill(sequence, message) == Filled::End {
                    return Ok(Filled::End);
                }
            }
        }
        match key {
            Key::Own => {}
            Key::Sequence => context.push_sequence(message.key.start()),
            Key::Template(template) if message.key.get().is_none() => template.render(context, message.key.start()),
            Key::Template(_) => {}
            Key::None => message.key.clear(),
        }
        for (name, template) in headers {
            message.push_header_with(name, |value| template.render(context, value));
        }
        Ok(Filled::Message)
    }

    /// How large each message's value is, where the source read all of it when it was opened.
    pub fn known_size(&self) -> Option<usize> {
        match &self.body {
            Body::File(file) => Some(file.size()),
            Body::Demo(_) | Body::Template(_) | Body::Payload(_) | Body::Lines(_) => None,
        }
    }

    /// How many messages there are in the whole run, where the source itself decides it and knows.
    pub fn known_total(&self) -> Option<u64> {
        match &self.body {
            Body::File(file) => Some(file.count()),
            Body::Demo(_) | Body::Template(_) | Body::Payload(_) | Body::Lines(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
