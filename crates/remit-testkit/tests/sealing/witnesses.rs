//! Witnesses: honest, new, slow, lying, and ahead of us.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};
use remit_app::seal::{Cosigner, Lost, Sealed};
use remit_app::witness::{Declined, Witness};
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::cosignature::cosign;
use remit_evidence::log::merkle::verify_consistency;
use remit_evidence::log::note::{Note, NoteSigner, SignatureLine};
use remit_evidence::log::vkey::{Algorithm, VerifierKey};

use crate::world::{World, settle};

struct Key(SigningKey, VerifierKey);

impl Key {
    fn new(name: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = VerifierKey::new(name, Algorithm::Ed25519Cosignature, key.verifying_key().as_bytes());
        Self(key, public.expect("a key"))
    }
}

impl NoteSigner for Key {
    fn key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

/// A witness that does its duty, unless it is told to misbehave.
struct Fake {
    key: Key,
    last: Mutex<Option<(Checkpoint, Note)>>,
    asked: Mutex<usize>,
    mood: Mutex<Mood>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Honest,
    Away,
    /// Signs something else.
    Lying,
    /// Claims to have seen more, without showing it.
    Boasting,
}

impl Fake {
    fn new(name: &str, seed: u8) -> Arc<Self> {
        let (last, asked, mood) = (Mutex::default(), Mutex::default(), Mutex::new(Mood::Honest));
        Arc::new(Self { key: Key::new(name, seed), last, asked, mood })
    }

    fn be(&self, mood: Mood) {
        *self.mood.lock().expect("mood") = mood;
    }
}

#[async_trait]
impl Witness for Fake {
    fn name(&self) -> &str {
        self.key.1.name()
    }

    async fn add_checkpoint(&self, old: u64, proof: &[Digest], note: &Note) -> Result<Vec<SignatureLine>, Declined> {
        *self.asked.lock().expect("asked") += 1;
        match *self.mood.lock().expect("mood") {
            Mood::Honest => {}
            Mood::Away => return Err(Declined::Unreachable("away".into())),
            Mood::Lying => {
                return Ok(vec![
                    cosign(&self.key, "a\n1\nAAAA\n", 1)
                        .or_else(|_| {
                            SignatureLine::make(
                                &self.key,
                                &Checkpoint::new("other", 1, Digest::of(b"x")).to_string(),
                                1,
                            )
                        })
                        .expect("signed"),
                ]);
            }
            Mood::Boasting => return Err(Declined::Seen(1_000_000)),
        }
        let next = Checkpoint::parse(note.text()).expect("a checkpoint");
        let mut last = self.last.lock().expect("last");
        let size = last.as_ref().map_or(0, |(last, _)| last.size);
        if old != size {
            return Err(Declined::Seen(size));
        }
        if let Some((last, _)) = &*last {
            let same = last.size == next.size && last.root == next.root && proof.is_empty();
            let extends = || verify_consistency(last.size, &last.root, next.size, &next.root, proof).is_ok();
            if !same && !extends() {
                return Err(Declined::Inconsistent("another tree".into()));
            }
        }
        *last = Some((next, note.clone()));
        Ok(vec![cosign(&self.key, note.text(), 1_800_000_000).expect("signed")])
    }

