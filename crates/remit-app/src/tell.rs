//! Telling people: which channels hear of what, who is written to, and what follows when a channel fails.
//!
//! Deliveries are facts in the store; whoever works them off may stop at any moment. A delivery that was
//! sent and not written down is sent again, under the same name: at least once, never silently not at all.

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use remit_core::Snapshot;
use remit_core::approval::{ApprovalRule, Approver, Factor};
use remit_core::ids::{ChannelId, QuestionId, RuleId};
use remit_core::steering::{self, Deed, Role};

use crate::delegation::Delegation;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryState, ERROR_CHARS_MAX, Event, Progress, Subject};
use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::matter::{self, Matter};
use crate::message::{Clicks, Message, Recipient, Setting};
use crate::question::Question;
use crate::sight;

/// For how long a delivery is one gateway's. Sending takes less: see [`Messenger::send`].
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How long a call may wait for a review before people are told.
pub const REVIEWS_DUE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Carries messages out of the house.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Hands a message to a channel. Returns when the channel has taken it, and in less time than [`LEASE`] in any case.
    ///
    /// # Errors
    /// Says whether it may be tried again; the text is ours and names no person.
    async fn send(&self, channel: &ChannelId, message: &Message) -> Result<(), NotSent>;
}

/// Why a channel has not taken a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The next attempt may succeed.
    #[error("{0}")]
    Later(String),
    /// No attempt will.
    #[error("{0}")]
    Never(String),
}

/// What an operator chose about telling people.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// Who hears of what, in the order of the file. All that match are followed.
    pub routes: Vec<Route>,
    /// People with an address.
    pub addressees: Vec<Addressee>,
    /// The URL under which people reach the gateway.
    pub console: String,
    /// How often and how soon a channel is tried again.
    pub patience: Patience,
}

/// Channels that stand in for each other: the first is used, and the next when it is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// For questions under one of these rules; none means all questions, and everything that is no question.
    pub rules: Option<Vec<RuleId>>,
    /// Of what it hears.
    pub events: Vec<Event>,
    /// The channels, in order.
    pub to: Vec<ChannelId>,
}

/// Somebody who may be written to.
#[derive(Clone, Debug)]
pub struct Addressee {
    /// The person, as approval rules know them.
    pub approver: Approver,
    /// Their address.
    pub address: String,
    /// What they are to the gateway.
    pub roles: Vec<Role>,
    /// When their key ends, with which they vote; none for people who only sign in.
    pub until: Option<Timestamp>,
}

/// How often and how soon a channel is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts before a delivery is given up; at least one.
    pub attempts: u32,
    /// The first pause, in milliseconds; each further one is twice as long.
    pub first_ms: u64,
    /// The longest pause, in milliseconds.
    pub longest_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 5, first_ms: 5_000, longest_ms: 5 * 60_000 }
    }
}

impl Patience {
    /// The pause after this many attempts: doubled each time, and between a half and the whole of that by
    /// chance, so that many deliveries to one channel do not come back at once.
    fn pause_ms(self, attempts: u32, chance: u64) -> u64 {
        let doubled = self.first_ms.saturating_mul(1_u64 << attempts.saturating_sub(1).min(20));
        let whole = doubled.min(self.longest_ms).max(1);
        whole / 2 + chance % (whole - whole / 2 + 1)
    }
}

impl Addressee {
    fn recipient(&self) -> Recipient {
        Recipient { id: self.approver.id.clone(), address: self.address.clone() }
    }
}

impl Telling {
    /// Those whose role lets them do this, while their key is in force.
    fn letting(&self, deed: Deed, now: Timestamp) -> impl Iterator<Item = &Addressee> {
        self.addressees.iter().filter(move |addressee| {
            let in_force = addressee.until.is_none_or(|until| until > now);
            in_force && steering::allows(&addressee.approver.id, &addressee.roles, deed)
        })
    }

    /// The first channel of each route that hears of this.
    fn first(&self, matter: &Matter, event: Event) -> Vec<ChannelId> {
        distinct(self.hearing(matter, event).filter_map(|route| route.to.first().cloned()))
    }

    /// The channels that stand in for this one. A channel that no route names any more is stood in for by
    /// all first ones.
    fn after(&self, matter: &Matter, event: Event, dead: &ChannelId) -> Vec<ChannelId> {
        if !self.hearing(matter, event).any(|route| route.to.contains(dead)) {
            return self.first(matter, event);
        }
        let next = self.hearing(matter, event).filter_map(|route| {
            let at = route.to.iter().position(|channel| channel == dead)?;
            route.to.get(at + 1).cloned()
        });
        distinct(next)
    }

