//! A system call as a rule sees it: the fields that our rules look at, of what a trace says.

use anyhow::{Result, bail};

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The call's name.
    pub call: String,
    /// What it returned; negative is a failure.
    pub result: i64,
    /// The failure's name, such as `ENOENT`.
    pub error: Option<String>,
    /// The program of the process: after a call that starts one, the new one.
    pub program: Program,
    /// What it opened.
    pub file: Option<File>,
    /// Where it connected to.
    pub peer: Option<Peer>,
    /// The line of the trace.
    pub line: String,
}

/// What a process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Its path.
    pub path: String,
    /// Whether it is in memory only.
    pub is_from_memory: bool,
}

/// A file that is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its path, from the root.
    pub path: String,
    /// Whether it is opened to be read.
    pub reads: bool,
    /// Whether it is opened to be written.
    pub writes: bool,
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// 4 or 6.
    pub family: u8,
    /// Whether it is TCP.
    pub tcp: bool,
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: u16,
}

impl Event {
    /// A field by the name that Falco gives it, for a container of this image.
    ///
    /// # Errors
    /// When it is not known here: a rule about it could never be seen to match.
    pub fn field(&self, name: &str, repository: &str) -> Result<Option<String>> {
        let (file, peer) = (self.file.as_ref(), self.peer.as_ref());
        // Falco forgets where a connection was to lead that failed at once.
        let peer = peer.filter(|_| self.result >= 0 || self.error.as_deref() == Some("EINPROGRESS"));
        let yes = |is: bool| Some(is.to_string());
        Ok(match name {
            "evt.type" => Some(self.call.clone()),
            "evt.failed" => yes(self.result < 0),
            "evt.rawres" => Some(self.result.to_string()),
            "evt.res" => Some(self.error.clone().unwrap_or_else(|| "SUCCESS".to_owned())),
            "evt.is_open_read" => yes(self.call != "creat" && file.is_some_and(|file| file.reads)),
            // Falco says it of `creat` neither.
            "evt.is_open_write" => yes(self.call != "creat" && file.is_some_and(|file| file.writes)),
            "fd.name" => file.map(|file| file.path.clone()),
            "fd.num" => file.map(|_| self.result.max(-1).to_string()),
            "fd.typechar" => file.map(|_| "f".to_owned()).or_else(|| peer.map(|peer| peer.family.to_string())),
            "fd.l4proto" => peer.map(|peer| if peer.tcp { "tcp" } else { "udp" }.to_owned()),
            "fd.sip" => peer.map(|peer| peer.address.clone()),
            "fd.sport" => peer.map(|peer| peer.port.to_string()),
            "proc.exepath" => Some(self.program.path.clone()),
            "proc.name" => self.program.path.rsplit('/').next().map(str::to_owned),
            "proc.is_exe_from_memfd" => yes(self.program.is_from_memory),
            "container.image.repository" => Some(repository.to_owned()),
            _ => bail!("the field {name} is not known to event.rs"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_it_is_about_and_nothing_else() {
        let file = File { path: "/x".to_owned(), reads: true, writes: false };
        let event = Event { call: "openat".to_owned(), result: -2, file: Some(file), ..Event::default() };
        let field = |name: &str| event.field(name, "r/kafka-consumer").unwrap();
        assert_eq!(field("fd.num").as_deref(), Some("-1"));
        assert_eq!(field("fd.name").as_deref(), Some("/x"));
        assert_eq!(field("evt.failed").as_deref(), Some("true"));
        assert_eq!((field("fd.sport"), field("fd.l4proto")), (None, None));
        event.field("proc.exepth", "").unwrap_err();
    }

    #[test]
    fn where_a_refused_connection_was_to_lead_is_not_known() {
        let peer = Peer { family: 4, tcp: true, address: "127.0.0.1".to_owned(), port: 443 };
        let mut event = Event { call: "connect".to_owned(), peer: Some(peer), result: -111, ..Event::default() };
        event.error = Some("ECONNREFUSED".to_owned());
        assert_eq!(event.field("fd.sport", "").unwrap(), None);
        event.error = Some("EINPROGRESS".to_owned());
        assert_eq!(event.field("fd.sport", "").unwrap().as_deref(), Some("443"));
    }
}
