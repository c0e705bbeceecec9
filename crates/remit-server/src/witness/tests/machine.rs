//! What a witness answers to each request, and what it keeps.

use std::sync::atomic::Ordering;

use super::disk::{Fake, Fault};
use super::*;
use crate::witness::judge::Refusal;

struct Table {
    witness: Arc<Witness>,
    heads: Fake,
    forks: Fake,
    clock: Hand,
}

impl Table {
    fn set() -> Self {
        let (heads, forks, clock) = (Fake::default(), Fake::default(), Hand::default());
        clock.0.store(1_000, Ordering::SeqCst);
        Self { witness: open(heads.clone(), forks.clone(), &clock).expect("witness"), heads, forks, clock }
    }

    fn again(&mut self) {
        self.witness = open(self.heads.clone(), self.forks.clone(), &self.clock).expect("witness");
    }

    async fn add(&self, branch: Branch, old: u64, size: u64) -> Result<u64, Refusal> {
        let lines = self.witness.add_checkpoint(branch.body(old, size).as_bytes()).await?;
        Ok(time_of(size, branch, &lines))
    }

    async fn check(&self, body: String, expected: Refusal) {
        assert_eq!(self.witness.add_checkpoint(body.as_bytes()).await, Err(expected), "{body}");
    }

    fn kinds(&self) -> Vec<String> {
        let names = self.forks.names().expect("names");
        names.iter().map(|name| name.split('-').next().expect("kind").to_owned()).collect()
    }
}

const NOT_PROVEN: Refusal = Refusal::Inconsistent("the consistency proof does not hold");

#[tokio::test]
async fn a_log_that_grows_is_cosigned_and_one_that_does_not_is_not() {
    let mut table = Table::set();
    for (old, size) in [(0, 0), (0, 3), (3, 3), (3, 8), (8, 13)] {
        assert_eq!(table.add(Branch::Real, old, size).await, Ok(1_000), "{old} {size}");
    }
    for _ in 0..2 {
        assert_eq!(table.add(Branch::Real, 8, 16).await, Err(Refusal::Seen(13)));
        assert_eq!(table.add(Branch::Real, 0, 8).await, Err(Refusal::Seen(13)), "a rollback");
        let other = Refusal::Inconsistent("another tree of this size was cosigned");
        assert_eq!(table.add(Branch::Twin, 13, 13).await, Err(other));
        assert_eq!(table.add(Branch::Twin, 13, 20).await, Err(NOT_PROVEN));
        assert_eq!(table.kinds(), ["fork", "unproven"], "kept once");
        table.again();
    }
    assert_eq!(table.add(Branch::Real, 13, 24).await, Ok(1_000));
}

#[tokio::test]
async fn a_fork_is_kept_even_if_the_old_size_was_wrong() {
    let table = Table::set();
    table.add(Branch::Real, 0, 8).await.expect("cosigned");
    assert_eq!(table.add(Branch::Twin, 0, 8).await, Err(Refusal::Seen(8)));
    let [name] = &table.forks.names().expect("names")[..] else { panic!("one file") };
    let kept: serde_json::Value = serde_json::from_slice(&table.forks.read(name).expect("file")).expect("JSON");
    for (part, branch) in [("seen", Branch::Real), ("shown", Branch::Twin)] {
        let note = Note::parse(kept[part].as_str().expect("note").as_bytes()).expect("note");
        let log = log();
        let opened = Checkpoint::open(&note, [log.vkey()], []).expect("signed by the log");
        assert_eq!(opened.checkpoint, branch.head(8));
    }
}