    fn hearing<'a>(&'a self, matter: &'a Matter, event: Event) -> impl Iterator<Item = &'a Route> {
        self.routes.iter().filter(move |route| {
            let asked = |rules: &Vec<RuleId>| match matter {
                Matter::Question(question) => question.rules.iter().any(|asked| rules.contains(&asked.id)),
                Matter::Change(_) | Matter::Emergency(_) | Matter::Reviews(_) => false,
            };
            route.rules.as_ref().is_none_or(asked) && route.events.iter().any(|heard| heard.is_like(event))
        })
    }
}

impl Gate {
    /// Owes people the news that something happened to a question. Saying it twice changes nothing.
    ///
    /// # Errors
    /// When the store is unavailable; nothing is owed then.
    pub async fn tell(&self, question: &QuestionId, event: Event) -> Result<(), Unavailable> {
        self.ports.store.enqueue(vec![Delivery::new(question.clone(), event, None, self.now())]).await?;
        self.ports.notifier.question_changed(question);
        Ok(())
    }

    /// Works on one delivery that is due, and writes down what came of it. `None` when another gateway is at it.
    ///
    /// Whoever sends claims the delivery first, for [`LEASE`]. A gateway that ends meanwhile leaves it claimed until then;
    /// after that it is sent again, under the same name.
    ///
    /// # Errors
    /// When the store is unavailable. What was sent by then is sent again later.
    pub async fn deliver(
        &self,
        telling: &Telling,
        messenger: &dyn Messenger,
        delivery: &Delivery,
    ) -> Result<Option<Progress>, Unavailable> {
        let now = self.now();
        let until = now.checked_add(LEASE).unwrap_or(now);
        if delivery.channel.is_some() && !self.ports.store.claim(&delivery.id(), now, until).await? {
            return Ok(None);
        }
        let (progress, then) = match (self.matter(delivery, now).await?, &delivery.channel) {
            (None, _) => (Progress::Gone, Vec::new()),
            (Some(matter), None) => (Progress::Gone, self.routed(telling, &matter, delivery, now).await?),
            (Some(matter), Some(channel)) => {
                let message = self.message(telling, &matter, delivery, now).await?;
                let sent = match &message {
                    Some(message) => messenger.send(channel, message).await,
                    None => Err(NotSent::Never("there is nothing to say".into())),
                };
                self.concluded(telling, &matter, delivery, channel, sent)
            }
        };
        let written = self.ports.store.attempted(&delivery.id(), progress.clone(), then).await?;
        Ok(written.then_some(progress))
    }

    /// Owes people the news that calls have waited for a review for longer than [`REVIEWS_DUE_AFTER`]: once a day while
    /// that is so.
    ///
    /// # Errors
    /// When the store is unavailable; it is owed the next time.
    pub async fn notice_reviews(&self) -> Result<(), Unavailable> {
        let (now, backlog) = (self.now(), self.ports.store.backlog().await?);
        if backlog.oldest.is_some_and(|oldest| now.duration_since(oldest) >= REVIEWS_DUE_AFTER) {
            let day = now.to_zoned(TimeZone::UTC).date();
            self.ports.store.enqueue(vec![Delivery::new(Subject::Reviews(day), Event::ReviewsDue, None, now)]).await?;
        }
        Ok(())
    }

    async fn message(
        &self,
        telling: &Telling,
        matter: &Matter,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<Message>, Unavailable> {
        let snapshot = self.snapshot.load_full();
        Ok(match matter {
            Matter::Question(question) => {
                let delegations = self.ports.store.delegations(now).await?;
                let setting = self.setting(telling, &snapshot, question, &delegations, now);
                Some(Message::about(question, delivery, setting))
            }
            other => {
                let to = telling.letting(other.deed(), now).map(Addressee::recipient).collect();
                matter::message(other, delivery, to, &telling.console)
            }
        })
    }

    /// Deletes deliveries that are over and were made before this moment.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, Unavailable> {
        self.ports.store.forget_deliveries(before).await
    }

