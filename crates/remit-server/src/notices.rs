//! Notices: "something happened, look again". Losing one loses no fact.

use remit_app::ports::Notifier;
use remit_core::ids::QuestionId;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::sync::watch;

/// How many notices a slow listener may be behind before it is told that it missed some.
const BACKLOG: usize = 1024;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A question was asked or answered.
    Question(QuestionId),
    /// The authority, a halt or a tool changed.
    Authority,
}

/// Tells everybody who listens.
pub struct Notices {
    told: Sender<Notice>,
    ended: watch::Sender<bool>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { told: channel(BACKLOG).0, ended: watch::Sender::new(false) }
    }
}

impl Notices {
    /// Listens from now on. Listen first and look at the store second, or a notice in between is missed.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<Notice> {
        self.told.subscribe()
    }

    /// Says that the gateway stops: whoever only listens would otherwise keep it from ending.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Turns true when the gateway stops.
    #[must_use]
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }
}

impl Notifier for Notices {
    fn question_changed(&self, question: &QuestionId) {
        let _nobody_listens = self.told.send(Notice::Question(question.clone()));
    }

    fn authority_changed(&self) {
        let _nobody_listens = self.told.send(Notice::Authority);
    }
}
