//! The law of a witness as a property: whatever is asked, however the disk fails and whenever the power
//! goes, what has left it is one history that only grows.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::disk::{Fake, Fault};
use super::*;
use crate::witness::judge::Refusal;

#[derive(Clone, Debug)]
enum Step {
    /// Ask from the size the witness was last heard to have.
    Grow(Branch, u64),
    Ask(Branch, u64, u64),
    Fail(u8, bool),
    /// The process dies; the kernel does not.
    Restart,
    PowerCut(bool),
    Clock(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let branch = || prop_oneof![2 => Just(Branch::Real), 1 => Just(Branch::Twin)];
    let step = prop_oneof![
        8 => (branch(), 0..=SIZE_MAX).prop_map(|(branch, size)| Step::Grow(branch, size)),
        2 => (branch(), 0..=SIZE_MAX, 0..=SIZE_MAX).prop_map(|(branch, old, size)| Step::Ask(branch, old, size)),
        3 => (0..4_u8, any::<bool>()).prop_map(|(step, happened)| Step::Fail(step, happened)),
        3 => Just(Step::Restart),
        3 => any::<bool>().prop_map(Step::PowerCut),
        1 => (0..5_000_i64).prop_map(Step::Clock),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Everything that ever left the witness.
#[derive(Default)]
struct World {
    roots: BTreeMap<u64, Digest>,
    largest: u64,
    time: u64,
}

impl World {
    fn sees(&mut self, head: &Checkpoint, time: u64) {
        let root = self.roots.entry(head.size).or_insert(head.root);
        assert_eq!(*root, head.root, "two trees of {} leaves", head.size);
        assert!(head.size >= self.largest, "the size fell from {} to {}", self.largest, head.size);
        assert!(time >= self.time, "the time fell from {} to {time}", self.time);
        (self.largest, self.time) = (head.size, time);
        for branch in [Branch::Real, Branch::Twin] {
            if self.roots.iter().all(|(size, root)| branch.head(*size).root == *root) {
                return;
            }
        }
        panic!("parts of two histories were cosigned: {:?}", self.roots.keys());
    }
}

struct Play {
    heads: Fake,
    clock: Hand,
    witness: Option<Arc<Witness>>,
    heard: u64,
    world: World,
}

impl Play {
    fn start(&mut self) {
        // The old process is gone before the new one starts.
        self.witness = None;
        match open(self.heads.clone(), Fake::default(), &self.clock) {
            Ok(witness) => self.witness = Some(witness),
            Err(Unopened::Io(..)) => {}
            Err(error) => panic!("{error}"),
        }
        self.look();
    }

    /// Monitors look after every step.
    fn look(&mut self) {
        let hash = Digest::of(ORIGIN.as_bytes()).to_string();
        let Some(shown) = self.witness.as_ref().and_then(|witness| witness.latest(&hash)) else { return };
        let note = Note::parse(shown.as_bytes()).expect("note");
        let time = note.seals([cosigner().vkey()]).expect("cosigned")[0].time.expect("timed");
        self.world.sees(&Checkpoint::parse(note.text()).expect("checkpoint"), time);
    }

    fn ask(&mut self, runtime: &Runtime, branch: Branch, old: u64, size: u64) {
        let Some(witness) = self.witness.clone() else { return };
        match runtime.block_on(witness.add_checkpoint(branch.body(old, size).as_bytes())) {
            Ok(lines) => {
                self.heard = size;
                self.world.sees(&branch.head(size), time_of(size, branch, &lines));
            }
            Err(Refusal::Seen(seen)) => self.heard = seen,
            Err(_) => {}
        }
    }

    fn step(&mut self, runtime: &Runtime, step: &Step) {
        match *step {
            Step::Grow(branch, size) => self.ask(runtime, branch, self.heard, size),
            Step::Ask(branch, old, size) => self.ask(runtime, branch, old, size),
            Step::Fail(step, happened) => self.heads.fail(Fault { step, happened }),
            Step::Restart => self.start(),
            Step::PowerCut(landed) => {
                self.witness = None;
                self.heads.power_cut(landed);
                self.start();
            }
            Step::Clock(time) => self.clock.0.store(time, Ordering::SeqCst),
        }
        self.look();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_leaves_a_witness_is_one_history_that_only_grows(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let (heads, clock) = (Fake::default(), Hand::default());
        let mut play = Play { heads, clock, witness: None, heard: 0, world: World::default() };
        play.start();
        steps.iter().for_each(|step| play.step(&runtime, step));
        // It is not safe by doing nothing: after all this it goes on with the history it has shown.
        play.heads.mend();
        play.start();
        let shown = |branch: Branch| play.world.roots.iter().all(|(size, root)| branch.head(*size).root == *root);
        let branch = if shown(Branch::Real) { Branch::Real } else { Branch::Twin };
        let largest = play.world.largest;
        play.ask(&runtime, branch, largest, SIZE_MAX);
        prop_assert_eq!(play.world.largest, SIZE_MAX);
    }
}
