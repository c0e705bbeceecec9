//! The calendar of `remit.yaml`.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use remit_core::calendar::{Calendar, Freeze, word};

use crate::at::{At, Entries};
use crate::report::Report;
use crate::settings::file::{CalendarFile, FreezeFile, FreezeWord};

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

pub(crate) fn check(file: CalendarFile, report: &mut Report<'_>) -> Calendar {
    let standard = Calendar::default();
    let zone = file.timezone.as_ref().and_then(|name| {
        let help = "write a name of the IANA time zone database: `Europe/Berlin`";
        report.read(name, |text| TimeZone::get(text).ok(), "a time zone", help)
    });
    let zone = zone.unwrap_or(TimeZone::UTC);
    let hours = file.hours.map_or(standard.hours, |entries| hours(&entries, report));
    let mut holidays = BTreeSet::new();
    for day in &file.holidays {
        let date = |text: &str| text.parse().ok().filter(|date: &Date| date.to_string() == *text);
        holidays.extend(report.read(day, date, "a date", "write `2026-12-25`"));
    }
    let freezes = file.freezes.iter().filter_map(|freeze| self::freeze(freeze, &zone, report)).collect();
    Calendar { zone, hours, holidays, freezes }
}

fn freeze(freeze: &At<FreezeFile>, zone: &TimeZone, report: &mut Report<'_>) -> Option<Freeze> {
    let (from, until) = (report.moment(&freeze.from, zone), report.moment(&freeze.until, zone));
    let (from, until) = (from?, until?);
    if until <= from {
        report.fault(&freeze.until, "the freeze ends before it begins", "swap `from` and `until`");
        return None;
    }
    Some(Freeze { from, until, hard: freeze.kind == FreezeWord::Hard })
}

fn hours(entries: &Entries<At<String>>, report: &mut Report<'_>) -> Vec<(Weekday, Time, Time)> {
    let mut hours: Vec<(Weekday, Time, Time)> = Vec::new();
    for (days, spans) in entries.iter() {
        let days_help = "write `mon`, or a span of days from Monday to Sunday: `mon-fri`";
        let spans_help = "write `\"09:00-17:00\"`, or several: `\"09:00-12:00, 13:00-17:00\"`";
        let found = report.read(days, self::days, "a weekday", days_help);
        let open = report.read(spans, self::spans, "a span of hours", spans_help);
        for day in found.unwrap_or_default() {
            if hours.iter().any(|(known, _, _)| known == day) {
                report.fault(days, format!("`{}` has hours already", word(*day)), "name each day once");
                continue;
            }
            hours.extend(open.iter().flatten().map(|(from, until)| (*day, *from, *until)));
        }
    }
    hours
}

fn days(text: &str) -> Option<&'static [Weekday]> {
    let at = |name: &str| WEEK.iter().position(|day| word(*day) == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    WEEK.get(at(first)?..=at(last)?)
}

fn spans(text: &str) -> Option<Vec<(Time, Time)>> {
    let span = |span: &str| {
        let (from, until) = span.trim().split_once('-')?;
        let (from, until) = (time(from.trim())?, time(until.trim())?);
        (from < until).then_some((from, until))
    };
    text.split(',').map(span).collect()
}

/// `09:00`; `24:00` is the end of the day.
fn time(text: &str) -> Option<Time> {
    let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| two(hour) && two(minute))?;
    if text == "24:00" {
        return Some(Time::MAX);
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_read_like_words() {
        assert_eq!(days("mon-wed").map(<[_]>::len), Some(3));
        assert_eq!(days("sun").map(<[_]>::len), Some(1));
        assert_eq!((days("fri-mon"), days("Monday"), days("mon-")), (None, None, None));
        assert_eq!(spans("09:00-12:00, 13:00-24:00").map(|spans| spans.len()), Some(2));
        for bad in ["", "9-17", "17:00-09:00", "09:00", "09:00-25:00", "+9:00-10:00"] {
            assert_eq!(spans(bad), None, "{bad}");
        }
    }
}
