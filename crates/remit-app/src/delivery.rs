//! Deliveries: what people are to be told, through which channel, and how far that has come.
//!
//! A delivery without a channel is news that nobody has routed yet. Stores add it in the transaction that
//! makes the news, so no crash lies between asking people and owing them the message.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use remit_core::ids::{ChangeId, ChannelId, Digest, GrantId, QuestionId};

use crate::preview::Preview;
use crate::question::{Question, QuestionState};

/// Questions that are open for a shorter time are not worth a second message.
const REMINDED_SECS_MIN: i64 = 10 * 60;
/// Longest error that is kept, in characters.
pub const ERROR_CHARS_MAX: usize = 200;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A question was asked.
    Asked,
    /// It went to further people: how often it has by now, under all of its rules.
    Escalated(u8),
    /// It will lapse soon, and nobody has answered.
    Lapsing,
    /// It needs nobody any more: people have answered it, or put another call in its place.
    Answered,
    /// Its time is over, or another question took its place, and nobody has answered.
    Lapsed,
    /// A change that protects less waits for people.
    Proposed,
    /// Authority for emergencies was used.
    GlassBroken,
    /// Calls have waited for a review for long.
    ReviewsDue,
}

/// What something happened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A question.
    Question(QuestionId),
    /// A change of the authority.
    Change(ChangeId),
    /// A grant that somebody took in an emergency.
    Emergency(GrantId),
    /// The calls that wait for a review, on this day.
    Reviews(Date),
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it is about.
    pub about: Subject,
    /// What happened.
    pub event: Event,
    /// Through which channel; none while it is not routed.
    pub channel: Option<ChannelId>,
    /// When it happened.
    pub created_at: Timestamp,
    /// From when on it is to be tried.
    pub next_at: Timestamp,
    /// Until when a gateway is at it; others leave it alone for so long.
    pub claimed_until: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// How far it has come.
    pub state: DeliveryState,
    /// What went wrong the last time, in our own words: no text of a stranger, no address.
    pub last_error: Option<String>,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is to be tried, or tried again.
    Waiting,
    /// The channel has taken it.
    Delivered,
    /// It was given up.
    Dead,
}

/// What came of working on a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The channel has taken it.
    Delivered,
    /// It failed, and is tried again at this time.
    Later(Timestamp, String),
    /// It failed, and is given up.
    Dead(String),
    /// There is nothing to tell, or it was handed to channels: it is forgotten.
    Gone,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those about this.
    pub about: Option<Subject>,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// At most this many; zero means 100.
    pub limit: u32,
}

impl Delivery {
    /// A delivery that waits.
    #[must_use]
    pub fn new(about: impl Into<Subject>, event: Event, channel: Option<ChannelId>, at: Timestamp) -> Self {
        let (about, state) = (about.into(), DeliveryState::Waiting);
        let (claimed_until, attempts, last_error) = (None, 0, None);
        Self { about, event, channel, created_at: at, next_at: at, claimed_until, attempts, state, last_error }
    }

    /// Its name, the same for ever: a receiver that is told twice can tell.
    #[must_use]
    pub fn id(&self) -> String {
        let channel = self.channel.as_ref().map_or("", ChannelId::as_str);
        let text = format!("delivery/v1\n{}\n{}\n{channel}", self.about, self.event);
        let hex = Digest::of(text.as_bytes()).to_string();
        format!("dlv_{}", hex.get(..32).unwrap_or(&hex))
    }

    /// What a store owes people for a question that it stores: now, or as soon as its preview is there, once more when
    /// four fifths of its time are over, and when it lapses.
    #[must_use]
    pub fn owed(question: &Question) -> Vec<Self> {
        let asked = Self::new(question.id.clone(), Event::Asked, None, question.asked_at);
        // Told at once, a vote by a click would be on what is not shown any more a moment later.
        let mut owed =
            vec![Self { next_at: Preview::told_from(question.preview.as_ref(), question.asked_at), ..asked }];
        let open = question.expires_at.duration_since(question.asked_at);
        if open >= SignedDuration::from_secs(REMINDED_SECS_MIN)
            && let Ok(at) = question.asked_at.checked_add(open * 4 / 5)
        {
            owed.push(Self { next_at: at, ..Self::new(question.id.clone(), Event::Lapsing, None, question.asked_at) });
        }
        let lapsed = Self::new(question.id.clone(), Event::Lapsed, None, question.asked_at);
        owed.push(Self { next_at: question.expires_at, ..lapsed });
        owed
    }

