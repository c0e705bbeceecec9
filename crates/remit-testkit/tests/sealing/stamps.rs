//! Timestampers: honest, away, lying, and with clocks of their own.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use remit_app::ports::{Clock, Entropy};
use remit_app::prove::{Prover, Wanted};
use remit_app::stamp::{Round, Stamped, Stamper, Timestamping, Tools};
use remit_core::ids::RecordId;
use remit_evidence::bundle::Head;
use remit_evidence::log::merkle::verify_consistency;
use remit_evidence::stamp::{Timestamper, verify, whole};
use remit_server::ledger::folder::LedgerFolder;

use crate::timestamper::{DATA, EDWARDS, ISSUER, LAX, OTHER, PAST, STRAY, Stamping, TSA, WIDE, der, named};
use crate::world::{ORIGIN, World, settle};

const HOUR: i64 = 3600;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Honest,
    Away,
    Garbage,
    Refusing,
    OtherBytes,
    OtherNonce,
    OtherKey,
    OtherContent,
    /// So many seconds off.
    Clock(i64),
    With(&'static [u8]),
}

struct Fake {
    now: Arc<std::sync::atomic::AtomicI64>,
    mood: Mutex<Mood>,
    asked: Mutex<usize>,
}

impl Fake {
    fn be(&self, mood: Mood) {
        *self.mood.lock().expect("mood") = mood;
    }

    fn asked(&self) -> usize {
        *self.asked.lock().expect("asked")
    }
}

#[async_trait]
impl Timestamping for Fake {
    async fn ask(&self, query: Vec<u8>) -> Result<Vec<u8>, String> {
        *self.asked.lock().expect("asked") += 1;
        let mood = *self.mood.lock().expect("mood");
        let off = if let Mood::Clock(off) = mood { off } else { 0 };
        let now = self.now.load(std::sync::atomic::Ordering::Relaxed) + off;
        let at = Timestamp::from_second(now).expect("a time").strftime("%Y%m%d%H%M%SZ").to_string();
        // The digest stands behind the algorithm, the nonce before the last three bytes.
        let imprint = query.get(24..56).and_then(|digest| digest.try_into().ok()).ok_or("no query")?;
        let nonce = query.get(query.len() - 11..query.len() - 3).ok_or("no query")?.to_vec();
        let good = Stamping { imprint, nonce, ..Stamping::of(b"", &at) };
        let stamping = match mood {
            Mood::Away => return Err("it cannot be reached".into()),
            Mood::Garbage => return Ok(b"<html>busy</html>".to_vec()),
            Mood::Honest | Mood::Clock(_) | Mood::Refusing => good,
            Mood::OtherBytes => Stamping { imprint: [7; 32], ..good },
            Mood::OtherNonce => Stamping { nonce: whole([9; 8]).to_vec(), ..good },
            Mood::OtherKey => Stamping { seed: 0x41, ..good },
            Mood::OtherContent => Stamping { content_type: DATA, ..good },
            Mood::With(certificate) => good.by(certificate),
        };
        let status = if mood == Mood::Refusing { 2 } else { 0 };
        Ok(der(0x30, &[&der(0x30, &[&der(0x02, &[&[status]])]), &stamping.token()]))
    }
}

struct Now(Arc<std::sync::atomic::AtomicI64>);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(std::sync::atomic::Ordering::Relaxed)).expect("a time")
    }
}

struct Chance(Mutex<u8>);

impl Entropy for Chance {
    fn bytes(&self) -> [u8; 32] {
        let mut last = self.0.lock().expect("chance");
        *last += 1;
        [*last; 32]
    }
}

fn stamper(world: &World, fake: &Arc<Fake>, timestamper: Timestamper) -> Stamper {
    let tools = Tools {
        store: Arc::clone(&world.store),
        tiles: Arc::new(LedgerFolder::open(&world.ledger()).expect("it opens")),
        clock: Arc::new(Now(Arc::clone(&world.now))),
        entropy: Arc::new(Chance(Mutex::default())),
        timestamping: Arc::clone(fake) as Arc<dyn Timestamping>,
    };
    Stamper::new(ORIGIN, tools, timestamper, SignedDuration::from_secs(HOUR))
}

fn fake(world: &World) -> Arc<Fake> {
    Arc::new(Fake { now: Arc::clone(&world.now), mood: Mutex::new(Mood::Honest), asked: Mutex::default() })
}

async fn grow(world: &World) {
    world.append(3).await;
    settle(&mut world.sealer()).await;
}

fn kept(round: Round) -> Stamped {
    match round {
        Round::Kept(stamped) => stamped,
        other => panic!("not stamped: {other:?}"),
    }
}

