//! Which of the log's trees timestampers have stamped, and so by when a record existed. Owns the step from a token over a
//! checkpoint to the records below it; tokens themselves are read in [`crate::stamp`].

use super::heads::Steps;
use super::place::open;
use super::report::Anchor;
use super::{Court, Outcome, Read, Step};
use crate::bundle::{Bundle, Head};
use crate::instant;
use crate::stamp::{NotStamped, verify};
use crate::trust::Trust;

/// A tree of a known log that a named timestamper has seen.
pub(super) struct Stamped {
    pub head: Head,
    pub anchor: Anchor,
}

impl Court {
    /// The trees that are stamped, and how many tokens are of nobody who is named: those are passed over.
    pub(super) fn stamps(&mut self, bundle: &Bundle, trust: &Trust) -> (Vec<Stamped>, usize) {
        let (mut stamped, mut unnamed) = (Vec::new(), 0);
        for timestamp in &bundle.timestamps {
            let opened = match open(&timestamp.checkpoint, trust) {
                Ok(opened) => opened,
                Err((outcome, detail)) => {
                    self.say(Step::Anchor, None, outcome, format!("a checkpoint that is stamped: {detail}"));
                    continue;
                }
            };
            let bytes = timestamp.checkpoint.to_string();
            match verify(&timestamp.rfc3161, bytes.as_bytes(), &trust.timestampers) {
                Ok(stamp) => {
                    let anchor = Anchor { by: stamp.by, at: stamp.at };
                    stamped.push(Stamped { head: Head::of(&opened.checkpoint), anchor });
                }
                Err(NotStamped::Unknown) => unnamed += 1,
                Err(error) => self.say(Step::Anchor, None, Outcome::Fails, error.to_string()),
            }
        }
        (stamped, unnamed)
    }

    /// The earliest stamp over a tree with this record: one tree with the one it was proven in, and large enough.
    pub(super) fn anchor<'h>(
        &mut self,
        read: &'h Read<'_>,
        stamped: &'h [Stamped],
        steps: &Steps<'h>,
        trust: &Trust,
    ) -> Option<Anchor> {
        let place = read.place.as_ref()?;
        let holds = |stamped: &&Stamped| stamped.head.origin == place.head.origin && stamped.head.size > place.index;
        let one_tree = |stamped: &&'h Stamped| steps.join(&stamped.head, &place.head);
        let over = stamped.iter().filter(holds).filter(one_tree);
        let earliest = over.map(|stamped| &stamped.anchor).min_by_key(|anchor| anchor.at).cloned();
        match &earliest {
            Some(anchor) => {
                let detail = format!("stamped by {} at {}", anchor.by, instant::print(anchor.at));
                self.say(Step::Anchor, Some(read.at), Outcome::Holds, detail);
            }
            None if trust.require.anchored => {
                let detail = "no timestamper that is named has stamped a tree with it";
                self.say(Step::Anchor, Some(read.at), Outcome::Missing, detail);
            }
            None => {}
        }
        earliest
    }
}
