//! A run as a picture of time. Where nothing happens, time is pressed together, and the picture says by how
//! much: people wait for minutes between calls that take milliseconds, and both have to be seen.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::console::decided::money;
use crate::console::moment::lasting;
use crate::console::plain::{bare, head};

/// The width of the picture and of the names on its left, in its own units.
const WIDTH: f64 = 1000.0;
const NAMES: f64 = 190.0;
const LANE: f64 = 30.0;
const AXIS: f64 = 26.0;
/// Most lanes for tools; the tools used last share one more.
const LANES_MAX: usize = 14;
/// How long a silence must be to be named on the axis, in seconds.
const SILENCE_SECS: i64 = 30;

/// What a mark means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Good,
    Wait,
    Bad,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// The lane it belongs to: a tool, or people.
    pub lane: String,
    pub at: Timestamp,
    /// Until when it lasted, if it did.
    pub until: Option<Timestamp>,
    pub shape: Shape,
    /// What it was, in words.
    pub words: String,
    /// Its record.
    pub record: String,
}

/// What the run had gathered from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub at: Timestamp,
    /// Labels that are new.
    pub labels: Vec<String>,
    /// Money spent up to then, in micro-USD.
    pub spend: u64,
}

/// The picture, as SVG. Everything in it is also in the table beside it.
pub(super) fn picture(marks: &[Mark], gathered: &[Gathered]) -> String {
    let scale = Scale::over(marks, gathered);
    let lanes = lanes(marks);
    let with_labels = gathered.iter().any(|moment| !moment.labels.is_empty());
    let with_spend = gathered.iter().any(|moment| moment.spend > 0);
    let below = AXIS + LANE * lanes.len() as f64;
    let height = below + if with_labels { LANE } else { 0.0 } + if with_spend { LANE * 1.4 } else { 0.0 } + 4.0;
    let mut svg = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {height:.0}\" aria-hidden=\"true\" focusable=\"false\">"
    );
    axis(&mut svg, &scale, height);
    for (at, name) in lanes.iter().enumerate() {
        lane(&mut svg, AXIS + LANE * at as f64, name, "lane");
    }
    for mark in marks {
        let at = lanes.iter().position(|name| *name == mark.lane).unwrap_or(lanes.len().saturating_sub(1));
        draw(&mut svg, &scale, mark, AXIS + LANE * at as f64 + LANE / 2.0);
    }
    let mut top = below;
    if with_labels {
        lane(&mut svg, top, "labels gathered", "lane other");
        labels(&mut svg, &scale, gathered, top + LANE / 2.0);
        top += LANE;
    }
    if with_spend {
        let most = gathered.iter().map(|moment| moment.spend).max().unwrap_or(0);
        lane(&mut svg, top, &format!("spent {}", money(most)), "lane other");
        spend(&mut svg, &scale, gathered, top);
    }
    svg.push_str("</svg>");
    svg
}

/// The lanes: people first, then the tools in the order in which they were first called.
fn lanes(marks: &[Mark]) -> Vec<String> {
    let mut lanes: Vec<String> = Vec::new();
    for mark in marks {
        if !lanes.contains(&mark.lane) {
            lanes.push(mark.lane.clone());
        }
    }
    lanes.sort_by_key(|name| name != PEOPLE);
    if lanes.len() > LANES_MAX {
        lanes.truncate(LANES_MAX);
        lanes.push("other tools".to_owned());
    }
    lanes
}

/// The lane of votes.
pub(super) const PEOPLE: &str = "people";

/// Moments and where they are.
struct Scale(Vec<(Timestamp, f64)>);

impl Scale {
    fn over(marks: &[Mark], gathered: &[Gathered]) -> Self {
        let mut times: Vec<_> = marks.iter().flat_map(|mark| [Some(mark.at), mark.until]).flatten().collect();
        times.extend(gathered.iter().map(|moment| moment.at));
        times.sort();
        times.dedup();
        // Each silence counts with the logarithm of its length.
        let mut sum = 0.0;
        let mut last: Option<Timestamp> = None;
        let mut places = Vec::with_capacity(times.len());
        for time in times {
            if let Some(last) = last {
                let secs = (time.as_millisecond() - last.as_millisecond()) as f64 / 1000.0;
                sum += 0.12 + (1.0 + secs).ln();
            }
            places.push((time, sum));
            last = Some(time);
        }
        let room = WIDTH - NAMES - 40.0;
        let factor = if sum > 0.0 { room / sum } else { 0.0 };
        Self(places.into_iter().map(|(time, place)| (time, NAMES + 20.0 + place * factor)).collect())
    }

    fn x(&self, at: Timestamp) -> f64 {
        match self.0.binary_search_by_key(&at, |(time, _)| *time) {
            Ok(found) | Err(found) => self.0.get(found).or(self.0.last()).map_or(NAMES, |(_, x)| *x),
        }
    }
}

fn axis(svg: &mut String, scale: &Scale, height: f64) {
    let (mut free, mut second) = (f64::MIN, None);
    let mut last: Option<(Timestamp, f64)> = None;
    for (time, x) in &scale.0 {
        if let Some((before, from)) = last {
            let silence = time.as_second() - before.as_second();
            let middle = f64::midpoint(from, *x);
            if silence >= SILENCE_SECS && *x - from > 56.0 {
                let words = lasting(silence.unsigned_abs());
                let _ = write!(svg, "<text class=\"silence\" x=\"{middle:.1}\" y=\"24\">{words}</text>");
            }
        }
        if *x >= free {
            // Within a second only what differs.
            let clock = if second == Some(time.as_second()) {
                format!(".{:03}", time.as_millisecond().rem_euclid(1000))
            } else {
                time.strftime("%H:%M:%S").to_string()
            };
            second = Some(time.as_second());
            let side = if *x > WIDTH - 40.0 { "clock end" } else { "clock" };
            let _ = write!(
                svg,
                "<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"14\" y2=\"{height:.0}\"/>\
                 <text class=\"{side}\" x=\"{x:.1}\" y=\"11\">{clock}</text>"
            );
            free = x + 74.0;
        }
        last = Some((*time, *x));
    }
}

