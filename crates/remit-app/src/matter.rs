//! What a delivery is about, as it is at this moment, and what is said of what is no question.

use jiff::{SignedDuration, Timestamp};
use remit_core::steering::Deed;

use crate::access::Given;
use crate::change::{Change, ChangeState};
use crate::delivery::{Delivery, Event, Subject};
use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::message::{Fact, Message, Recipient, said};
use crate::question::{Question, QuestionState};
use crate::records::millis;
use crate::review::Backlog;

/// How many of the things that a change weakens are named.
const NAMED: usize = 8;

/// What a delivery is about.
#[derive(Clone, Debug)]
pub(crate) enum Matter {
    Question(Box<Question>),
    Change(Box<Change>),
    Emergency(Box<Given>),
    Reviews(Backlog),
}

impl Gate {
    /// What this delivery is about; none when there is nothing to tell of it any more.
    pub(crate) async fn matter(&self, delivery: &Delivery, now: Timestamp) -> Result<Option<Matter>, Unavailable> {
        let store = &self.ports.store;
        Ok(match &delivery.about {
            Subject::Question(id) => {
                let found = store.question(id).await?;
                let current = |question: &Question| match delivery.event {
                    // Whoever was told that it is answered need not hear that it has lapsed, too.
                    Event::Lapsed => was_open_to_the_end(question) && question.state(now) == QuestionState::Expired,
                    event => !event.asks() || question.state(now) == QuestionState::Open,
                };
                found.filter(current).map(|question| Matter::Question(Box::new(question)))
            }
            Subject::Change(id) => {
                let found = store.change(id).await?.filter(|change| change.state(now) == ChangeState::Open);
                found.map(|change| Matter::Change(Box::new(change)))
            }
            Subject::Emergency(id) => {
                store.grant(id).await?.filter(Given::unreviewed).map(|given| Matter::Emergency(Box::new(given)))
            }
            Subject::Reviews(_) => Some(store.backlog().await?).filter(|due| due.waiting > 0).map(Matter::Reviews),
        })
    }
}

/// Whether people could have answered it until its time was over.
fn was_open_to_the_end(question: &Question) -> bool {
    let before = question.expires_at.checked_sub(SignedDuration::from_micros(1));
    before.is_ok_and(|before| question.state(before) == QuestionState::Open)
}

impl Matter {
    /// From when on it tells nobody anything.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Question(question) => Some(question.expires_at),
            Self::Change(change) => Some(change.expires_at),
            Self::Emergency(_) | Self::Reviews(_) => None,
        }
    }

    /// What whoever is written to must be let do.
    pub const fn deed(&self) -> Deed {
        match self {
            Self::Question(_) => Deed::Vote,
            Self::Change(_) => Deed::Change,
            Self::Emergency(_) | Self::Reviews(_) => Deed::Review,
        }
    }
}

/// A message about what is no question: our own words and names of the configuration only.
pub(crate) fn message(matter: &Matter, delivery: &Delivery, to: Vec<Recipient>, console: &str) -> Option<Message> {
    let (title, said, page, facts) = match matter {
        Matter::Question(_) => return None,
        Matter::Change(change) => of_change(change),
        Matter::Emergency(given) => of_emergency(given)?,
        Matter::Reviews(backlog) => of_reviews(*backlog),
    };
    Some(Message {
        id: delivery.id(),
        kind: delivery.event.kind().to_owned(),
        at: delivery.created_at,
        title,
        said,
        link: Some(format!("{}/console{page}", console.trim_end_matches('/'))),
        to,
        facts,
        news: None,
    })
}

/// Title, what it means, on which page of the console to look, facts.
type Said = (String, &'static str, String, Vec<Fact>);

const fn fact(name: &'static str, label: &'static str, text: String) -> Fact {
    Fact { name, label, text }
}

fn of_change(change: &Change) -> Said {
    let count = change.weakens.len();
    let title = format!("A change waits for people: it protects less in {count} {}", things(count));
    let named = change.weakens.iter().take(NAMED).map(|weakens| weakens.what.as_str()).collect::<Vec<_>>().join("; ");
    let rest = count.saturating_sub(NAMED);
    let named = if rest == 0 { named } else { format!("{named}; and {rest} more") };
    let yes = change.votes.iter().filter(|vote| vote.approve).count();
    let mut facts =
        vec![fact("change", "Change", change.id.to_string()), fact("weakens", "It protects less", said(&named))];
    facts.extend(change.by.as_ref().map(|by| fact("by", "Put forward by", by.to_string())));
    facts.push(fact("needs", "Needs", format!("{} people, {yes} said yes", change.needed)));
    facts.push(fact("expires_at", "Open until", change.expires_at.to_string()));
    let meaning =
        "The configuration was changed so that it protects less. It is not in force until people have approved it.";
    (title, meaning, format!("/changes/{}", change.id), facts)
}

fn of_emergency(given: &Given) -> Option<Said> {
    let emergency = given.emergency.as_ref()?;
    let title = format!("The glass was broken: {} for {}", given.grant.ground.name(), given.grant.agent);
    let facts = vec![
        fact("grant", "Grant", given.grant.id.to_string()),
        fact("by", "By", emergency.by.to_string()),
        fact("agent", "Agent", given.grant.agent.to_string()),
        fact("incident", "Incident", said(&emergency.incident)),
        fact("reason", "Why", said(&emergency.reason)),
        fact("terms", "What it lets through", said(&given.grant.terms.to_string())),
        fact("expires_at", "Until", given.grant.expires.to_string()),
    ];
    let meaning = "Authority for emergencies is in use. A second person has to review it.";
    Some((title, meaning, "/access".to_owned(), facts))
}

fn of_reviews(backlog: Backlog) -> Said {
    let title =
        format!("{} {} for a review", backlog.waiting, if backlog.waiting == 1 { "call waits" } else { "calls wait" });
    let since = backlog.oldest.map(|oldest| fact("oldest", "The oldest since", millis(oldest)));
    let mut facts = vec![fact("waiting", "Calls", backlog.waiting.to_string())];
    facts.extend(since);
    (title, "They went through before anybody looked at them. Somebody still has to.", "/reviews".to_owned(), facts)
}

const fn things(count: usize) -> &'static str {
    if count == 1 { "thing" } else { "things" }
}
