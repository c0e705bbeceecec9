//! stdio: for clients that only spawn. One message per line, no headers, the same dispatch. A client of
//! both eras probes with `server/discover` first, so that is answered before any handshake.

use std::sync::Arc;

use remit_core::ids::Digest;
use serde_json::{Map, Value, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

use super::client::{Client, Event, Hints, Outbox, Speaks};
use super::dispatch::dispatch;
use super::era::{self, VERSION_KEY};
use super::fault::{Fault, INVALID_REQUEST};
use super::frame::{Frame, result};
use super::listen::{self, Filter};
use super::presence::{Gone, Place, presence};
use super::{Mcp, handshake};
use crate::identify::Identified;

/// How many messages may wait for a client that reads slowly.
const BACKLOG: usize = 256;
/// How many requests are under way at once; further lines are read when one of them has ended.
const REQUESTS_MAX: usize = 256;

/// One client at the other end of a pair of pipes.
struct Line {
    mcp: Arc<Mcp>,
    identified: Identified,
    outbox: Outbox,
    left: Gone,
    /// Tells this line's requests apart from others' in memory.
    key: Digest,
    /// Whether a handshake has chosen the legacy era, for the rest of the process.
    legacy: bool,
}

/// Serves until the input ends; started calls are finished first.
///
/// # Errors
/// When the input cannot be read.
pub(super) async fn serve(
    mcp: Arc<Mcp>,
    identified: Identified,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> std::io::Result<()> {
    let (sender, receiver) = channel(BACKLOG);
    let (stay, left) = presence();
    let key = Digest::of(&mcp.edge.gate.ports().entropy.bytes());
    let writer = tokio::spawn(write(output, receiver));
    let mut line = Line { mcp: mcp.clone(), identified, outbox: Outbox::new(sender), left, key, legacy: false };
    let mut under_way = JoinSet::new();
    let mut input = BufReader::new(input);
    let mut bytes = Vec::new();
    let limit = mcp.edge.settings.body_bytes_max;
    while let Some(whole) = next_line(&mut input, &mut bytes, limit).await? {
        while under_way.len() >= REQUESTS_MAX {
            under_way.join_next().await;
        }
        while under_way.try_join_next().is_some() {}
        if whole {
            line.take(&bytes, &mut under_way).await;
        } else {
            let fault = Fault::bad(INVALID_REQUEST, format!("a message is larger than {limit} bytes"));
            line.outbox.say(fault.message(None)).await;
        }
    }
    // Nobody listens any more: streams end and held calls wait no longer. What has begun gets its receipt.
    drop(stay);
    under_way.join_all().await;
    drop(line);
    let _ended = writer.await;
    Ok(())
}

/// The next line, in `bytes`; false when it was longer than `limit` and is skipped.
pub(super) async fn next_line(
    input: &mut (impl AsyncBufRead + Unpin),
    bytes: &mut Vec<u8>,
    limit: usize,
) -> std::io::Result<Option<bool>> {
    let mut whole = true;
    bytes.clear();
    loop {
        let read = (&mut *input).take(limit as u64 + 1).read_until(b'\n', bytes).await?;
        if read == 0 {
            return Ok((!bytes.is_empty() || !whole).then_some(whole));
        }
        if bytes.last() == Some(&b'\n') {
            return Ok(Some(whole));
        }
        if bytes.len() > limit {
            whole = false;
            bytes.clear();
        }
    }
}

async fn write(mut output: impl AsyncWrite + Unpin, mut receiver: Receiver<Event>) {
    while let Some(Event::Notice(message) | Event::Last(message)) = receiver.recv().await {
        let mut text = message.to_string();
        text.push('\n');
        if output.write_all(text.as_bytes()).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}

impl Line {
    async fn take(&mut self, bytes: &[u8], under_way: &mut JoinSet<()>) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match Frame::read(bytes) {
            Ok(Frame::Request { id, method, params }) => {
                if let Err(fault) = self.request(&id, method, params, under_way).await {
                    self.outbox.say(fault.message(Some(&id))).await;
                }
            }
            Ok(Frame::Notification { method, params }) => {
                if let (true, Some(id)) = (method == "notifications/cancelled", params.get("requestId")) {
                    self.mcp.under_way.call_off(self.key, id);
                }
            }
            Ok(Frame::Response) => {}
            Err(unreadable) => {
                self.outbox.say(unreadable.fault.message(unreadable.id.as_ref())).await;
            }
        }
    }

    async fn request(
        &mut self,
        id: &Value,
        method: String,
        params: Map<String, Value>,
        under_way: &mut JoinSet<()>,
    ) -> Result<(), Fault> {
        let modern = params.get("_meta").is_some_and(|meta| meta.get(VERSION_KEY).is_some());
        if !modern && method == "initialize" {
            let (answer, _) = handshake::initialize(&self.mcp, &self.identified, &params)?;
            let first = !std::mem::replace(&mut self.legacy, true);
            self.outbox.say(result(id, answer)).await;
            if first {
                self.tell(under_way);
            }
            return Ok(());
        }
        let speaks = if modern {
            Speaks::Modern(era::modern(None, &params)?.clone())
        } else if self.legacy || method == "ping" {
            Speaks::Legacy
        } else {
            return Err(Fault::bad(INVALID_REQUEST, "send `initialize` first, or speak 2026-07-28"));
        };
        let (place, cancelled) = self.mcp.under_way.enter(self.key, id);
        let client = self.client(speaks, cancelled);
        let (mcp, id) = (self.mcp.clone(), id.clone());
        under_way.spawn(async move { answer(&mcp, &client, &place, &id, &method, &params).await });
        Ok(())
    }

    fn client(&self, speaks: Speaks, cancelled: Gone) -> Client {
        Client {
            identified: self.identified.clone(),
            speaks,
            hints: Hints::default(),
            credential: None,
            outbox: Some(self.outbox.another()),
            left: self.left.clone(),
            cancelled,
        }
    }

    /// Legacy clients hear of changes without having asked.
    fn tell(&self, under_way: &mut JoinSet<()>) {
        let client = self.client(Speaks::Legacy, self.left.clone());
        let (mcp, outbox, notices) = (self.mcp.clone(), self.outbox.clone(), self.mcp.edge.notices.subscribe());
        under_way.spawn(async move { listen::tell(&mcp, &client, &outbox, notices, &Filter::all(), &json!({})).await });
    }
}

/// Answers one request, unless its client called it off: then nothing more is said about it.
async fn answer(mcp: &Arc<Mcp>, client: &Client, place: &Place, id: &Value, method: &str, params: &Map<String, Value>) {
    let answered = dispatch(mcp, client, id, method, params).await;
    let called_off = client.cancelled.is();
    mcp.under_way.leave(place);
    let message = match answered {
        Ok(answer) => result(id, answer),
        Err(fault) => fault.message(Some(id)),
    };
    match &client.outbox {
        Some(outbox) if called_off => outbox.close(),
        Some(outbox) => outbox.last(message).await,
        None => {}
    }
}