    /// What is said about a question at this moment, of one authority: to those whose votes would count, in their
    /// own right or in somebody's place, with what an approver would see now.
    fn setting<'t>(
        &self,
        telling: &'t Telling,
        snapshot: &Snapshot,
        question: &Question,
        delegations: &[Delegation],
        now: Timestamp,
    ) -> Setting<'t> {
        let asked = question.rules.iter().filter_map(|asked| {
            // Nobody's vote counts under a rule that has changed since.
            snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition)
        });
        let rules: Vec<_> = asked.collect();
        let counts = |addressee: &&Addressee| {
            let votes =
                |rule: &&ApprovalRule| self.votes_as(rule, question, &addressee.approver, delegations, now).is_ok();
            rules.iter().any(votes)
        };
        let clicked = || rules.iter().filter(|rule| rule.accepts(Factor::Channel, false).is_ok());
        let clicks = Clicks { deny: clicked().next().is_some(), approve: clicked().any(|rule| !rule.reason_required) };
        let to = telling.letting(Deed::Vote, now).filter(counts).map(Addressee::recipient).collect();
        let shown = sight::digest(&sight::still(snapshot, question));
        Setting { to, console: &telling.console, shown, clicks, now }
    }

    /// The same news, once for each channel. That a question needs nobody any more is said where it was asked.
    async fn routed(
        &self,
        telling: &Telling,
        matter: &Matter,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, Unavailable> {
        let channels = if delivery.event.asks() {
            telling.first(matter, delivery.event)
        } else {
            let about = Some(delivery.about.clone());
            let told = DeliveryFilter { about, state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() };
            let told = self.ports.store.deliveries(&told).await?;
            let hears =
                |channel: &ChannelId| telling.hearing(matter, delivery.event).any(|route| route.to.contains(channel));
            distinct(told.into_iter().filter_map(|told| told.channel).filter(hears))
        };
        Ok(channels.into_iter().map(|channel| follows(delivery, channel, now)).collect())
    }

    /// What comes of an attempt, and what follows from it.
    fn concluded(
        &self,
        telling: &Telling,
        matter: &Matter,
        delivery: &Delivery,
        channel: &ChannelId,
        sent: Result<(), NotSent>,
    ) -> (Progress, Vec<Delivery>) {
        let now = self.now();
        let why = |text: String| text.chars().filter(|c| !c.is_control()).take(ERROR_CHARS_MAX).collect();
        let error = match sent {
            Ok(()) => return (Progress::Delivered, Vec::new()),
            Err(NotSent::Never(error)) => error,
            Err(NotSent::Later(error)) => {
                let attempts = delivery.attempts.saturating_add(1);
                let again = self.again(telling.patience, attempts, now);
                // What would come after the question has lapsed would tell nobody anything.
                let in_time = |at: &Timestamp| !delivery.event.asks() || matter.until().is_none_or(|until| *at < until);
                match again.filter(in_time) {
                    Some(at) => return (Progress::Later(at, why(error)), Vec::new()),
                    None => error,
                }
            }
        };
        let asks = delivery.event.asks();
        let next = if asks { telling.after(matter, delivery.event, channel) } else { Vec::new() };
        let next = next.into_iter().filter(|next| next != channel).map(|next| follows(delivery, next, now));
        (Progress::Dead(why(error)), next.collect())
    }

    /// When to try again, if at all.
    fn again(&self, patience: Patience, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        if attempts >= patience.attempts {
            return None;
        }
        let chance = self.ports.entropy.bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let pause = i64::try_from(patience.pause_ms(attempts, chance)).unwrap_or(i64::MAX);
        now.checked_add(SignedDuration::from_millis(pause)).ok()
    }
}

/// The same news through this channel, at once.
fn follows(delivery: &Delivery, channel: ChannelId, now: Timestamp) -> Delivery {
    let created_at = delivery.created_at;
    Delivery { created_at, ..Delivery::new(delivery.about.clone(), delivery.event, Some(channel), now) }
}

