//! Notices: "something happened, look again". Losing one loses no fact.

use remit_app::ports::Notifier;
use remit_core::ids::QuestionId;
use tokio::sync::broadcast::{Receiver, Sender, channel};

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
pub struct Notices(Sender<Notice>);

impl Default for Notices {
    fn default() -> Self {
        Self(channel(BACKLOG).0)
    }
}

impl Notices {
    /// Listens from now on. Listen first and look at the store second, or a notice in between is missed.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<Notice> {
        self.0.subscribe()
    }
}

impl Notifier for Notices {
    fn question_changed(&self, question: &QuestionId) {
        let _nobody_listens = self.0.send(Notice::Question(question.clone()));
    }

    fn authority_changed(&self) {
        let _nobody_listens = self.0.send(Notice::Authority);
    }
}
