//! The bridge: for a client that only spawns, while the gateway runs elsewhere. Each line of input is sent to
//! the gateway, and what comes back is written as lines. It decides nothing and knows no more than the agent
//! does: the gateway sees the agent's own key, and the client's own words.
//!
//! A request is sent once. Only when the gateway says that its session is gone, so that nothing was done, is the
//! session opened again with the client's own handshake, and the request sent into the new one.

mod far;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use remit_core::limits::BODY_BYTES_MAX;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};

use self::far::Answer;
use self::session::Session;
use super::era::{VERSION_HEADER, VERSION_KEY};
use super::fault::{Fault, INVALID_REQUEST};
use super::frame::Frame;
use super::headers::{METHOD, NAME, named};
use super::stdio::next_line;
use crate::upstream::mirror;

pub use self::far::{Far, in_clear};

/// How many messages may wait for a client that reads slowly.
const BACKLOG: usize = 256;
/// How many requests are under way at once; further lines are read when one of them has ended.
const REQUESTS_MAX: usize = 256;
/// How long answers may still take when the input has ended. What has begun at the gateway is carried to its
/// end there, whoever listens.
const PARTING_TIME_MAX: Duration = Duration::from_secs(10);

/// One client on this side, one gateway on the other.
struct Bridge {
    far: Far,
    out: Sender<Vec<u8>>,
    session: Session,
    /// Requests of the modern era by their id: to be dropped is how they are taken back.
    under_way: Mutex<HashMap<String, AbortHandle>>,
    /// The tools that the gateway listed, by name: some want arguments repeated in headers.
    tools: Mutex<HashMap<String, Value>>,
    /// Hears what a session is told between requests.
    listening: Mutex<Option<AbortHandle>>,
}

/// A request of the client's.
struct Asked {
    id: Value,
    method: String,
    params: Map<String, Value>,
    line: Vec<u8>,
}

