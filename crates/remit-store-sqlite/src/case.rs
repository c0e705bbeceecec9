//! The facts of one case. This is read before every decision, so it is a handful of look-ups by
//! primary key, each with a cached statement.

use remit_app::intent::{Basis, Case};
use remit_app::ports::CaseQuery;
use remit_app::question::{Question, QuestionState};
use remit_core::ids::{Digest, RuleId};
use remit_core::{CaseFile, RunFacts};
use rusqlite::Connection;

use crate::columns::amount;
use crate::failure::Failure;
use crate::halts::Halts;
use crate::{budgets, questions, runs};

/// Reads one case, inside one read transaction.
pub(crate) fn load(db: &Connection, query: &CaseQuery<'_>, halts: &Halts) -> Result<Case, Failure> {
    let (run, version) = run_facts(db, query)?;
    let mut states = Vec::with_capacity(query.budgets.len());
    for (budget, span, object) in &query.budgets {
        states.push(budgets::state(db, budget, span, object.as_deref())?);
    }
    let live = questions::live(db, &query.call, query.now)?;
    let denied = live.iter().rev().find(|question| question.state(query.now) == QuestionState::Denied);
    let refused = denied.and_then(|question| question.votes.iter().find(|vote| !vote.approve));
    let mut approvals = Vec::new();
    for (rule, definition, quorum) in query.rules {
        if let Some(question) = live.iter().find(|q| satisfies(q, query, rule, definition, *quorum)) {
            approvals.push((rule.clone(), question.id.clone()));
        }
    }
    let open = live.iter().rev().find(|question| question.state(query.now) == QuestionState::Open);
    Ok(Case {
        file: CaseFile {
            run,
            budgets: states,
            approved: approvals.iter().map(|(rule, _)| rule.clone()).collect(),
            refused: refused.map(|vote| vote.reason.clone()),
            halts: halts.list.clone(),
        },
        basis: Basis { halts: halts.version, run: version, approvals },
        open_question: open.map(|question| question.id.clone()),
    })
}

/// Whether people have satisfied this rule, as it is defined now, by this question. The votes are
/// counted against the quorum of now and that of the question: the definition covers it, so the two
/// differ only if somebody is mistaken.
fn satisfies(question: &Question, query: &CaseQuery<'_>, rule: &RuleId, definition: &Digest, quorum: u32) -> bool {
    let live = matches!(question.state(query.now), QuestionState::Approved | QuestionState::Open);
    let asked = question.rules.iter().find(|asked| asked.id == *rule && asked.definition == *definition);
    live && asked.is_some_and(|asked| question.yes(rule) >= quorum.max(asked.quorum) as usize)
}

/// The run and its version. A decision about a run that does not exist has nothing to rest on.
fn run_facts(db: &Connection, query: &CaseQuery<'_>) -> Result<(RunFacts, u64), Failure> {
    let mut statement = db.prepare_cached(
        "SELECT sensitivity, untrusted, marks, calls, spend, environment, release_phase, closed_at IS NOT NULL, version
         FROM runs WHERE id = ?1",
    )?;
    let mut rows = statement.query([query.run.as_str()])?;
    let row = rows.next()?.ok_or_else(|| Failure::rejected(format!("there is no run `{}`", query.run)))?;
    let facts = RunFacts {
        labels: runs::read_labels(row, 0)?,
        calls: amount(row.get(3)?),
        spend: amount(row.get(4)?),
        environment: row.get(5)?,
        release_phase: row.get(6)?,
        closed: row.get(7)?,
    };
    Ok((facts, amount(row.get(8)?)))
}