#[tokio::test]
async fn proofs_are_neither_left_out_nor_put_where_none_belongs() {
    let table = Table::set();
    let written = |old, proof: &[Digest], size| crate::witness::request::write(old, proof, &Branch::Real.note(size));
    let proof = Branch::Real.proof(3, 8);
    table.check(written(0, &proof, 8), Refusal::Inconsistent("nothing can be proved from an empty tree")).await;
    table.add(Branch::Real, 0, 3).await.expect("cosigned");
    table.check(written(3, &proof, 3), Refusal::Inconsistent("nothing is to be proved between equal sizes")).await;
    table.check(written(3, &[], 8), NOT_PROVEN).await;
    table.check(written(3, &proof[1..], 8), NOT_PROVEN).await;
    table.check(written(3, &proof, 9), NOT_PROVEN).await;
}

#[tokio::test]
async fn only_the_log_can_ask() {
    let table = Table::set();
    let stranger = Signer::ed25519("log.example/b", Algorithm::Ed25519, &[3; 32]).expect("key");
    let head = Checkpoint::new("log.example/b", 8, Branch::Real.head(8).root);
    let note = head.sign(&[&stranger], 7).expect("signed");
    table.check(crate::witness::request::write(0, &[], &note), Refusal::Unknown).await;

    let impostor = Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[3; 32]).expect("key");
    let note = Branch::Real.head(8).sign(&[&impostor], 7).expect("signed");
    table
        .check(
            crate::witness::request::write(0, &[], &note),
            Refusal::Unsigned("no key that is known has signed".into()),
        )
        .await;

    let body = Branch::Real.body(0, 8);
    let changed = body.replace("\n8\n", "\n9\n");
    let bad = Refusal::Unsigned(format!("the signature of `{ORIGIN}` does not verify"));
    table.check(changed, bad).await;

    let mut both = Branch::Real.head(8).sign(&[&impostor, &log()], 7).expect("signed");
    both.push(note.signatures()[0].clone());
    let lines = table.witness.add_checkpoint(crate::witness::request::write(0, &[], &both).as_bytes()).await;
    assert_eq!(time_of(8, Branch::Real, &lines.expect("a stranger's line is passed over")), 1_000);
    let hash = Digest::of(ORIGIN.as_bytes()).to_string();
    let shown = table.witness.latest(&hash).expect("shown");
    assert_eq!(Note::parse(shown.as_bytes()).expect("note").signatures().len(), 2, "the log's line and ours");
}

