//! Lists for people who look: everything is looked at, so every page is full while there is more.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::intent::Unavailable;
use remit_app::ports::Listing;
use remit_app::ports::listing::{Asked, Lapse, Latest, RunsAsked, SHEET_MAX, Sheet, SpanUse, Waiting};
use remit_app::question::{Question, QuestionState};
use remit_app::run::Run;
use remit_core::budget::{BudgetKey, Span};
use remit_evidence::writer::SignedRecord;

use super::MemoryStore;

#[async_trait]
impl Listing for MemoryStore {
    async fn waiting(&self, asked: &Waiting) -> Result<Sheet<Question, Lapse>, Unavailable> {
        let state = self.open()?;
        let waits = (1u64..)
            .zip(&state.questions)
            .filter(|(_, question)| question.state(asked.now) == QuestionState::Open && asked.takes(question));
        let mut waits: Vec<_> =
            waits.map(|(place, question)| (Lapse { at: question.expires_at, place }, question.clone())).collect();
        waits.sort_by_key(|(lapse, _)| *lapse);
        waits.retain(|(lapse, _)| asked.after.is_none_or(|after| *lapse > after));
        Ok(sheet(waits, asked.limit))
    }

    async fn count_waiting(&self, now: Timestamp) -> Result<u64, Unavailable> {
        let state = self.open()?;
        Ok(state.questions.iter().filter(|question| question.state(now) == QuestionState::Open).count() as u64)
    }

    async fn asked(&self, asked: &Asked) -> Result<Sheet<Question, u64>, Unavailable> {
        let state = self.open()?;
        let found = before(state.questions.iter(), asked.before).filter(|(_, question)| asked.takes(question));
        Ok(sheet(found.map(|(place, question)| (place, question.clone())).collect(), asked.limit))
    }

    async fn latest(&self, asked: &Latest) -> Result<Sheet<SignedRecord, u64>, Unavailable> {
        let state = self.open()?;
        let found = before(state.records.iter(), asked.before).filter(|(_, record)| asked.takes(record));
        Ok(sheet(found.map(|(place, record)| (place, record.clone())).collect(), asked.limit))
    }

    async fn run_sheet(&self, asked: &RunsAsked) -> Result<Sheet<Run, u64>, Unavailable> {
        let state = self.open()?;
        let runs = state.runs.iter().map(|(run, _)| run);
        let found = before(runs, asked.before).filter(|(_, run)| asked.takes(run));
        Ok(sheet(found.map(|(place, run)| (place, run.clone())).collect(), asked.limit))
    }

    async fn spans(&self, budget: &BudgetKey, limit: usize) -> Result<Vec<SpanUse>, Unavailable> {
        let state = self.open()?;
        let of_budget = state.budgets.iter().filter(|((key, _), _)| key == budget);
        let mut found: Vec<_> = of_budget
            .map(|((_, span), counter)| SpanUse {
                span: Span { id: span.clone(), ends: counter.ends },
                settled: counter.settled,
                reserved: counter.reserved,
            })
            .collect();
        found.sort_by(|a, b| b.span.id.cmp(&a.span.id));
        found.truncate(limit.clamp(1, SHEET_MAX));
        Ok(found)
    }
}

/// Rows with their places, counted from one, the newest first, before a place.
fn before<'a, T: 'a>(
    rows: impl ExactSizeIterator<Item = &'a T> + DoubleEndedIterator,
    before: Option<u64>,
) -> impl Iterator<Item = (u64, &'a T)> {
    let rows: Vec<_> = (1u64..).zip(rows).collect();
    rows.into_iter().rev().filter(move |(place, _)| before.is_none_or(|before| *place < before))
}

fn sheet<T, C: Copy>(found: Vec<(C, T)>, limit: usize) -> Sheet<T, C> {
    let most = limit.clamp(1, SHEET_MAX);
    let older = (found.len() > most).then(|| found.get(most - 1).map(|(place, _)| *place)).flatten();
    Sheet { items: found.into_iter().take(most).map(|(_, item)| item).collect(), older }
}
