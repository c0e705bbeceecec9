//! The facts of one case. This is read before every decision, so it is a handful of look-ups by
//! primary key, each with a cached statement.

use std::sync::{Mutex, PoisonError};

use remit_app::intent::{Basis, Case};
use remit_app::ports::CaseQuery;
use remit_app::question::{Question, QuestionState};
use remit_core::CaseFile;
use remit_core::ids::{Digest, RuleId};
use rusqlite::Connection;

use crate::book::Book;
use crate::failure::Failure;
use crate::halts::Halts;
use crate::{budgets, questions, runs};

/// The case as far as the book tells it: most calls belong to a run that is under way, draw on budgets
/// that were drawn on before, and were never asked about. Then the file is not looked at.
pub(crate) fn at_hand(book: &Book, query: &CaseQuery<'_>, halts: &Halts) -> Option<Case> {
    if book.was_asked(&query.call) || book.halts != halts.version {
        return None;
    }
    let page = book.run(query.run)?;
    let budgets = query.budgets.iter().map(|(b, span, object)| budgets::at_hand(book, b, span, object.as_deref()));
    let budgets = budgets.collect::<Option<Vec<_>>>()?;
    let (run, version, halts_version) = (page.facts.clone(), page.version, halts.version);
    let (approved, approvals, halts) = (Vec::new(), Vec::new(), halts.list.clone());
    Some(Case {
        file: CaseFile {
            run,
            budgets,
            approved,
            refused: None,
            narrowed: None,
            halts,
            origins: Vec::new(),
            grants: Vec::new(),
        },
        basis: Basis { halts: halts_version, run: version, grants: 0, approvals },
        open_question: None,
        salt: None,
        narrowed: None,
    })
}

/// Reads one case inside one read transaction, and from the book what is ahead of the file.
pub(crate) fn load(
    db: &Connection,
    book: Option<&Mutex<Book>>,
    query: &CaseQuery<'_>,
    halts: &Halts,
) -> Result<Case, Failure> {
    let book = || book.map(|book| book.lock().unwrap_or_else(PoisonError::into_inner));
    let page = book()
        .and_then(|book| book.run(query.run).cloned())
        .map_or_else(|| runs::page(db, query.run), |page| Ok(Some(page)))?;
    // A decision about a run that does not exist has nothing to rest on.
    let page = page.ok_or_else(|| Failure::rejected(format!("there is no run `{}`", query.run)))?;
    let mut states = Vec::with_capacity(query.budgets.len());
    for (budget, span, object) in &query.budgets {
        let counter = book().and_then(|book| book.counter(&budget.key.0, span).cloned());
        states.push(budgets::state(db, counter.as_ref(), budget, span, object.as_deref())?);
    }
    let live = questions::live(db, &query.call, query.now)?;
    let refused = live.iter().rev().find_map(|question| question.denial(query.now));
    let narrowed = live.iter().rev().find_map(|question| question.narrowed.clone());
    // What was approved under another salt was approved in a race that somebody else has won: the records of the call
    // that is made could not name it.
    let salt = live.last().map(|question| question.salt);
    let mut approvals = Vec::new();
    for (rule, definition, quorum) in query.rules {
        if let Some(question) =
            live.iter().find(|q| Some(q.salt) == salt && satisfies(q, query, rule, definition, *quorum))
        {
            approvals.push((rule.clone(), question.id.clone()));
        }
    }
    let open = live.iter().rev().find(|question| question.state(query.now) == QuestionState::Open);
    Ok(Case {
        file: CaseFile {
            run: page.facts,
            budgets: states,
            approved: approvals.iter().map(|(rule, _)| rule.clone()).collect(),
            refused: refused.map(str::to_owned),
            narrowed: narrowed.as_ref().map(|narrowed| narrowed.reason.clone()),
            halts: halts.list.clone(),
            origins: Vec::new(),
            grants: Vec::new(),
        },
        basis: Basis { halts: halts.version, run: page.version, grants: 0, approvals },
        open_question: open.map(|question| question.id.clone()),
        salt,
        narrowed,
    })
}

/// Whether people have satisfied this rule, as it is defined now, by this question. The votes are
/// counted against the quorum of now and that of the question: the definition covers it, so the two
/// differ only if somebody is mistaken.
fn satisfies(question: &Question, query: &CaseQuery<'_>, rule: &RuleId, definition: &Digest, quorum: u32) -> bool {
    let live = question.usable(query.run, query.now);
    let asked = question.rules.iter().find(|asked| asked.id == *rule && asked.definition == *definition);
    live && asked.is_some_and(|asked| question.yes(rule) >= quorum.max(asked.quorum) as usize)
}