#[tokio::test]
async fn every_changed_bit_of_a_request_is_refused() {
    let table = Table::set();
    table.add(Branch::Real, 0, 3).await.expect("cosigned");
    let good = Branch::Real.body(3, 8);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone().into_bytes();
            bad[at] ^= 1 << bit;
            assert!(table.witness.add_checkpoint(&bad).await.is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..good.len() {
        assert!(table.witness.add_checkpoint(&good.as_bytes()[..end]).await.is_err(), "cut off at {end}");
    }
    assert_eq!(table.add(Branch::Real, 3, 8).await, Ok(1_000));
}

#[tokio::test]
async fn the_empty_tree_has_one_root_only() {
    let table = Table::set();
    let text = Branch::Real.head(8).to_string().replace("\n8\n", "\n0\n");
    let note = Note::sign(&text, &[&log()], 7).expect("signed");
    let expected = Refusal::Inconsistent("the empty tree has one root only");
    table.check(crate::witness::request::write(0, &[], &note), expected).await;
}

#[tokio::test]
async fn lines_behind_the_root_need_a_signature_that_covers_them() {
    let quantum = Signer::ml_dsa_44(ORIGIN, &[1; 32]).expect("key");
    let logs = Logs::parse(&format!("{}\n{}\n", log().vkey(), quantum.vkey()), &[]).expect("logs");
    let (heads, forks) = (Box::new(Fake::default()), Box::new(Fake::default()));
    let signers = vec![cosigner(), Signer::ml_dsa_44(WITNESS, &[2; 32]).expect("key")];
    let own: Vec<_> = signers.iter().map(|signer| signer.vkey().clone()).collect();
    let witness = Witness::open(signers, &logs, heads, forks, Box::new(Hand::default())).expect("witness");
    let add = async |text: &str, signers: &[&dyn remit_evidence::log::note::NoteSigner]| {
        let mut note = Note::sign(text, signers, 7).expect("signed");
        let body = crate::witness::request::write(0, &[], &note);
        let lines = witness.add_checkpoint(body.as_bytes()).await?;
        lines.lines().for_each(|line| note.push(remit_evidence::log::note::SignatureLine::parse(line).expect("line")));
        Ok::<_, Refusal>(note.seals(&own).expect("cosigned").len())
    };
    let head = Branch::Real.head(0).to_string();
    let extended = format!("{head}more\n");
    assert!(matches!(add(&extended, &[&quantum]).await, Err(Refusal::Unsigned(_))));
    assert_eq!(add(&extended, &[&quantum, &log()]).await, Ok(2));
    assert_eq!(add(&head, &[&quantum]).await, Ok(2), "with both kinds of key");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_does_not_take_the_time_along() {
    let mut table = Table::set();
    assert_eq!(table.add(Branch::Real, 0, 3).await, Ok(1_000));
    table.clock.0.store(-5, Ordering::SeqCst);
    assert_eq!(table.add(Branch::Real, 3, 4).await, Ok(1_000));
    table.again();
    assert_eq!(table.add(Branch::Real, 4, 5).await, Ok(1_000));
    table.clock.0.store(1_001, Ordering::SeqCst);
    assert_eq!(table.add(Branch::Real, 5, 6).await, Ok(1_001));
}

#[tokio::test]
async fn what_is_repeated_within_a_second_is_answered_without_a_write() {
    let mut table = Table::set();
    table.add(Branch::Real, 0, 3).await.expect("cosigned");
    for _ in 0..2 {
        table.heads.fail(Fault { step: 0, happened: false });
        assert_eq!(table.add(Branch::Real, 3, 3).await, Ok(1_000), "nothing is written, so nothing fails");
        table.heads.mend();
        table.again();
    }
    table.clock.0.store(1_001, Ordering::SeqCst);
    assert_eq!(table.add(Branch::Real, 3, 3).await, Ok(1_001));
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_cosigned_before_a_new_start() {
    for step in 0..4 {
        for happened in [false, true] {
            let mut table = Table::set();
            table.add(Branch::Real, 0, 3).await.expect("cosigned");
            table.heads.fail(Fault { step, happened });
            assert!(matches!(table.add(Branch::Real, 3, 8).await, Err(Refusal::Stopped(_))));
            assert!(matches!(table.add(Branch::Real, 3, 8).await, Err(Refusal::Stopped(_))));
            table.witness.ended().await;
            table.again();
            let old = match table.add(Branch::Real, 1, 1).await {
                Err(Refusal::Seen(size)) => size,
                other => panic!("{other:?}"),
            };
            assert!([3, 8].contains(&old), "{step} {happened}: {old}");
            table.add(Branch::Real, old, 13).await.expect("cosigned");
        }
    }
}

#[tokio::test]
async fn evidence_that_cannot_be_kept_stops_nothing() {
    let table = Table::set();
    table.add(Branch::Real, 0, 8).await.expect("cosigned");
    table.forks.fail(Fault { step: 0, happened: false });
    assert!(table.add(Branch::Twin, 8, 8).await.is_err());
    table.add(Branch::Real, 8, 9).await.expect("cosigned");
}

#[tokio::test]
async fn requests_of_one_log_are_taken_one_after_another() {
    let table = Table::set();
    let mut asked = tokio::task::JoinSet::new();
    for size in 1..=SIZE_MAX {
        for branch in [Branch::Real, Branch::Twin] {
            let witness = table.witness.clone();
            asked.spawn(async move { witness.add_checkpoint(branch.body(0, size).as_bytes()).await.is_ok() });
        }
    }
    let cosigned = asked.join_all().await.into_iter().filter(|cosigned| *cosigned).count();
    assert_eq!(cosigned, 1, "all said that the witness had seen nothing");
}
