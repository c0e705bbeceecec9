//! The tenant's calendar: when it works, and when it wants nothing to change.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Working hours, holidays and freezes, in one time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The zone in which days begin and budgets turn over.
    pub zone: TimeZone,
    /// Working hours by weekday; a weekday without an entry is no working day.
    pub hours: Vec<(Weekday, Time, Time)>,
    /// Days that count as no working day.
    pub holidays: BTreeSet<Date>,
    /// Spans in which changes are unwelcome (soft) or not to happen (hard).
    pub freezes: Vec<Freeze>,
}

/// One freeze. What it forbids is said by guardrails that read `calendar.soft_freeze` or `calendar.hard_freeze`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to, not including, this one.
    pub until: Timestamp,
    /// Whether it is a hard one.
    pub hard: bool,
}

/// What policies can know of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub epoch: i64,
    /// Hour of the local day, 0 to 23.
    pub hour: i64,
    /// `mon` to `sun`.
    pub weekday: &'static str,
    /// `2026-11-21`, local.
    pub date: String,
    /// Within working hours.
    pub business_hours: bool,
    /// Within a soft freeze, or a hard one.
    pub soft_freeze: bool,
    /// Within a hard freeze.
    pub hard_freeze: bool,
}

impl Default for Calendar {
    /// UTC, Monday to Friday from nine to five, no holidays, no freezes.
    fn default() -> Self {
        let weekdays = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];
        let hours = weekdays.map(|day| (day, Time::constant(9, 0, 0, 0), Time::constant(17, 0, 0, 0)));
        Self { zone: TimeZone::UTC, hours: hours.to_vec(), holidays: BTreeSet::new(), freezes: Vec::new() }
    }
}

impl Calendar {
    /// What policies can know of this moment.
    #[must_use]
    pub fn moment(&self, now: Timestamp) -> Moment {
        let local: Zoned = now.to_zoned(self.zone.clone());
        let (date, time, weekday) = (local.date(), local.time(), local.weekday());
        let open = |(day, from, until): &(Weekday, Time, Time)| *day == weekday && *from <= time && time < *until;
        let frozen =
            |hard_only: bool| self.freezes.iter().any(|f| f.from <= now && now < f.until && (f.hard || !hard_only));
        Moment {
            epoch: now.as_second(),
            hour: i64::from(time.hour()),
            weekday: word(weekday),
            date: date.to_string(),
            business_hours: !self.holidays.contains(&date) && self.hours.iter().any(open),
            soft_freeze: frozen(false),
            hard_freeze: frozen(true),
        }
    }
}

/// The word for a weekday in files and policies.
#[must_use]
pub const fn word(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_local() {
        let calendar = Calendar { zone: TimeZone::get("Europe/Berlin").expect("zone"), ..Calendar::default() };
        let moment = calendar.moment("2026-11-20T08:30:00Z".parse().expect("time"));
        assert_eq!((moment.hour, moment.weekday, moment.business_hours), (9, "fri", true));
        let late = calendar.moment("2026-11-20T23:30:00Z".parse().expect("time"));
        assert_eq!((late.weekday, late.date.as_str(), late.business_hours), ("sat", "2026-11-21", false));
    }

    #[test]
    fn a_hard_freeze_is_also_soft() {
        let at = |text: &str| text.parse::<Timestamp>().expect("time");
        let freeze = Freeze { from: at("2026-12-20T00:00:00Z"), until: at("2027-01-02T00:00:00Z"), hard: true };
        let calendar = Calendar { freezes: vec![freeze], ..Calendar::default() };
        let moment = calendar.moment(at("2026-12-24T12:00:00Z"));
        assert!(moment.soft_freeze && moment.hard_freeze);
        assert!(!calendar.moment(at("2027-01-02T00:00:00Z")).soft_freeze);
    }
}