    async fn latest(&self, _: &str) -> Result<Option<Note>, Declined> {
        if *self.mood.lock().expect("mood") == Mood::Away {
            return Err(Declined::Unreachable("away".into()));
        }
        Ok(self.last.lock().expect("last").as_ref().map(|(_, note)| note.clone()))
    }
}

fn cosigner(witness: &Arc<Fake>) -> Cosigner {
    Cosigner::new(Arc::clone(witness) as Arc<dyn Witness>, witness.key.1.clone())
}

fn cosigned(world: &World, witness: &Fake) -> bool {
    let note = std::fs::read(world.ledger().join("checkpoint")).expect("read");
    Note::parse(&note).expect("a note").seals([&witness.key.1]).is_ok()
}

#[tokio::test]
async fn what_witnesses_add_is_published() {
    let (one, two) = (Fake::new("one.example", 1), Fake::new("two.example", 2));
    let world = World::new();
    let mut sealer = world.sealer_with(vec![cosigner(&one), cosigner(&two)], 2);
    for count in [3, 300, 1] {
        world.append(count).await;
        let said = sealer.round().await;
        let Sealed::Published(report) = &said else { panic!("{said:?}") };
        assert_eq!((report.cosigned, report.quorum, &report.trouble), (2, true, &Vec::new()));
        assert!(cosigned(&world, &one) && cosigned(&world, &two));
    }
    // A process that knows nothing asks what they have, and a new witness says that it has nothing.
    let three = Fake::new("three.example", 3);
    world.append(5).await;
    let mut sealer = world.sealer_with(vec![cosigner(&one), cosigner(&three)], 1);
    let said = sealer.round().await;
    assert!(matches!(&said, Sealed::Published(report) if report.cosigned == 2), "{said:?}");
    world.check("witnessed").await;
}

#[tokio::test]
async fn a_witness_that_has_seen_another_size_is_asked_again() {
    let one = Fake::new("one.example", 1);
    let world = World::new();
    let mut sealer = world.sealer_with(vec![cosigner(&one)], 1);
    world.append(3).await;
    sealer.round().await;
    // It saw size 10 through somebody else, and this sealer thinks of 3.
    let mut second = world.sealer_with(vec![cosigner(&one)], 1);
    one.be(Mood::Away);
    world.append(7).await;
    second.round().await;
    one.be(Mood::Honest);
    world.append(4).await;
    for _ in 0..4 {
        world.later(60);
        second.round().await;
    }
    assert!(cosigned(&world, &one), "it is asked again after its rest");
    world.check("seen").await;
}

#[tokio::test]
async fn bad_witnesses_stop_nothing() {
    for mood in [Mood::Away, Mood::Lying, Mood::Boasting] {
        let (bad, good) = (Fake::new("bad.example", 1), Fake::new("good.example", 2));
        bad.be(mood);
        let world = World::new();
        let mut sealer = world.sealer_with(vec![cosigner(&bad), cosigner(&good)], 1);
        for _ in 0..20 {
            world.append(1).await;
            let said = sealer.round().await;
            let Sealed::Published(report) = &said else { panic!("{said:?}") };
            assert_eq!((report.cosigned, report.quorum), (1, true));
            assert!(cosigned(&world, &good) && !cosigned(&world, &bad));
        }
        let asked = *bad.asked.lock().expect("asked");
        assert!(mood != Mood::Away || asked < 8, "who is away is left alone for a while, and was asked {asked} times");
        world.check("bad witnesses").await;
    }
}

#[tokio::test]
async fn a_witness_that_is_ahead_stops_an_old_backup() {
    let one = Fake::new("one.example", 1);
    let world = World::new();
    world.append(10).await;
    settle(&mut world.sealer_with(vec![cosigner(&one)], 1)).await;
    // Store, ledger and guard are all lost, and records come anew.
    let restored = World::new();
    restored.append(4).await;
    let said = restored.sealer_with(vec![cosigner(&one)], 1).round().await;
    assert!(matches!(&said, Sealed::Lost(Lost::Behind { theirs: 10, ours: 0, .. })), "{said:?}");
    // It was away at the start, and says so when it is asked.
    one.be(Mood::Away);
    let mut sealer = restored.sealer_with(vec![cosigner(&one)], 1);
    assert!(matches!(sealer.round().await, Sealed::Published(_)));
    one.be(Mood::Honest);
    let mut last = Sealed::Idle;
    for _ in 0..5 {
        restored.later(60);
        last = sealer.round().await;
    }
    assert!(matches!(&last, Sealed::Lost(Lost::Behind { theirs: 10, ours: 4, .. })), "{last:?}");
}
