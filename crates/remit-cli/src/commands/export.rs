//! `remit evidence export`: every record in order, to standard output or to a collector of logs. With a
//! cursor an export goes on where the last one ended: without gaps, and at worst with a repetition.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http::Method;
use remit_core::ids::Digest;
use remit_evidence::dsse::Envelope;
use serde_json::{Value, json};

use crate::client::{Access, Gateway, Receiver};
use crate::otlp;
use crate::terminal::{Failure, Outcome, block_on};

/// How many records are asked for at once.
const PAGE: usize = 500;
/// How often new records are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest wait before a collector is tried again.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Print every record as a line of JSON (envelope and disclosures), or send each to a collector of logs.
#[derive(Args)]
pub(super) struct Export {
    /// Only those of this run, with the delegations of the keys that signed them.
    #[arg(long)]
    run: Option<String>,
    /// Go on behind the record that this file names, and keep it up to date.
    #[arg(long)]
    cursor: Option<PathBuf>,
    /// Go on waiting for new records.
    #[arg(long)]
    follow: bool,
    /// Send each record as a log record of OTLP/HTTP (JSON) to this URL, such as http://localhost:4318/v1/logs.
    /// Disclosed values are not sent.
    #[arg(long)]
    otlp: Option<String>,
    /// A header for the collector, as `name: value`; may be repeated.
    #[arg(long = "header", requires = "otlp")]
    headers: Vec<String>,
    #[command(flatten)]
    access: Access,
}

impl Export {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        block_on(self.export(folder))?
    }

    async fn export(&self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let collector = self.otlp.as_deref().map(|url| Receiver::at(url, &self.headers)).transpose()?;
        let mut cursor = Cursor::open(self.cursor.clone())?;
        cursor.check(&gateway).await?;
        loop {
            let path = format!("/admin/v1/records?after={}&limit={PAGE}", cursor.after);
            let page = gateway.send(Method::GET, &path, None).await?;
            let records = page["records"].as_array().cloned().unwrap_or_default();
            let wanted: Vec<&Value> =
                records.iter().filter(|record| self.run.as_deref().is_none_or(|run| belongs(record, run))).collect();
            match &collector {
                None => print(&wanted)?,
                Some(_) if wanted.is_empty() => {}
                Some(collector) => self.send(collector, &wanted).await?,
            }
            if let Some(last) = records.last() {
                cursor.move_to(records.len() as u64, last)?;
            }
            if records.len() == PAGE {
                continue;
            }
            if !self.follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Sends a page, whole. While it follows, a collector that is away or busy is waited for.
    async fn send(&self, collector: &Receiver, records: &[&Value]) -> Result<(), Failure> {
        let url = self.otlp.as_deref().unwrap_or_default();
        let logs =
            records.iter().map(|record| statement(record).map(|(statement, digest)| otlp::record(&statement, &digest)));
        let body = otlp::request(logs.collect::<Result<Vec<_>, _>>()?);
        let mut wait = LOOK_EVERY;
        loop {
            let why = match collector.send(&body).await? {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) if status.as_u16() == 429 || status.is_server_error() => status.to_string(),
                Ok(status) => {
                    return Err(Failure::said(format!("the collector at {url} refused the records: {status}")));
                }
                Err(why) => why,
            };
            if !self.follow {
                return Err(Failure::said(format!("the collector at {url} did not take the records: {why}")));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }
}

fn print(records: &[&Value]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut lines = records.iter().map(|record| remit_core::plain::json(&record.to_string()));
    let printed = lines.try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    printed.map_err(|error| Failure::Io("standard output".into(), error))
}

/// A record's statement, and the digest by which others refer to it.
fn statement(record: &Value) -> Result<(Value, Digest), Failure> {
    let bad = |error: String| Failure::said(format!("the gateway sent something that is no record: {error}"));
    let envelope =
        Envelope::parse(record["envelope"].to_string().as_bytes()).map_err(|error| bad(error.to_string()))?;
    let statement = remit_core::json::parse(&envelope.payload).map_err(|error| bad(error.to_string()))?;
    Ok((statement, envelope.digest()))
}

/// Whether a record is of this run, or delegates a key: without the delegations nothing else could be verified.
fn belongs(record: &Value, run: &str) -> bool {
    statement(record).is_ok_and(|(s, _)| s["predicate"]["kind"] == "key" || s["predicate"]["run"]["id"] == run)
}

/// How far an export has come.
struct Cursor {
    file: Option<PathBuf>,
    after: u64,
    /// The digest of the last record that was exported.
    last: Option<Digest>,
}

impl Cursor {
    fn open(file: Option<PathBuf>) -> Result<Self, Failure> {
        let none = Self { file: file.clone(), after: 0, last: None };
        let Some(path) = file.filter(|path| path.exists()) else { return Ok(none) };
        let at = |error| Failure::Io(path.display().to_string(), error);
        let read = remit_core::json::parse(&std::fs::read(&path).map_err(at)?).ok();
        let after = read.as_ref().and_then(|cursor| cursor["after"].as_u64());
        let last = read.as_ref().and_then(|cursor| Digest::from_hex(cursor["last"].as_str()?));
        match (after, last) {
            (Some(after), Some(last)) => Ok(Self { after, last: Some(last), ..none }),
            _ => Err(Failure::said(format!("`{}` is no cursor of an export", path.display()))),
        }
    }

    /// The record before the next one must be the one that was exported last: else these are the records
    /// of another gateway, or of an older copy of its store, and going on would leave a gap.
    async fn check(&self, gateway: &Gateway) -> Result<(), Failure> {
        let (Some(last), Some(before)) = (self.last, self.after.checked_sub(1)) else { return Ok(()) };
        let page = gateway.send(Method::GET, &format!("/admin/v1/records?after={before}&limit=1"), None).await?;
        let found = page["records"].get(0).map(statement).transpose()?;
        match found {
            Some((_, digest)) if digest == last => Ok(()),
            _ => Err(Failure::said(format!(
                "record {} of this gateway is not the one that was exported last: another gateway, or an older copy",
                self.after
            ))),
        }
    }

    /// Remembers the last record of a page, once the page has arrived.
    fn move_to(&mut self, records: u64, last: &Value) -> Result<(), Failure> {
        let (_, digest) = statement(last)?;
        self.after = self.after.saturating_add(records);
        self.last = Some(digest);
        let Some(path) = &self.file else { return Ok(()) };
        let at = |error| Failure::Io(path.display().to_string(), error);
        let text = json!({"after": self.after, "last": digest.to_string()}).to_string();
        let draft = path.with_extension("draft");
        let mut file = std::fs::File::create(&draft).map_err(at)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
        std::fs::rename(&draft, path).map_err(at)
    }
}
