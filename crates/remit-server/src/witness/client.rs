//! A witness of others, reached over HTTP. Owns the limits of time and size, and believes no
//! cosignature that it has not verified with a key it was given beforehand.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use remit_app::witness::{Declined, Witness};
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::{Checkpoint, decimal};
use remit_evidence::log::note::{Note, SignatureLine};
use remit_evidence::log::vkey::VerifierKey;

use super::http::SIZE_TYPE;
use super::request::write;
use crate::upstream::http::{HttpClient, client, endpoint};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest text of a refusal that is passed on.
const TEXT_CHARS_MAX: usize = 200;

/// Where a witness is and who it is.
#[derive(Clone, Debug)]
pub struct Address {
    /// The prefix below which checkpoints are submitted.
    pub submission: String,
    /// The prefix below which they are shown; often the same.
    pub monitoring: String,
    /// Its keys, all under one name. Only these are believed.
    pub keys: Vec<VerifierKey>,
    /// How long an exchange may take.
    pub patience: Duration,
}

/// A witness that is reached over HTTP.
pub struct Remote {
    client: HttpClient,
    submit: Uri,
    monitoring: String,
    keys: Vec<VerifierKey>,
    patience: Duration,
}

impl Remote {
    /// The way to a witness. Nothing is sent yet.
    ///
    /// # Errors
    /// Says in the operator's words what is wrong with the address.
    pub fn new(address: &Address) -> Result<Self, String> {
        let Some(first) = address.keys.first() else { return Err("a witness needs a key".into()) };
        if address.keys.iter().any(|key| key.name() != first.name()) {
            return Err("the keys of a witness have one name".into());
        }
        if let Some(key) = address.keys.iter().find(|key| !key.algorithm().is_timed()) {
            return Err(format!("`{key}` is no key of a witness: it makes no cosignatures"));
        }
        let monitoring = address.monitoring.trim_end_matches('/').to_owned();
        endpoint(&monitoring)?;
        let submit = endpoint(&format!("{}/add-checkpoint", address.submission.trim_end_matches('/')))?;
        Ok(Self { client: client()?, submit, monitoring, keys: address.keys.clone(), patience: address.patience })
    }

    /// Sends a request and reads the whole answer.
    async fn exchange(&self, method: Method, uri: Uri, body: String) -> Result<(StatusCode, String, String), Declined> {
        let whole = async {
            let request = Request::builder().method(method).uri(uri).body(Full::new(Bytes::from(body)));
            let answer = self.client.request(request.map_err(unreachable)?).await.map_err(unreachable)?;
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let (status, kind) = (answer.status(), kind.to_owned());
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Declined::Unreachable(error.to_string()))?.to_bytes();
            let text = String::from_utf8(body.to_vec()).map_err(unreachable)?;
            Ok((status, kind, text))
        };
        let late = || Declined::Unreachable(format!("no answer within {} ms", self.patience.as_millis()));
        tokio::time::timeout(self.patience, whole).await.unwrap_or_else(|_| Err(late()))
    }

    /// The lines of its own keys, every one of them verified and with a time. Lines of others are dropped.
    fn believed(&self, checkpoint: &Note, answer: &str) -> Result<Vec<SignatureLine>, Declined> {
        let not = |why: &str| Declined::Unreachable(format!("its answer is no cosignature: {why}"));
        let lines = answer.strip_suffix('\n').ok_or_else(|| not("it does not end"))?.split('\n');
        let lines: Result<Vec<SignatureLine>, _> = lines.map(SignatureLine::parse).collect();
        let mut lines = lines.map_err(|error| not(&error.to_string()))?;
        let known =
            |line: &SignatureLine| self.keys.iter().any(|key| key.name() == line.name() && key.id() == line.id());
        lines.retain(known);
        let mut note = Note::sign(checkpoint.text(), &[], 0).map_err(|error| not(&error.to_string()))?;
        lines.iter().for_each(|line| note.push(line.clone()));
        let seals = note.seals(&self.keys).map_err(|error| not(&error.to_string()))?;
        if seals.iter().any(|seal| seal.time.unwrap_or_default() == 0) {
            return Err(not("it states no time"));
        }
        Ok(lines)
    }
}

#[async_trait]
impl Witness for Remote {
    fn name(&self) -> &str {
        self.keys.first().map_or("", VerifierKey::name)
    }

    async fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Digest],
        checkpoint: &Note,
    ) -> Result<Vec<SignatureLine>, Declined> {
        let body = write(old, proof, checkpoint);
        let (status, kind, answer) = self.exchange(Method::POST, self.submit.clone(), body).await?;
        match status.as_u16() {
            200 => self.believed(checkpoint, &answer),
            409 => {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                let size = answer.strip_suffix('\n').and_then(decimal).filter(|_| kind.eq_ignore_ascii_case(SIZE_TYPE));
                Err(size.map_or_else(|| strange(status, &answer), Declined::Seen))
            }
            422 => Err(Declined::Inconsistent(shown(&answer))),
            400 | 403 | 404 => Err(Declined::Refused(format!("{status}: {}", shown(&answer)))),
            _ => Err(strange(status, &answer)),
        }
    }

    async fn latest(&self, origin: &str) -> Result<Option<Note>, Declined> {
        let not = |why: String| Declined::Unreachable(format!("what it shows is no checkpoint it cosigned: {why}"));
        let uri = format!("{}/{}/checkpoint", self.monitoring, Digest::of(origin.as_bytes()));
        let uri = uri.parse().map_err(unreachable)?;
        let (status, _, answer) = self.exchange(Method::GET, uri, String::new()).await?;
        match status.as_u16() {
            200 => {
                let note = Note::parse(answer.as_bytes()).map_err(|error| not(error.to_string()))?;
                note.seals(&self.keys).map_err(|error| not(error.to_string()))?;
                let head = Checkpoint::parse(note.text()).map_err(|error| not(error.to_string()))?;
                if head.origin == origin { Ok(Some(note)) } else { Err(not("it is of another log".into())) }
            }
            404 => Ok(None),
            _ => Err(strange(status, &answer)),
        }
    }
}

fn unreachable(error: impl std::error::Error) -> Declined {
    // The interesting part stands at the end of the chain.
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Declined::Unreachable(text)
}

fn strange(status: StatusCode, answer: &str) -> Declined {
    Declined::Unreachable(format!("it answered {status}: {}", shown(answer)))
}

/// What a stranger wrote, as it may stand in a line of a log.
fn shown(answer: &str) -> String {
    answer.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
