//! Escalation: when nobody has decided for a while, others are asked besides, and they are told once.
//!
//! Whose votes count follows from the rule and the time alone, so nothing here has to run for it. What runs here
//! notices that a step is due, and says so exactly once.

use jiff::Timestamp;
use remit_core::Snapshot;
use remit_core::ids::{QuestionId, RuleId};

use crate::delivery::Event;
use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::question::Question;
use crate::sight;

/// How many questions are read together.
const AT_ONCE: u32 = 200;

/// A step of an escalation that a question has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The question.
    pub question: QuestionId,
    /// The rule.
    pub rule: RuleId,
    /// The step, counted from one.
    pub step: usize,
    /// When it was noticed.
    pub at: Timestamp,
}

impl Gate {
    /// Notices the steps that are in force by now, by the clock or because a person said so, and tells whoever
    /// listens about each of them once, over restarts too. Returns how many it noticed.
    ///
    /// # Errors
    /// When the store is unavailable; what was not noticed is noticed the next time.
    pub async fn notice_steps(&self, now: Timestamp) -> Result<usize, Unavailable> {
        let snapshot = self.snapshot.load_full();
        let mut noticed = 0;
        loop {
            let due = self.ports.store.steps_due(now, AT_ONCE).await?;
            for question in &due {
                noticed += self.notice(&snapshot, question, now).await?;
            }
            if due.len() < AT_ONCE as usize {
                return Ok(noticed);
            }
        }
    }

    /// Notices the steps of one question, and says when the next one comes.
    async fn notice(&self, snapshot: &Snapshot, question: &Question, now: Timestamp) -> Result<usize, Unavailable> {
        let (mut noticed, mut next) = (0, None);
        for asked in &question.rules {
            // Under a rule that has changed since nobody's vote counts, so nobody is called in either.
            let Some(rule) = snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition) else {
                continue;
            };
            let due = sight::hour(rule, question, now).steps;
            next = next.into_iter().chain(rule.next_step(question.asked_at, due)).min();
            if due == 0 || question.yes(&asked.id) >= asked.quorum as usize {
                continue;
            }
            let reached = self.ports.store.steps_reached(&question.id, &asked.id).await?;
            for step in reached + 1..=due {
                // Owed before it is written down that the step was reached: a crash between the two says the
                // same again, and the same is told once.
                let event = Event::Escalated(self.steps_so_far(question).await?.saturating_add(1));
                self.tell(&question.id, event).await?;
                let (id, rule) = (question.id.clone(), asked.id.clone());
                if self.ports.store.reach_step(Mark { question: id, rule, step, at: now }).await? {
                    self.ports.notifier.escalated(&question.id, &asked.id, step);
                    noticed += 1;
                }
            }
        }
        if let Some(from) = question.step_at {
            self.ports.store.plan_step(&question.id, from, next.filter(|at| *at > now)).await?;
        }
        Ok(noticed)
    }

    /// How many steps a question has reached, under all of its rules.
    async fn steps_so_far(&self, question: &Question) -> Result<u8, Unavailable> {
        let mut steps = 0;
        for asked in &question.rules {
            steps += self.ports.store.steps_reached(&question.id, &asked.id).await?;
        }
        Ok(u8::try_from(steps).unwrap_or(u8::MAX))
    }
}