fn distinct(channels: impl Iterator<Item = ChannelId>) -> Vec<ChannelId> {
    let mut found: Vec<ChannelId> = Vec::new();
    for channel in channels {
        if !found.contains(&channel) {
            found.push(channel);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Salt;

    fn channel(name: &str) -> ChannelId {
        ChannelId::parse(name).expect("a channel")
    }

    fn route(rules: Option<&[&str]>, to: &[&str]) -> Route {
        let rule = |rule: &&str| RuleId::parse(rule).expect("a rule");
        let rules = rules.map(|rules| rules.iter().map(rule).collect());
        Route { rules, events: Event::ALL.to_vec(), to: to.iter().map(|name| channel(name)).collect() }
    }

    fn question(rules: &[&str]) -> Question {
        let at = Timestamp::UNIX_EPOCH;
        let digest = remit_core::ids::Digest::of(b"call");
        let rule = |rule: &&str| crate::question::QuestionRule {
            id: RuleId::parse(rule).expect("a rule"),
            definition: digest,
            quorum: 1,
            deny: 1,
        };
        Question {
            id: QuestionId::parse("q-1").expect("a question"),
            call: digest,
            intent: remit_core::ids::RecordId::parse("rec-1").expect("a record"),
            decision: digest,
            run: remit_core::ids::RunId::parse("run-1").expect("a run"),
            agent: remit_core::ids::AgentId::parse("bot").expect("an agent"),
            user: None,
            via: Vec::new(),
            workflow: None,
            parties: remit_core::approval::CallParties::default(),
            tool: "payments/refund".into(),
            arguments: serde_json::json!({"text": "see www.evil.example"}),
            resource: "production/billing".into(),
            cost: 0,
            action: Salt::NONE.commit("a", "call"),
            salt: Salt::NONE,
            voters: Salt::NONE,
            reason: "more than 50 USD".into(),
            origins: Vec::new(),
            preview: None,
            rules: rules.iter().map(rule).collect(),
            asked_at: at,
            expires_at: at + SignedDuration::from_secs(60),
            narrowed: None,
            votes: Vec::new(),
            remarks: Vec::new(),
            escalated: 0,
            step_at: None,
            uses: 0,
            used: false,
        }
    }

    fn matter(rules: &[&str]) -> Matter {
        Matter::Question(Box::new(question(rules)))
    }

    fn first(telling: &Telling, rules: &[&str]) -> Vec<ChannelId> {
        telling.first(&matter(rules), Event::Asked)
    }

    fn names(channels: Vec<ChannelId>) -> Vec<String> {
        channels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_matching_route_is_followed_once() {
        let routes = vec![
            route(Some(&["finance"]), &["mail", "push"]),
            route(Some(&["security"]), &["pager"]),
            route(None, &["hook", "mail"]),
            route(None, &["mail"]),
        ];
        let telling = Telling { routes, ..Telling::default() };
        assert_eq!(names(first(&telling, &["finance"])), ["mail", "hook"]);
        assert_eq!(names(first(&telling, &["finance", "security"])), ["mail", "pager", "hook"]);
        assert_eq!(names(first(&telling, &["other"])), ["hook", "mail"]);
        assert!(first(&Telling::default(), &["finance"]).is_empty());
    }

    #[test]
    fn a_route_hears_what_it_names() {
        let only = |events: &[Event], route: Route| Route { events: events.to_vec(), ..route };
        let routes = vec![
            only(&[Event::Asked], route(Some(&["finance"]), &["mail"])),
            only(&[Event::Escalated(0), Event::Proposed], route(None, &["pager"])),
            route(Some(&["finance"]), &["chat"]),
        ];
        let telling = Telling { routes, ..Telling::default() };
        let heard = |event| names(telling.first(&matter(&["finance"]), event));
        assert_eq!(heard(Event::Asked), ["mail", "chat"]);
        assert_eq!(heard(Event::Escalated(3)), ["pager", "chat"]);
        let reviews = Matter::Reviews(crate::review::Backlog::default());
        assert_eq!(names(telling.first(&reviews, Event::Proposed)), ["pager"], "what is no question has no rule");
    }

    #[test]
    fn the_next_channel_stands_in_for_a_dead_one() {
        let routes = vec![route(Some(&["finance"]), &["mail", "push", "pager"]), route(None, &["mail", "hook"])];
        let telling = Telling { routes, ..Telling::default() };
        let after = |rule: &str, dead: &str| names(telling.after(&matter(&[rule]), Event::Asked, &channel(dead)));
        assert_eq!(after("finance", "mail"), ["push", "hook"]);
        assert_eq!(after("other", "mail"), ["hook"], "a route for other rules is not followed");
        assert_eq!(after("finance", "pager"), Vec::<String>::new(), "there is an end");
        assert_eq!(after("finance", "removed"), ["mail"], "a channel that is named no more begins anew");
    }

    #[test]
    fn what_is_said_ends_with_what_an_agent_wrote() {
        let question = question(&["finance"]);
        let delivery = Delivery::new(question.id.clone(), Event::Asked, Some(channel("mail")), question.asked_at);
        let (shown, console) = (question.call, "https://remit.example/");
        let setting = Setting { to: Vec::new(), console, shown, clicks: Clicks::default(), now: question.asked_at };
        let message = Message::about(&question, &delivery, setting);
        assert_eq!(message.title, "Approval asked: bot calls payments/refund");
        assert_eq!(message.link.as_deref(), Some("https://remit.example/console/questions/q-1"));
        let text = message.text(true);
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        let (rule, link, warning) =
            (place("finance (0 of 1)"), place("https://remit.example/"), place("proves nothing"));
        assert!(rule < link && link < warning && warning < place("production/billing"));
        assert!(warning < place("www[.]evil[.]example"));
        assert!(!message.text(false).contains("evil"));
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let patience = Patience { attempts: 9, first_ms: 1_000, longest_ms: 8_000 };
        let span =
            |attempts| (patience.pause_ms(attempts, 0), patience.pause_ms(attempts, 500 * (1 << (attempts - 1))));
        assert_eq!(span(1), (500, 1_000));
        assert_eq!(span(2), (1_000, 2_000));
        for chance in [0, 1, u64::MAX, 4_000] {
            let pause = patience.pause_ms(40, chance);
            assert!((4_000..=8_000).contains(&pause), "{pause}");
        }
    }
}
