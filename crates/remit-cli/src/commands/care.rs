//! `remit delegate`, `remit reviews`, `remit approvers`: people's time and care.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::client::Access;
use crate::terminal::{Listing, Outcome, columns, say, say_json, text};

/// Let somebody vote in your place for a while; without a name, list who stands in for whom.
#[derive(Args)]
pub struct Delegate {
    /// Who votes in your place.
    #[arg(requires = "until", conflicts_with = "revoke")]
    to: Option<String>,
    /// Until when, at most 30 days from now: `2026-12-01T09:00:00Z`.
    #[arg(long, requires = "to")]
    until: Option<String>,
    /// Only under this approval rule.
    #[arg(long, requires = "to")]
    rule: Option<String>,
    /// Take this one back.
    #[arg(long, value_name = "DELEGATION")]
    revoke: Option<String>,
    /// The list as JSON.
    #[arg(long, conflicts_with_all = ["to", "revoke"])]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// List the calls that went through and wait for somebody to look at them; with a record, close its review.
#[derive(Args)]
pub struct Reviews {
    /// The record of a call that you have looked at.
    #[arg(requires = "note")]
    record: Option<String>,
    /// What you found.
    #[arg(long, requires = "record")]
    note: Option<String>,
    /// Object: it should not have gone through. Undoes nothing; it stands among the evidence about the agent.
    #[arg(long, requires = "record")]
    object: bool,
    /// List those that were closed, too.
    #[arg(long)]
    closed: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Show how much is asked of each approver, how they answer, and whether they denied what must be denied.
#[derive(Args)]
pub struct Approvers {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Delegate {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(id) = self.revoke {
            let answer = gateway.post(&format!("/admin/v1/delegations/{id}/revoke"), &json!({}))?;
            say(format!(
                "{id} {}",
                if answer["revoked"] == true { "is taken back" } else { "is none of yours in force" }
            ))?;
        } else if let Some(to) = self.to {
            let mut body = json!({"to": to, "until": self.until});
            if let Some(rule) = self.rule {
                body["rule"] = rule.into();
            }
            let made = gateway.post("/admin/v1/delegations", &body)?;
            say(format!(
                "{} may vote in your place until {}; take it back with `remit delegate --revoke {}`",
                text(&made["to"]),
                text(&made["until"]),
                text(&made["delegation"])
            ))?;
        } else {
            let answer = gateway.get("/admin/v1/delegations")?;
            let head = &["DELEGATION", "IN PLACE OF", "VOTES", "RULE", "UNTIL"];
            Listing { of: "delegations", none: "nobody stands in for anybody", head }.say(
                &answer,
                self.json,
                |lent| columns(lent, ["delegation", "from", "to", "rule", "until"]),
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Reviews {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(record) = self.record {
            let finding = if self.object { "objected" } else { "confirmed" };
            let review = gateway
                .post(&format!("/admin/v1/reviews/{record}"), &json!({"note": self.note, "finding": finding}))?;
            if self.json {
                say_json(&review)?;
            } else {
                say(format!("the review of {} is closed", text(&review["record"])))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let answer = gateway.get(&format!("/admin/v1/reviews?closed={}", self.closed))?;
        let head = &["RECORD", "AGENT", "FOR", "TOOL", "EFFECT", "WHEN", "LOOKED AT BY", "FOUND", "NOTE"];
        Listing { of: "reviews", none: "no call waits for a review", head }.say(&answer, self.json, |review| {
            let closed = columns(&review["closed"], ["by", "finding", "note"]);
            let effect = if review["effect_unknown"] == true { "unknown" } else { "-" };
            let (call, at) = (columns(review, ["record", "agent", "user", "tool"]), columns(review, ["at"]));
            [call, vec![effect.to_owned()], at, closed].concat()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Approvers {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let answer = self.access.open(folder)?.get("/admin/v1/approvers")?;
        let head = &["APPROVER", "OPEN", "VOTES", "LAST HOUR", "MEDIAN", "IN UNDER 5 S", "CANARIES DENIED / APPROVED"];
        Listing { of: "approvers", none: "nobody has voted, and nothing waits", head }.say(
            &answer,
            self.json,
            |a| {
                let median = a["median_ms"].as_u64().map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms / 1000));
                let quick = match (a["quick_approvals"].as_u64(), a["approvals"].as_u64()) {
                    (Some(quick), Some(all)) if all > 0 => format!("{} %", quick * 100 / all),
                    _ => "-".to_owned(),
                };
                let canaries = format!("{} / {}", text(&a["canaries_denied"]), text(&a["canaries_approved"]));
                [columns(a, ["approver", "open", "votes", "votes_last_hour"]), vec![median, quick, canaries]].concat()
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
