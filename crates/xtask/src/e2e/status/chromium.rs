//! A headless Chromium with one page, driven by its DevTools protocol over two pipes: no port, no driver, no library.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::process::{Process, Program};

/// How long an answer may take, the start of the browser included.
const ANSWER: Duration = Duration::from_secs(60);
/// Between two looks at the page.
const LOOK: Duration = Duration::from_millis(100);
/// The browser reads commands from descriptor 3 and writes to 4; a program that we start has only the first three.
const PIPES: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>&2"#;
/// No network but loopback, whatever the page or the browser itself would like to ask.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];
/// Notes every violation of the page's policy, from before its first line on.
const NOTE_VIOLATIONS: &str = "window.violations = []; document.addEventListener('securitypolicyviolation', event => \
     violations.push(event.effectiveDirective + ' ' + event.blockedURI));";

/// The browser. Dropped, it is killed.
pub struct Chromium {
    process: Process,
    commands: PipeWriter,
    messages: Receiver<Value>,
    /// Events of the page, in the order in which they came.
    events: Vec<Value>,
    session: Option<String>,
    sent: u64,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with an empty profile and one empty page of this size.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        let profile = TempDir::new()?;
        let (theirs, commands) = pipe()?;
        let (ours, answers) = pipe()?;
        let as_root = rustix::process::geteuid().is_root().then_some("--no-sandbox");
        let program = Program::new("sh").args(["-c", PIPES, "sh", "chromium"]).args(FLAGS).args(as_root);
        let process = program
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(theirs)
            .stdout(answers)
            .spawn()?;
        let messages = read(ours);
        let mut browser =
            Self { process, commands, messages, events: Vec::new(), session: None, sent: 0, _profile: profile };
        browser.open(width, height).with_context(|| {
            let said = browser.process.stderr();
            format!("chromium cannot be used; is it there? (apt-get install chromium)\n{}", said.trim())
        })?;
        Ok(browser)
    }

    fn open(&mut self, width: u32, height: u32) -> Result<()> {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let attached = self.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}))?;
        self.session = Some(attached["sessionId"].as_str().context("no session")?.to_owned());
        for domain in ["Page", "Network", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": NOTE_VIOLATIONS}))?;
        self.size(width, height)
    }

    /// Gives the page another size.
    pub fn size(&mut self, width: u32, height: u32) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// Light or dark, as the person's system would say it.
    pub fn color_scheme(&mut self, scheme: &str) -> Result<()> {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", features).map(drop)
    }

    /// Whether pages may run scripts from now on.
    pub fn scripts(&mut self, may_run: bool) -> Result<()> {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !may_run})).map(drop)
    }

    /// Goes to an address and waits until it is loaded. What was noted before is forgotten.
    pub fn go(&mut self, url: &str) -> Result<()> {
        self.events.clear();
        let gone = self.call("Page.navigate", json!({"url": url}))?;
        ensure!(gone.get("errorText").is_none(), "{url}: {gone}");
        let deadline = Instant::now() + ANSWER;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.next(deadline).with_context(|| format!("{url} was not loaded"))?;
            self.events.push(message);
        }
        Ok(())
    }

    /// The value of an expression in the page; a promise is waited for.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked)?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{expression}: {details}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Evaluates until the value is as wanted.
    pub fn wait_for(&mut self, expression: &str, timeout: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + timeout;
        loop {
            let value = self.evaluate(expression)?;
            if wanted(&value) {
                return Ok(value);
            }
            ensure!(Instant::now() < deadline, "{expression} is not as wanted within {timeout:?}, but {value}");
            thread::sleep(LOOK);
        }
    }

    /// The page as HTML.
    pub fn html(&mut self) -> Result<String> {
        let document = self.call("DOM.getDocument", json!({}))?;
        let html = self.call("DOM.getOuterHTML", json!({"nodeId": document["root"]["nodeId"]}))?;
        Ok(html["outerHTML"].as_str().context("no HTML")?.to_owned())
    }

    /// What the page has asked for since [`Chromium::go`], by address.
    pub fn requests(&mut self) -> Result<Vec<String>> {
        // An answer means that all events before it are here.
        self.evaluate("0")?;
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        Ok(asked.filter_map(|event| Some(event["params"]["request"]["url"].as_str()?.to_owned())).collect())
    }

    /// Violations of the policy, exceptions and errors in the console since [`Chromium::go`].
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        let violations = self.evaluate("violations")?;
        let violations = violations.as_array().context("nothing notes violations")?.iter().map(ToString::to_string);
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                entry["level"] == "error" || entry["source"] == "security"
            }
            _ => false,
        };
        let said = self.events.iter().filter(is_complaint).map(|event| event["params"].to_string());
        Ok(violations.chain(said).collect())
    }

    /// A picture of what is in view, as PNG.
    pub fn picture(&mut self) -> Result<Vec<u8>> {
        let picture = self.call("Page.captureScreenshot", json!({"format": "png", "optimizeForSpeed": false}))?;
        Ok(STANDARD.decode(picture["data"].as_str().context("no picture")?)?)
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.sent += 1;
        let mut command = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.commands
            .write_all(format!("{command}\0").as_bytes())
            .with_context(|| format!("{method}: it has ended"))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let message = self.next(deadline).with_context(|| format!("no answer to {method}"))?;
            if message["id"] != self.sent {
                self.events.push(message);
                continue;
            }
            if let Some(error) = message.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(message["result"].clone());
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Value> {
        match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => bail!("it said nothing for {ANSWER:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("it has ended"),
        }
    }
}

/// Reads messages, each ended by a zero, in a thread of its own.
fn read(from: PipeReader) -> Receiver<Value> {
    let (sender, messages) = channel();
    thread::spawn(move || {
        for message in BufReader::new(from).split(0) {
            let Some(message) = message.ok().and_then(|text| serde_json::from_slice(&text).ok()) else { return };
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    messages
}