/// Carries messages over until the input ends.
///
/// # Errors
/// When the input cannot be read.
pub async fn bridge(
    far: Far,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> std::io::Result<()> {
    let (out, receiver) = channel(BACKLOG);
    let writer = tokio::spawn(write(output, receiver));
    let (under_way, tools, listening) = (Mutex::default(), Mutex::default(), Mutex::default());
    let bridge = Arc::new(Bridge { far, out, session: Session::default(), under_way, tools, listening });
    let mut tasks = JoinSet::new();
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    while let Some(whole) = next_line(&mut input, &mut line, BODY_BYTES_MAX).await? {
        while tasks.len() >= REQUESTS_MAX {
            tasks.join_next().await;
        }
        while tasks.try_join_next().is_some() {}
        if !whole {
            let fault = Fault::bad(INVALID_REQUEST, format!("a message is larger than {BODY_BYTES_MAX} bytes"));
            bridge.say(fault.message(None)).await;
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            bridge.clone().take(std::mem::take(&mut line), &mut tasks).await;
        }
    }
    let answers = async { while tasks.join_next().await.is_some() {} };
    let _in_time = tokio::time::timeout(PARTING_TIME_MAX, answers).await;
    drop(tasks);
    if let Some(listening) = locked(&bridge.listening).take() {
        listening.abort();
    }
    bridge.session.end(&bridge.far).await;
    drop(bridge);
    let _ended = writer.await;
    Ok(())
}

async fn write(mut output: impl AsyncWrite + Unpin, mut lines: Receiver<Vec<u8>>) {
    while let Some(mut line) = lines.recv().await {
        // In JSON a line break can only stand between tokens.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}

impl Bridge {
    async fn take(self: Arc<Self>, line: Vec<u8>, tasks: &mut JoinSet<()>) {
        match Frame::read(&line) {
            Ok(Frame::Request { id, method, params }) => {
                let asked = Asked { id, method, params, line };
                if asked.opens_a_session() {
                    // What follows it needs the session.
                    return self.request(asked).await;
                }
                let (key, modern, bridge) = (asked.id.to_string(), asked.version().is_some(), self.clone());
                // Held until it is noted, so that it is not forgotten before.
                let mut under_way = locked(&self.under_way);
                let task = tasks.spawn(async move {
                    let key = asked.id.to_string();
                    bridge.request(asked).await;
                    locked(&bridge.under_way).remove(&key);
                });
                if modern {
                    under_way.insert(key, task);
                }
            }
            Ok(Frame::Notification { method, params }) => self.notification(&method, &params, line).await,
            Ok(Frame::Response) => self.pass_on(line).await,
            Err(unreadable) => self.say(unreadable.fault.message(unreadable.id.as_ref())).await,
        }
    }

    async fn request(&self, asked: Asked) {
        let stale = self.session.id();
        let mut answer = self.ask(&asked, stale.clone()).await;
        if let (Ok(Answer::Gone), Some(stale)) = (&answer, stale)
            && let Some(fresh) = self.session.renew(&self.far, &stale).await
        {
            answer = self.ask(&asked, Some(fresh)).await;
        }
        let fault = match answer {
            Ok(Answer::Given) => return,
            Ok(Answer::Gone) => Box::new(Fault::new(INVALID_REQUEST, "the gateway has ended this session")),
            Err(fault) => fault,
        };
        self.say(fault.message(Some(&asked.id))).await;
    }

    /// Sends a request once, and hands on what comes back for it.
    async fn ask(&self, asked: &Asked, session: Option<HeaderValue>) -> Result<Answer, Box<Fault>> {
        let session = session.filter(|_| asked.version().is_none() && !asked.opens_a_session());
        let in_session = session.is_some();
        let headers = session.map_or_else(|| asked.headers(&locked(&self.tools)), session::headers);
        let said = self.far.post(headers, asked.line.clone()).await?;
        if let (true, Some(id)) = (asked.opens_a_session(), said.session()) {
            self.session.opened(id, asked.line.clone());
        }
        let lists = asked.method == "tools/list";
        let mut look = |message: &[u8]| {
            if lists {
                self.remember(message);
            }
        };
        said.deliver(&asked.id, in_session, &self.out, &mut look).await
    }

    async fn notification(self: Arc<Self>, method: &str, params: &Map<String, Value>, line: Vec<u8>) {
        if let (true, Some(id)) = (method == "notifications/cancelled", params.get("requestId"))
            && let Some(task) = locked(&self.under_way).remove(&id.to_string())
        {
            return task.abort();
        }
        self.pass_on(line).await;
        if method == "notifications/initialized" {
            let bridge = Arc::clone(&self);
            let out = self.out.clone();
            let hears = async move { bridge.session.listen(&bridge.far, &out).await };
            let before = locked(&self.listening).replace(tokio::spawn(hears).abort_handle());
            before.iter().for_each(AbortHandle::abort);
        }
    }

    /// Sends what wants no answer. Only sessions know such messages.
    async fn pass_on(&self, line: Vec<u8>) {
        let Some(session) = self.session.id() else { return };
        if let Err(fault) = self.far.post(session::headers(session), line).await {
            tracing::warn!(why = fault.message, "a message did not reach the gateway");
        }
    }

    fn remember(&self, message: &[u8]) {
        let Ok(mut message) = remit_core::json::parse(message) else { return };
        let Some(Value::Array(listed)) = message.pointer_mut("/result/tools").map(Value::take) else { return };
        let named = listed.into_iter().filter_map(|tool| Some((tool["name"].as_str()?.to_owned(), tool)));
        locked(&self.tools).extend(named);
    }

    async fn say(&self, message: Value) {
        let _gone = self.out.send(message.to_string().into_bytes()).await;
    }
}

impl Asked {
    /// The version that the request itself names: then it is of the modern era, and stands alone.
    fn version(&self) -> Option<&str> {
        self.params.get("_meta")?.get(VERSION_KEY)?.as_str()
    }

    fn opens_a_session(&self) -> bool {
        self.method == "initialize" && self.version().is_none()
    }

    /// Headers that repeat the body, as the modern era wants them.
    fn headers(&self, tools: &HashMap<String, Value>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some(version) = self.version() else { return headers };
        headers.insert(VERSION_HEADER, mirror::value(version));
        headers.insert(METHOD, mirror::value(&self.method));
        let name = named(&self.method).and_then(|key| self.params.get(key)?.as_str());
        if let Some(name) = name {
            headers.insert(NAME, mirror::value(name));
        }
        if let (Some(tool), Some(arguments)) = (name.and_then(|name| tools.get(name)), self.params.get("arguments")) {
            headers.extend(mirror::params(tool, &arguments.to_string()));
        }
        headers
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
