//! Amounts against a limit, as pictures. The words stand beside them; each picture says them, too.

use std::fmt;

use remit_core::budget::Unit;

/// How much of a limit is used, and how much of that only held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gauge {
    /// What is counted.
    pub unit: Unit,
    /// Booked.
    pub settled: u64,
    /// Held for calls that have not settled.
    pub reserved: u64,
    /// The most there may be of both.
    pub limit: u64,
}

impl askama::filters::HtmlSafe for Gauge {}

impl Gauge {
    /// Booked and held.
    pub(crate) const fn used(&self) -> u64 {
        self.settled.saturating_add(self.reserved)
    }

    /// How much of the limit is used, in thousandths, rounded up; a limit of nothing is full.
    pub(crate) fn permille(&self) -> u64 {
        share(self.used(), self.limit)
    }

    /// Whether nothing is left.
    pub(crate) const fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    /// In words: `3 of 20 calls used`.
    pub(crate) fn words(&self) -> String {
        let held = if self.reserved == 0 {
            String::new()
        } else {
            format!(", {} of it held", amount(self.unit, self.reserved))
        };
        format!("{} of {} used{held}", amount(self.unit, self.used()), self.unit.show(self.limit))
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settled, used) = (share(self.settled, self.limit), self.permille());
        let held = used.saturating_sub(settled);
        let class = if self.is_full() { "meter full" } else { "meter" };
        write!(
            f,
            "<svg class=\"{class}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">\
             <rect class=\"gauge\" width=\"1000\" height=\"10\"/>\
             <rect class=\"gauge-used\" width=\"{settled}\" height=\"10\"/>\
             <rect class=\"gauge-held\" x=\"{settled}\" width=\"{held}\" height=\"10\"/></svg>",
            self.words()
        )
    }
}

/// Use over time: a bar for each span, the newest on the right, against the limit of today.
pub(crate) struct Bars {
    /// The oldest first.
    pub spans: Vec<Gauge>,
}

impl askama::filters::HtmlSafe for Bars {}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.spans.len() * 10;
        let most = self.spans.iter().max_by_key(|span| span.used());
        let most = most.map(|span| span.unit.show(span.used())).unwrap_or_default();
        write!(
            f,
            "<svg class=\"bars\" role=\"img\" aria-label=\"{} spans, at most {most}\" viewBox=\"0 0 {width} 100\" \
             width=\"{width}\" preserveAspectRatio=\"none\">",
            self.spans.len()
        )?;
        for (at, span) in self.spans.iter().enumerate() {
            // What was used under a larger limit than today's is cut off at the top.
            let (settled, used) = (share(span.settled, span.limit) / 10, span.permille() / 10);
            let (x, top) = (at * 10 + 1, 100 - used);
            write!(
                f,
                "<rect class=\"gauge\" x=\"{x}\" width=\"8\" height=\"100\"/>\
                 <rect class=\"gauge-used\" x=\"{x}\" y=\"{}\" width=\"8\" height=\"{settled}\"/>\
                 <rect class=\"gauge-held\" x=\"{x}\" y=\"{top}\" width=\"8\" height=\"{}\"/>",
                100 - settled,
                used - settled.min(used)
            )?;
        }
        f.write_str("</svg>")
    }
}

/// An amount without its unit, where the unit follows.
fn amount(unit: Unit, amount: u64) -> String {
    let shown = unit.show(amount);
    shown.split_once(' ').map_or(shown.clone(), |(number, _)| number.to_owned())
}

fn share(part: u64, whole: u64) -> u64 {
    let permille = u128::from(part) * 1000;
    let share =
        permille.checked_div(u128::from(whole)).map(|floor| floor + u128::from(permille % u128::from(whole) > 0));
    share.and_then(|share| u64::try_from(share).ok()).unwrap_or(1000).min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_says_what_it_shows() {
        let gauge = |settled, reserved, limit| Gauge { unit: Unit::Calls, settled, reserved, limit };
        assert_eq!(gauge(2, 1, 20).words(), "3 of 20 calls used, 1 of it held");
        assert_eq!(
            (gauge(2, 1, 20).permille(), gauge(0, 0, 20).permille(), gauge(1, 0, 1_000_000).permille()),
            (150, 0, 1)
        );
        assert!(gauge(0, 0, 0).is_full() && gauge(0, 0, 0).permille() == 1000);
        // A limit that was lowered below what is used.
        assert_eq!(gauge(u64::MAX, u64::MAX, 1).permille(), 1000);
        let drawn = gauge(2, 1, 20).to_string();
        assert!(drawn.contains("aria-label=\"3 of 20 calls used") && !drawn.contains("style="), "{drawn}");
        let bars = Bars { spans: vec![gauge(u64::MAX, 1, 3), gauge(0, 0, 0), gauge(1, 1, 4)] };
        assert!(bars.to_string().contains("3 spans, at most"));
    }
}
