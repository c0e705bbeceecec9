//! A preview: what an upstream says a held call would do.
//!
//! It is a call of its own, of a tool that only looks, decided and recorded like any other on behalf of the same
//! chain, in the same run. It never asks anybody, never uses an approval up, and is made once for a question. Nobody waits for
//! it: the question is stored before, and what comes of it is put beside the question afterwards.
//!
//! INVARIANT (a preview tells the agent nothing): its answer goes to people only. So it labels no run, and
//! no value that it repeats counts as named to the agent.

use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use remit_core::Snapshot;
use remit_core::ids::{Digest, QuestionId, RecordId};
use remit_core::registry::{self, Tool};
use remit_core::verdict::{Code, Decision, Refusal, Verdict};
use serde_json::{Value, json};

use crate::gate::{Gate, Reply, Request};
use crate::intent::{Carrier, Unavailable};
use crate::outcome::{Answer, Outcome};
use crate::permit::Passage;
use crate::question::{Question, QuestionState};
use crate::sight;

/// Longest text that is kept, in characters.
pub const PREVIEW_CHARS_MAX: usize = 8_000;
/// How long people are not told of a question whose preview is on its way.
const TOLD_AFTER: SignedDuration = SignedDuration::from_secs(8);
/// How long another gateway's preview is waited for.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// What is known of what a held call would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// It is on its way.
    Awaited,
    /// The upstream has answered. The text is the upstream's, whoever wrote it: it proves nothing.
    Shown {
        /// The tool that was called.
        tool: String,
        /// The beginning of what it answered.
        text: String,
        /// How many characters more there were.
        left_out: u64,
        /// Whether the tool itself says that it failed.
        failed: bool,
        /// The decision record of the call.
        record: RecordId,
    },
    /// There is none.
    Absent {
        /// Why, in the gateway's words.
        why: String,
    },
}

/// What a call is made for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// For what comes of it.
    Itself,
    /// For what comes of it, when somebody else carries it out.
    Elsewhere,
    /// To show people what the call of this question would do; with the record that asked.
    Preview(QuestionId, Digest),
}

impl Gate {
    /// Makes the preview that a question waits for, and puts it beside the question. It is given up when `give_up`
    /// completes. False when the question waits for none any more, or another gateway is at it.
    ///
    /// # Errors
    /// When the store is unavailable; the question still waits for its preview then.
    pub async fn preview(
        &self,
        id: &QuestionId,
        give_up: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Result<bool, Unavailable> {
        let Some(question) = self.ports.store.question(id).await? else { return Ok(false) };
        if question.preview != Some(Preview::Awaited) || question.state(self.now()) != QuestionState::Open {
            return Ok(false);
        }
        let Some(preview) = self.previewed(&question, give_up).await else { return Ok(false) };
        let attached = self.ports.store.attach_preview(id, preview, self.now()).await?;
        if attached {
            self.ports.notifier.question_changed(id);
        }
        Ok(attached)
    }

    /// What the upstream says; `None` when another gateway has asked it and waits for the answer.
    async fn previewed(
        &self,
        question: &Question,
        give_up: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Option<Preview> {
        let snapshot = self.snapshot.load_full();
        // Under the authority of now: where the tool has changed, the held call could not be made any more either.
        let Some((caller, preview)) = asked_of(&snapshot, question) else {
            return Some(absent("the tool of this call is not in force any more, or names no preview"));
        };
        let request = Request {
            caller,
            tool: preview.tool.to_string(),
            arguments: preview.arguments(&question.arguments),
            run: Some(question.run.clone()),
            idempotency: None,
            passage: Passage::default(),
            cancelled: Some(give_up),
        };
        let purpose = Purpose::Preview(question.id.clone(), question.decision);
        match self.carry_out(request, purpose).await {
            Reply::Done { record, outcome, .. } => Some(answered(&preview, record, outcome)),
            Reply::Held { refusal, .. } => Some(absent(&refused(&refusal))),
            Reply::Refused { refusal, .. } if refusal.code == Code::IdempotencyPending => {
                let since = self.now().duration_since(question.asked_at);
                (since > GIVEN_UP_AFTER).then(|| absent("what came of its call is not known"))
            }
            Reply::Refused { refusal, .. } => Some(absent(&refused(&refusal))),
        }
    }
}

impl Preview {
    /// What a question begins with whose call is of this tool.
    pub(crate) fn of(tool: &registry::Tool) -> Option<Self> {
        tool.preview.is_some().then_some(Self::Awaited)
    }

    /// From when on people are told of a question that was asked at this moment with this beside it.
    #[must_use]
    pub(crate) fn told_from(preview: Option<&Self>, asked_at: Timestamp) -> Timestamp {
        match preview {
            Some(Self::Awaited) => asked_at.checked_add(TOLD_AFTER).unwrap_or(asked_at),
            _ => asked_at,
        }
    }

    /// As sights, stores and answers write it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Awaited => json!({"state": "awaited"}),
            Self::Shown { tool, text, left_out, failed, record } => json!({
                "state": "shown", "tool": tool, "text": text, "left_out": left_out, "failed": failed,
                "record": record.as_str(),
            }),
            Self::Absent { why } => json!({"state": "absent", "why": why}),
        }
    }

    /// Reads what [`Preview::to_json`] writes.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        match value.get("state").and_then(Value::as_str)? {
            "awaited" => Some(Self::Awaited),
            "shown" => Some(Self::Shown {
                tool: text("tool")?,
                text: text("text")?,
                left_out: value.get("left_out").and_then(Value::as_u64)?,
                failed: value.get("failed").and_then(Value::as_bool)?,
                record: RecordId::parse(&text("record")?).ok()?,
            }),
            "absent" => Some(Self::Absent { why: text("why")? }),
            _ => None,
        }
    }
}

