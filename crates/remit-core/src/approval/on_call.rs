//! Who is on call: a pure function of the time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ids::{RuleId, UserId};

/// Who is on call, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCall {
    /// Its name, by which rules ask for it: `on_call:sre`.
    pub name: RuleId,
    /// The zone in which turns begin: a turn of a day ends at the same hour of the clock, also when that moves.
    pub zone: TimeZone,
    /// The rotations, in the order in which they begin. From its beginning on each replaces the one before.
    pub rotation: Vec<Rotation>,
}

/// People who take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When the first turn begins, by the clock on the wall.
    pub from: DateTime,
    /// How long a turn is, in seconds by the clock on the wall; at least one.
    pub every_secs: u64,
    /// Who, in this order, again and again.
    pub people: Vec<UserId>,
}

impl OnCall {
    /// Who is on call at this moment; nobody before the first rotation begins.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<&UserId> {
        let clock = now.to_zoned(self.zone.clone()).datetime();
        let turns = self.rotation.iter().rev().find(|turns| turns.from <= clock)?;
        let passed = u64::try_from(clock.duration_since(turns.from).as_secs()).ok()?;
        let turn = passed.checked_div(turns.every_secs)?.checked_rem(u64::try_from(turns.people.len()).ok()?)?;
        turns.people.get(usize::try_from(turn).ok()?)
    }

    /// What of it makes a rule another rule.
    pub(super) fn definition(&self) -> Value {
        let rotation = self.rotation.iter().map(|turns| {
            let people: Vec<_> = turns.people.iter().map(UserId::as_str).collect();
            json!({"from": turns.from.to_string(), "every_secs": turns.every_secs, "people": people})
        });
        json!({
            "name": self.name.as_str(),
            "timezone": self.zone.iana_name(),
            "rotation": rotation.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &OnCall, time: &str) -> Option<String> {
        schedule.at(time.parse().expect("time")).map(|user| user.as_str().to_owned())
    }

    #[test]
    fn people_take_turns_by_the_clock_on_the_wall() {
        let people = |names: &[&str]| names.iter().map(|name| UserId::parse(name).expect("id")).collect();
        let from = |text: &str| text.parse::<DateTime>().expect("time");
        let week = 7 * 86_400;
        let schedule = OnCall {
            name: RuleId::parse("sre").expect("id"),
            zone: TimeZone::get("Europe/Berlin").expect("zone"),
            rotation: vec![
                Rotation { from: from("2026-10-19T09:00:00"), every_secs: week, people: people(&["ann", "ben"]) },
                Rotation { from: from("2026-12-01T00:00:00"), every_secs: 86_400, people: people(&["cid"]) },
            ],
        };
        assert_eq!(at(&schedule, "2026-10-19T06:59:59Z"), None, "before it begins nobody is");
        assert_eq!(at(&schedule, "2026-10-19T07:00:00Z").as_deref(), Some("ann"));
        // The clock went back an hour on the 25th: nine o'clock is one hour later.
        assert_eq!(at(&schedule, "2026-10-26T07:59:59Z").as_deref(), Some("ann"));
        assert_eq!(at(&schedule, "2026-10-26T08:00:00Z").as_deref(), Some("ben"));
        assert_eq!(at(&schedule, "2026-11-02T08:00:00Z").as_deref(), Some("ann"), "and again");
        assert_eq!(at(&schedule, "2026-12-24T12:00:00Z").as_deref(), Some("cid"), "the later rotation replaces it");
        let nobody = OnCall { rotation: Vec::new(), ..schedule };
        assert_eq!(at(&nobody, "2026-12-24T12:00:00Z"), None);
    }
}
