//! Times on a page: how long ago or until when, with the exact time beside it.

use std::fmt;

use jiff::Timestamp;

/// A time, seen from now. `console.js` keeps it true while the page stays open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    at: Timestamp,
    now: Timestamp,
}

impl askama::filters::HtmlSafe for Moment {}

impl Moment {
    /// This time, seen from now.
    pub(crate) const fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }

    /// The distance in words: `in 12 min`, `3 h ago`, `now`. The script says the same.
    pub(crate) fn distance(&self) -> String {
        let secs = self.at.as_second() - self.now.as_second();
        let text = lasting(secs.unsigned_abs());
        match secs {
            0 => "now".to_owned(),
            1.. => format!("in {text}"),
            _ => format!("{text} ago"),
        }
    }
}

/// A time of day, for rows that stand close together; the date is beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub Timestamp);

impl askama::filters::HtmlSafe for Clock {}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = format!("{:.3}", self.0);
        let (date, time) = exact.trim_end_matches('Z').split_once('T').unwrap_or(("", &exact));
        write!(f, "<time datetime=\"{exact}\" title=\"{date}, UTC\">{time}</time>")
    }
}

/// A length of time in one unit, or two where one would be too coarse to act on.
pub(crate) fn lasting(secs: u64) -> String {
    match secs {
        0..=89 => format!("{secs} s"),
        90..=5_399 => format!("{} min", secs / 60),
        5_400..=129_599 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = format!("{:.3}", self.at);
        write!(f, "<time datetime=\"{exact}\" title=\"{exact}\" data-relative>{}</time>", self.distance())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_words() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("time");
        let seen = |at: &str| Moment::new(at.parse().expect("time"), now).distance();
        assert_eq!(seen("2026-11-21T12:00:00Z"), "now");
        assert_eq!(seen("2026-11-21T12:01:29Z"), "in 89 s");
        assert_eq!(seen("2026-11-21T11:45:00Z"), "15 min ago");
        assert_eq!(seen("2026-11-21T08:30:00Z"), "3 h ago");
        assert_eq!(seen("2026-11-24T12:00:00Z"), "in 3 d");
        let clock = "<time datetime=\"2026-11-21T12:00:00.000Z\" title=\"2026-11-21, UTC\">12:00:00.000</time>";
        assert_eq!(Clock(now).to_string(), clock);
    }
}
