//! How values look in columns. The domain's types carry no serialisation of their own: what the file
//! says is this adapter's affair, and is written down here.

use jiff::Timestamp;
use remit_app::outcome::{Answer, Outcome};
use remit_core::budget::{BudgetKey, Reservation, Span, Unit};
use remit_core::ids::Digest;
use remit_core::verdict::Code;
use serde_json::{Value, json};

use crate::failure::Failure;

/// An amount as a column holds it; what does not fit becomes the largest, which is never more.
pub(crate) fn int(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// An amount from a column.
pub(crate) fn amount(int: i64) -> u64 {
    u64::try_from(int).unwrap_or(0)
}

/// A time as a column holds it.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A time from a column.
pub(crate) fn time(micros: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_microsecond(micros).map_err(|error| malformed("time", &error.to_string()))
}

/// A digest from a column.
pub(crate) fn digest(bytes: Vec<u8>) -> Result<Digest, Failure> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| malformed("digest", "not 32 bytes"))
}

/// A JSON value as it came in. The strict reader keeps numbers exactly; what only the lenient one
/// takes was once accepted by somebody else and is better than nothing.
pub(crate) fn value(text: &str) -> Result<Value, Failure> {
    remit_core::json::parse(text.as_bytes())
        .or_else(|_| serde_json::from_str(text))
        .map_err(|error| malformed("JSON", &error.to_string()))
}

pub(crate) fn malformed(what: &str, why: &str) -> Failure {
    Failure::rejected(format!("a stored {what} is malformed: {why}"))
}

/// `[[key, unit, span, ends, limit, amount, object], …]`
pub(crate) fn reservations_text(reservations: &[Reservation]) -> String {
    let rows = reservations.iter().map(|r| {
        let ends = r.span.ends.map(|at| at.to_string());
        json!([r.key.0, r.unit.as_str(), r.span.id, ends, r.limit, r.amount, r.object])
    });
    Value::Array(rows.collect()).to_string()
}

/// Reads [`reservations_text`] back.
pub(crate) fn reservations(text: &str) -> Result<Vec<Reservation>, Failure> {
    let rows: Vec<Value> = serde_json::from_str(text).map_err(|e| malformed("reservation", &e.to_string()))?;
    rows.iter().map(|row| reservation(row).ok_or_else(|| malformed("reservation", "unexpected shape"))).collect()
}

fn reservation(row: &Value) -> Option<Reservation> {
    let text = |at: usize| row.get(at).and_then(Value::as_str).map(ToOwned::to_owned);
    let unit = text(1)?;
    let unit = [Unit::Calls, Unit::MicroUsd, Unit::Objects].into_iter().find(|u| u.as_str() == unit)?;
    let ends = match text(3) {
        Some(ends) => Some(ends.parse().ok()?),
        None => None,
    };
    Some(Reservation {
        key: BudgetKey(text(0)?),
        unit,
        span: Span { id: text(2)?, ends },
        limit: row.get(4)?.as_u64()?,
        amount: row.get(5)?.as_u64()?,
        object: text(6),
    })
}

/// An outcome in four columns: which, its code, its text, its value.
pub(crate) struct OutcomeColumns {
    pub outcome: String,
    pub code: Option<String>,
    pub reason: Option<String>,
    pub answer: Option<String>,
}

impl OutcomeColumns {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let row = |outcome: &str, code: Option<String>, reason: Option<&String>, answer: Option<&Value>| Self {
            outcome: outcome.to_owned(),
            code,
            reason: reason.cloned(),
            answer: answer.map(ToString::to_string),
        };
        match outcome {
            Outcome::Completed(Answer::Result(value)) => row("result", None, None, Some(value)),
            Outcome::Completed(Answer::Error { code, message, data }) => {
                row("error", Some(code.to_string()), Some(message), data.as_ref())
            }
            Outcome::NotStarted { code, reason } => {
                row("not_started", Some(code.as_str().to_owned()), Some(reason), None)
            }
            Outcome::Unknown { code, reason } => row("unknown", Some(code.as_str().to_owned()), Some(reason), None),
        }
    }

    pub(crate) fn read(self) -> Result<Outcome, Failure> {
        let shape = || malformed("outcome", "unexpected shape");
        let code = |text: Option<String>| {
            let text = text.ok_or_else(shape)?;
            Code::ALL.into_iter().find(|code| code.as_str() == text).ok_or_else(shape)
        };
        let data = self.answer.as_deref().map(value).transpose()?;
        let reason = self.reason.ok_or_else(shape);
        Ok(match self.outcome.as_str() {
            "result" => Outcome::Completed(data.map_or_else(Answer::forgotten, Answer::Result)),
            "error" => {
                let code = self.code.and_then(|code| code.parse().ok()).ok_or_else(shape)?;
                Outcome::Completed(Answer::Error { code, message: reason?, data })
            }
            "not_started" => Outcome::NotStarted { code: code(self.code)?, reason: reason? },
            "unknown" => Outcome::Unknown { code: code(self.code)?, reason: reason? },
            _ => return Err(shape()),
        })
    }
}