#[tokio::test]
async fn a_checkpoint_is_stamped_once_in_a_while_and_only_when_the_log_has_grown() {
    let world = World::new();
    let fake = fake(&world);
    let mut stamper = stamper(&world, &fake, named(ISSUER));
    assert_eq!(stamper.round().await, Round::Idle, "there is nothing yet");
    grow(&world).await;
    let stamped = kept(stamper.round().await);
    assert_eq!((stamped.size, stamped.origin.as_str()), (3, ORIGIN));
    assert_eq!(stamped.note.as_bytes(), std::fs::read(world.ledger().join("checkpoint")).expect("published"));
    assert!(verify(&stamped.token, stamped.note.as_bytes(), &[named(TSA)]).is_ok());
    assert_eq!(world.store.last_stamp(ORIGIN).await.expect("read"), Some(stamped));
    grow(&world).await;
    assert_eq!((stamper.round().await, fake.asked()), (Round::Idle, 1), "not so soon");
    world.later(HOUR);
    assert_eq!(kept(stamper.round().await).size, 6);
    world.later(2 * HOUR);
    assert_eq!((stamper.round().await, fake.asked()), (Round::Idle, 2), "nothing is new");
}

#[tokio::test]
async fn a_restart_knows_what_was_stamped() {
    let world = World::new();
    let fake = fake(&world);
    grow(&world).await;
    kept(stamper(&world, &fake, named(ISSUER)).round().await);
    grow(&world).await;
    world.later(HOUR / 2);
    let mut again = stamper(&world, &fake, named(ISSUER));
    assert_eq!((again.round().await, again.round().await, fake.asked()), (Round::Idle, Round::Idle, 1));
    world.later(HOUR / 2 + 2);
    assert_eq!(kept(again.round().await).size, 6);
}

#[tokio::test]
async fn what_is_not_a_stamp_is_not_kept_and_it_is_asked_again_later() {
    let world = World::new();
    let fake = fake(&world);
    grow(&world).await;
    let moods = [
        Mood::Away,
        Mood::Garbage,
        Mood::Refusing,
        Mood::OtherBytes,
        Mood::OtherNonce,
        Mood::OtherKey,
        Mood::OtherContent,
        Mood::Clock(-HOUR),
        Mood::Clock(HOUR),
        Mood::With(LAX),
        Mood::With(WIDE),
        Mood::With(PAST),
        Mood::With(STRAY),
    ];
    for mood in moods {
        let mut stamper = stamper(&world, &fake, named(ISSUER));
        fake.be(mood);
        let said = stamper.round().await;
        assert!(matches!(&said, Round::Later(why) if !why.is_empty()), "{mood:?}: {said:?}");
        assert_eq!(world.store.last_stamp(ORIGIN).await.expect("read"), None, "{mood:?}");
        let asked = fake.asked();
        assert_eq!((stamper.round().await, fake.asked()), (Round::Idle, asked), "{mood:?}: not at once");
    }
    let mut stamper = stamper(&world, &fake, named(OTHER));
    fake.be(Mood::Honest);
    assert!(matches!(stamper.round().await, Round::Later(_)), "who is named is another");
}

#[tokio::test]
async fn a_timestamper_that_stays_away_is_asked_ever_less_and_taken_up_again() {
    let world = World::new();
    let fake = fake(&world);
    grow(&world).await;
    let mut stamper = stamper(&world, &fake, named(ISSUER));
    fake.be(Mood::Away);
    for _ in 0..3600 {
        stamper.round().await;
        world.later(1);
    }
    assert!((8..16).contains(&fake.asked()), "asked {} times in an hour", fake.asked());
    fake.be(Mood::With(EDWARDS));
    world.later(600);
    assert_eq!(kept(stamper.round().await).size, 3);
}

/// What every auditor does with a bundle is in `remit-evidence`; here: that the bundle brings what they need.
#[tokio::test]
async fn a_bundle_brings_the_first_stamp_over_each_record_and_the_growth_from_there() {
    let world = World::new();
    let fake = fake(&world);
    let mut stamper = stamper(&world, &fake, named(ISSUER));
    for _ in 0..3 {
        grow(&world).await;
        kept(stamper.round().await);
        world.later(HOUR);
    }
    world.append(1).await;
    let mut sealer = world.sealer();
    settle(&mut sealer).await;
    let prover: Prover = sealer.prover();
    let records = world.store.records(&Default::default()).await.expect("read");
    let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
    for (leaf, sizes) in [(0, vec![3]), (2, vec![3]), (3, vec![6]), (8, vec![9]), (9, vec![])] {
        let gathered = prover.gather(&Wanted::Record(ids[leaf].clone())).await.expect("gathered");
        let bundle = prover.prove(gathered, &[], &[]).expect("proven");
        let own = Head::stated(&bundle.claims[0].proof.as_ref().expect("a proof").checkpoint).expect("a head");
        let stamped: Vec<Head> =
            bundle.timestamps.iter().map(|stamped| Head::stated(&stamped.checkpoint).expect("a head")).collect();
        assert_eq!(stamped.iter().map(|head| head.size).collect::<Vec<_>>(), sizes, "leaf {leaf}");
        for (head, growth) in stamped.iter().zip(&bundle.consistency) {
            assert_eq!((head, &own), (&growth.old, &growth.new));
            let path = &growth.path;
            verify_consistency(head.size, &head.root, own.size, &own.root, path).expect("grown");
        }
        assert_eq!(bundle.consistency.len(), sizes.len());
    }
}