impl Purpose {
    /// The question whose preview it is.
    pub(crate) const fn previewed(&self) -> Option<&QuestionId> {
        match self {
            Self::Itself | Self::Elsewhere => None,
            Self::Preview(question, _) => Some(question),
        }
    }

    /// What its decision record points to.
    pub(crate) fn link(&self) -> Option<(&'static str, Digest)> {
        match self {
            Self::Itself | Self::Elsewhere => None,
            Self::Preview(_, decision) => Some(("previews", *decision)),
        }
    }

    /// Who carries out a call of this tool.
    pub(crate) fn carrier(&self, tool: &Tool) -> Carrier {
        match self {
            Self::Itself | Self::Preview(..) => Carrier::Gate,
            Self::Elsewhere => Carrier::Service { labels: tool.labels.clone() },
        }
    }

    /// Why a call for this purpose does not go ahead, whatever was decided: nobody is asked about a preview, and an
    /// approval is for the agent's own call.
    pub(crate) fn refuses(&self, decision: &Decision) -> Option<Refusal> {
        self.previewed()?;
        match &decision.verdict {
            Verdict::Ask { .. } => Some("people would have to be asked about it"),
            Verdict::Allow { approvals, .. } if !approvals.is_empty() => Some("it would use an approval up"),
            Verdict::Allow { .. } | Verdict::Deny(_) => None,
        }
        .map(|why| Refusal::new(Code::ApprovalRequired, why))
    }
}

/// Who asks for the preview of this question, and how; none where the tool is not in force any more.
fn asked_of(snapshot: &Snapshot, question: &Question) -> Option<(remit_core::Caller, registry::Preview)> {
    let held = sight::like(snapshot, question)?;
    let preview = held.tool.preview.clone()?;
    Some((held.caller, preview))
}

fn answered(preview: &registry::Preview, record: RecordId, outcome: Outcome) -> Preview {
    let shown = |text: &str, failed| {
        let (text, left_out) = match text.char_indices().nth(PREVIEW_CHARS_MAX) {
            None => (text, 0),
            Some((end, _)) => {
                let (head, rest) = text.split_at(end);
                (head, rest.chars().count() as u64)
            }
        };
        let (tool, text) = (preview.tool.to_string(), text.to_owned());
        Preview::Shown { tool, text, left_out, failed, record: record.clone() }
    };
    match outcome {
        Outcome::Completed(Answer::Result(result)) => {
            if result.get("resultType").is_some_and(|kind| kind != "complete") {
                return absent("the tool asked something back");
            }
            let failed = result.get("isError").and_then(Value::as_bool) == Some(true);
            match said(&result) {
                Some(text) => shown(&text, failed),
                None => absent("the tool answered without any text"),
            }
        }
        Outcome::Completed(Answer::Error { message, .. }) => shown(&message, true),
        Outcome::NotStarted { reason, .. } => absent(&reason),
        Outcome::Unknown { .. } => absent("the upstream did not answer in time, or not as it must"),
    }
}

/// The texts of an answer, or else what it holds as JSON.
fn said(result: &Value) -> Option<String> {
    let content = result.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<_> = content.filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
    if texts.iter().any(|text| !text.is_empty()) {
        return Some(texts.join("\n"));
    }
    result.get("structuredContent").and_then(|content| serde_json::to_string_pretty(content).ok())
}

fn refused(refusal: &Refusal) -> String {
    format!("its tool may not be called now: {}", crate::records::bounded(&refusal.reason))
}

fn absent(why: &str) -> Preview {
    Preview::Absent { why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outcome: Outcome) -> Preview {
        let tool = remit_core::ids::ToolName::parse("pay/preview").expect("a tool");
        let preview = registry::Preview { tool, arguments: None };
        answered(&preview, RecordId::parse("rec-1").expect("a record"), outcome)
    }

    fn text(result: Value) -> (String, u64, bool) {
        match answer(Outcome::Completed(Answer::Result(result))) {
            Preview::Shown { text, left_out, failed, .. } => (text, left_out, failed),
            other => (format!("{other:?}"), 0, true),
        }
    }

    #[test]
    fn what_is_shown_is_bounded_text() {
        assert_eq!(text(json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})).0, "a\nb");
        assert_eq!(text(json!({"content": [], "structuredContent": {"left": 3}})).0, "{\n  \"left\": 3\n}");
        let long = json!({"content": [{"type": "text", "text": "ü".repeat(PREVIEW_CHARS_MAX + 5)}], "isError": true});
        let (shown, left_out, failed) = text(long);
        assert_eq!((shown.chars().count(), left_out, failed), (PREVIEW_CHARS_MAX, 5, true));
        for nothing in [json!({}), json!({"content": [{"type": "image", "data": "x"}]}), json!({"resultType": "input"})]
        {
            let found = answer(Outcome::Completed(Answer::Result(nothing)));
            assert!(matches!(found, Preview::Absent { .. }), "{found:?}");
        }
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        let shown = Preview::Shown {
            tool: "pay/preview".into(),
            text: "- 5\n+ 4\u{202e}".into(),
            left_out: 7,
            failed: false,
            record: RecordId::parse("rec-1").expect("a record"),
        };
        for preview in [Preview::Awaited, shown, absent("it is closed")] {
            assert_eq!(Preview::read(&preview.to_json()), Some(preview));
        }
        for bad in [json!(null), json!({"state": "shown"}), json!({"state": "absent"}), json!({"state": "x"})] {
            assert_eq!(Preview::read(&bad), None, "{bad}");
        }
    }
}
