//! Budgets: counters with a limit. The arithmetic lives here and is checked; each store checks
//! `settled + reserved <= limit` again as a constraint of its own.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a budget counts. Amounts are unsigned integers; money is in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Calls that were admitted.
    Calls,
    /// Money, in micro-USD.
    MicroUsd,
    /// Distinct resources touched within the window.
    Objects,
}

/// The span over which a budget counts. Spans are aligned to the tenant's calendar, not sliding,
/// so that "when is there room again" has one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// Per clock minute.
    Minute,
    /// Per clock hour.
    Hour,
    /// Per calendar day.
    Day,
    /// Per calendar week, beginning on Monday.
    Week,
    /// Per calendar month.
    Month,
    /// Per run, however long it lasts.
    Run,
    /// For ever.
    Total,
}

/// Where a budget belongs in the tree, and so who shares it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey(pub String);

/// A counter with a limit, as the authority defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Names the counter in every store and record.
    pub key: BudgetKey,
    /// What it counts.
    pub unit: Unit,
    /// Over which span.
    pub window: Window,
    /// The most that may be settled and reserved within one span.
    pub limit: u64,
    /// From how much used a warning is recorded; never above the limit.
    pub warn_at: Option<u64>,
}

/// One budget at one moment: the definition, the span, and what the store has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// The definition.
    pub budget: Budget,
    /// Names the span within the key; the run's id for [`Window::Run`].
    pub span: Span,
    /// Booked.
    pub settled: u64,
    /// Held for calls that have not settled.
    pub reserved: u64,
    /// For [`Unit::Objects`]: whether this call's object is counted already.
    pub object_known: bool,
}

/// One span of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Unique within a budget key.
    pub id: String,
    /// When the span ends and there is room again, if ever.
    pub ends: Option<Timestamp>,
}

/// What one call holds of one budget until it settles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The budget.
    pub key: BudgetKey,
    /// Its unit.
    pub unit: Unit,
    /// The span it is held in, and booked in, even when the call settles after the span's end.
    pub span: Span,
    /// The limit at the time of the decision.
    pub limit: u64,
    /// How much.
    pub amount: u64,
    /// For [`Unit::Objects`]: which object. A store counts it once per span.
    pub object: Option<String>,
}

/// A budget without enough room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Which.
    pub key: BudgetKey,
    /// Its unit.
    pub unit: Unit,
    /// Settled and reserved.
    pub used: u64,
    /// The limit.
    pub limit: u64,
    /// What the call would need.
    pub needs: u64,
    /// When there is room again, if ever.
    pub resets: Option<Timestamp>,
}

impl BudgetState {
    /// Reserves `amount`, or says what is missing. Arithmetic that would overflow counts as missing.
    ///
    /// # Errors
    /// When `settled + reserved + amount` exceeds the limit.
    pub fn reserve(&self, amount: u64) -> Result<Reservation, Exhausted> {
        let used = self.settled.saturating_add(self.reserved);
        let fits = used.checked_add(amount).is_some_and(|sum| sum <= self.budget.limit);
        if !fits {
            return Err(Exhausted {
                key: self.budget.key.clone(),
                unit: self.budget.unit,
                used,
                limit: self.budget.limit,
                needs: amount,
                resets: self.span.ends,
            });
        }
        Ok(Reservation {
            key: self.budget.key.clone(),
            unit: self.budget.unit,
            span: self.span.clone(),
            limit: self.budget.limit,
            amount,
            object: None,
        })
    }
}

impl Window {
    /// The span of this window that contains `now`, in the tenant's time zone.
    #[must_use]
    pub fn span(self, now: Timestamp, zone: &TimeZone, run: &str) -> Span {
        let local = now.to_zoned(zone.clone());
        let day = local.start_of_day().unwrap_or_else(|_| local.clone());
        let aligned = match self {
            Self::Run => return Span { id: run.to_owned(), ends: None },
            Self::Total => return Span { id: "total".to_owned(), ends: None },
            Self::Minute | Self::Hour => {
                let secs = if self == Self::Minute { 60 } else { 3600 };
                let start = now.as_second().div_euclid(secs) * secs;
                return Span { id: start.to_string(), ends: Timestamp::from_second(start + secs).ok() };
            }
            Self::Day => day.clone(),
            Self::Week => {
                let back = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(jiff::Span::new().days(back)).unwrap_or_else(|_| day.clone())
            }
            Self::Month => day.first_of_month().unwrap_or_else(|_| day.clone()),
        };
        let length = match self {
            Self::Week => jiff::Span::new().weeks(1),
            Self::Month => jiff::Span::new().months(1),
            _ => jiff::Span::new().days(1),
        };
        let ends = aligned.checked_add(length).ok().map(|end| end.timestamp());
        Span { id: aligned.timestamp().as_second().to_string(), ends }
    }

    /// The word used in files: `per day`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Run => "run",
            Self::Total => "total",
        }
    }
}

impl Unit {
    /// The word used in files and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::MicroUsd => "micro_usd",
            Self::Objects => "objects",
        }
    }

    /// An amount in words: `3 calls`, `12.50 USD`.
    #[must_use]
    pub fn show(self, amount: u64) -> String {
        match self {
            Self::MicroUsd if amount.is_multiple_of(10_000) => {
                format!("{}.{:02} USD", amount / 1_000_000, amount % 1_000_000 / 10_000)
            }
            Self::MicroUsd => format!("{}.{:06} USD", amount / 1_000_000, amount % 1_000_000),
            unit if amount == 1 => format!("1 {}", unit.as_str().trim_end_matches('s')),
            unit => format!("{amount} {}", unit.as_str()),
        }
    }
}

impl fmt::Display for BudgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(limit: u64, settled: u64, reserved: u64) -> BudgetState {
        let budget =
            Budget { key: BudgetKey("k".into()), unit: Unit::Calls, window: Window::Total, limit, warn_at: None };
        let span = Span { id: "total".into(), ends: None };
        BudgetState { budget, span, settled, reserved, object_known: false }
    }

    #[test]
    fn the_last_unit_is_given_and_no_more() {
        assert!(state(3, 1, 1).reserve(1).is_ok());
        assert_eq!(state(3, 2, 1).reserve(1).expect_err("full").used, 3);
        assert!(state(3, u64::MAX, u64::MAX).reserve(u64::MAX).is_err());
        assert!(state(u64::MAX, u64::MAX - 1, 0).reserve(2).is_err());
    }

    #[test]
    fn spans_follow_the_tenants_calendar() {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        let now: Timestamp = "2026-03-29T12:34:56Z".parse().expect("time");
        // The day on which the clocks go forward has 23 hours.
        let day = Window::Day.span(now, &zone, "r");
        assert_eq!(day.ends.expect("end").to_string(), "2026-03-29T22:00:00Z");
        let week = Window::Week.span(now, &zone, "r");
        assert_eq!(week.id, "2026-03-22T23:00:00Z".parse::<Timestamp>().expect("t").as_second().to_string());
        assert_eq!(Window::Month.span(now, &zone, "r").ends.expect("end").to_string(), "2026-03-31T22:00:00Z");
        assert_eq!(Window::Run.span(now, &zone, "run-1").id, "run-1");
    }

    #[test]
    fn money_reads_like_money() {
        assert_eq!(Unit::MicroUsd.show(12_500_000), "12.50 USD");
        assert_eq!(Unit::MicroUsd.show(1), "0.000001 USD");
    }
}