    /// Whether a gateway may begin with it at this moment.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Waiting && self.due_at() <= now
    }

    /// From when on a gateway may begin with it.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        self.claimed_until.map_or(self.next_at, |until| until.max(self.next_at))
    }

    /// What a store owes people when a question needs nobody any more: after the last vote, or with another call in its
    /// place.
    #[must_use]
    pub fn owed_after(question: &Question, at: Timestamp) -> Option<Self> {
        let over = question.state(at) != QuestionState::Open;
        over.then(|| Self::new(question.id.clone(), Event::Answered, None, at))
    }
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Asked,
        Self::Escalated(0),
        Self::Lapsing,
        Self::Answered,
        Self::Lapsed,
        Self::Proposed,
        Self::GlassBroken,
        Self::ReviewsDue,
    ];

    /// What it happened to, by the text of that.
    #[must_use]
    pub fn subject(self, text: &str) -> Option<Subject> {
        match self {
            Self::Asked | Self::Escalated(_) | Self::Lapsing | Self::Answered | Self::Lapsed => {
                QuestionId::parse(text).ok().map(Subject::Question)
            }
            Self::Proposed => ChangeId::parse(text).ok().map(Subject::Change),
            Self::GlassBroken => GrantId::parse(text).ok().map(Subject::Emergency),
            Self::ReviewsDue => text.parse().ok().map(Subject::Reviews),
        }
    }

    /// Whether it is the same but for how often it has happened.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Its name for programs that are told.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Asked => "question.asked",
            Self::Escalated(_) => "question.escalated",
            Self::Lapsing => "question.lapsing",
            Self::Answered => "question.answered",
            Self::Lapsed => "question.lapsed",
            Self::Proposed => "change.proposed",
            Self::GlassBroken => "glass.broken",
            Self::ReviewsDue => "reviews.due",
        }
    }

    /// Reads the word of a column.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("escalated-") {
            Some(step) => step.parse().ok().map(Self::Escalated),
            None => {
                Self::ALL.into_iter().filter(|event| !matches!(event, Self::Escalated(_))).find(|e| e.as_str() == text)
            }
        }
    }

    /// The word, without the step.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Escalated(_) => "escalated",
            Self::Lapsing => "lapsing",
            Self::Answered => "answered",
            Self::Lapsed => "lapsed",
            Self::Proposed => "change_proposed",
            Self::GlassBroken => "glass_broken",
            Self::ReviewsDue => "reviews_due",
        }
    }

    /// Whether it asks something of people. Otherwise it is told only to those who were asked.
    #[must_use]
    pub const fn asks(self) -> bool {
        !matches!(self, Self::Answered | Self::Lapsed)
    }
}

impl From<QuestionId> for Subject {
    fn from(id: QuestionId) -> Self {
        Self::Question(id)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question(id) => id.fmt(f),
            Self::Change(id) => id.fmt(f),
            Self::Emergency(id) => id.fmt(f),
            Self::Reviews(day) => day.fmt(f),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escalated(step) => write!(f, "escalated-{step}"),
            event => f.write_str(event.as_str()),
        }
    }
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Dead];

    /// The word used in columns and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_one_question_event_and_channel() {
        let at = Timestamp::UNIX_EPOCH;
        let id = |about: &str, event, channel: Option<&str>| {
            let channel = channel.map(|name| ChannelId::parse(name).expect("a channel"));
            Delivery::new(QuestionId::parse(about).expect("a question"), event, channel, at).id()
        };
        let base = id("q-1", Event::Asked, Some("mail"));
        assert_eq!(base, id("q-1", Event::Asked, Some("mail")));
        assert_eq!(base.len(), 36);
        for other in [
            id("q-2", Event::Asked, Some("mail")),
            id("q-1", Event::Lapsing, Some("mail")),
            id("q-1", Event::Asked, Some("hook")),
            id("q-1", Event::Asked, None),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn events_read_as_they_are_shown() {
        for event in Event::ALL.into_iter().chain([Event::Escalated(7)]) {
            assert_eq!(Event::parse(&event.to_string()), Some(event));
            let about = event.subject("2026-11-21").expect("a subject");
            assert_eq!(about.to_string(), "2026-11-21");
        }
        for text in ["", "escalated", "escalated-", "escalated-256", "Asked"] {
            assert_eq!(Event::parse(text), None, "{text}");
        }
    }
}