fn lane(svg: &mut String, top: f64, name: &str, class: &str) {
    let (short, rest) = head(name, 26);
    let dots = if rest > 0 { "…" } else { "" };
    let _ = write!(
        svg,
        "<g class=\"{class}\"><line x1=\"0\" x2=\"{WIDTH}\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>\
         <text x=\"4\" y=\"{:.1}\">{}{dots}</text></g>",
        top + LANE / 2.0 + 4.0,
        bare(short)
    );
}

fn draw(svg: &mut String, scale: &Scale, mark: &Mark, y: f64) {
    let x = scale.x(mark.at);
    let (class, shape) = match mark.shape {
        Shape::Good => ("good", format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"/>")),
        Shape::Wait => {
            let (left, right, top, bottom) = (x - 8.0, x + 8.0, y - 8.0, y + 8.0);
            let corners = format!("{x:.1},{top:.1} {right:.1},{y:.1} {x:.1},{bottom:.1} {left:.1},{y:.1}");
            ("wait", format!("<polygon points=\"{corners}\"/>"))
        }
        Shape::Bad => ("bad", format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>", x - 6.0, y - 6.0)),
    };
    let lasted = mark.until.map(|until| scale.x(until) - x).filter(|length| *length > 0.5).map(|length| {
        format!("<rect class=\"span\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"6\"/>", y - 3.0)
    });
    let _ = write!(
        svg,
        "<a class=\"mark {class}\" href=\"/console/records/{}\" tabindex=\"-1\"><title>{}</title>{}{shape}</a>",
        bare(&mark.record),
        bare(&mark.words),
        lasted.unwrap_or_default()
    );
}

fn labels(svg: &mut String, scale: &Scale, gathered: &[Gathered], y: f64) {
    for moment in gathered.iter().filter(|moment| !moment.labels.is_empty()) {
        let x = scale.x(moment.at);
        let words = moment.labels.join(", ");
        // What would run out of the picture is written to the left.
        let side = if x > WIDTH * 0.75 { "left" } else { "right" };
        let text = if side == "left" { x - 9.0 } else { x + 9.0 };
        let _ = write!(
            svg,
            "<g class=\"label {side}\"><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
             <text x=\"{text:.1}\" y=\"{:.1}\">{}</text></g>",
            y + 4.0,
            bare(head(&words, 60).0)
        );
    }
}

fn spend(svg: &mut String, scale: &Scale, gathered: &[Gathered], top: f64) {
    let most = gathered.iter().map(|moment| moment.spend).max().unwrap_or(0).max(1);
    let (floor, room) = (top + LANE * 1.4 - 4.0, LANE * 1.4 - 12.0);
    let mut path = format!("M{:.1},{floor:.1}", NAMES + 20.0);
    for moment in gathered {
        let y = floor - room * (moment.spend as f64 / most as f64);
        let _ = write!(path, " H{:.1} V{y:.1}", scale.x(moment.at));
    }
    let _ = write!(path, " H{:.1}", WIDTH - 20.0);
    let _ = write!(svg, "<path class=\"spend\" d=\"{path}\"/>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + secs).expect("time")
    }

    fn mark(lane: &str, secs: i64, words: &str) -> Mark {
        let (lane, words) = (lane.to_owned(), words.to_owned());
        Mark { lane, at: at(secs), until: Some(at(secs + 1)), shape: Shape::Good, words, record: "rec_1".into() }
    }

    #[test]
    fn silences_are_pressed_together_and_named() {
        let marks = [mark("a/b", 0, "x"), mark("a/b", 5, "y"), mark("a/b", 3600, "z")];
        let scale = Scale::over(&marks, &[]);
        let x: Vec<_> = [0, 5, 3600].iter().map(|secs| scale.x(at(*secs))).collect();
        assert!(x[0] < x[1] && x[1] < x[2] && x[2] <= WIDTH);
        assert!(x[2] - x[1] < 20.0 * (x[1] - x[0]), "an hour is not 720 times five seconds: {x:?}");
        assert!(picture(&marks, &[]).contains("59 min</text>"));
    }

    #[test]
    fn what_others_wrote_stays_text() {
        let marks = [mark("a/<script>", 0, "</title><script>\u{202E}")];
        let svg = picture(&marks, &[Gathered { at: at(0), labels: vec!["</svg>".into()], spend: 5 }]);
        assert!(!svg.contains("<script") && !svg.contains("<b") && svg.contains("⟨U+202E⟩"), "{svg}");
        assert_eq!(svg.matches("</svg>").count(), 1);
    }

    #[test]
    fn a_run_of_many_tools_stays_a_picture() {
        let marks: Vec<_> = (0..40).map(|n| mark(&format!("u/t{n}"), n, "x")).collect();
        assert_eq!(lanes(&marks).len(), LANES_MAX + 1);
        assert!(picture(&[], &[]).ends_with("</svg>"));
    }
}
