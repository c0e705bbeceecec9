//! `remit replay`: recorded decisions made again, from the records alone.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use remit_app::replay::{Unreplayable, authority_of, replay};
use remit_config::Folder;
use remit_core::Snapshot;
use remit_core::ids::Digest;
use remit_evidence::record::Kind;
use remit_evidence::verify::Verified;
use serde_json::Value;

use super::records::Exported;
use crate::terminal::{Outcome, counted, say, visible};

/// Decide recorded cases again from the recorded facts and authority, offline. Exit code 0: all agree; 1: some
/// do not; 2: some could not be decided again.
#[derive(Args)]
pub struct Replay {
    /// Exported records, as `remit evidence export` prints them.
    file: PathBuf,
    /// The gateway's public key, as `remit evidence key` prints it.
    #[arg(long)]
    key: String,
}

impl Replay {
    /// Runs the verb.
    pub fn run(self) -> Outcome {
        let exported = Exported::read(&self.file, &self.key)?;
        for (line, why) in &exported.bad {
            say(format!("line {line}: {why}"))?;
        }
        let tally = Tally::of(&exported);
        for note in &tally.notes {
            say(note)?;
        }
        say(&tally)?;
        Ok(match (tally.differ, tally.unable + exported.bad.len()) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        })
    }
}

/// What came of deciding again.
#[derive(Default)]
pub(super) struct Tally {
    /// Say the same.
    pub agree: usize,
    /// Say something else.
    pub differ: usize,
    /// Could not be decided again.
    pub unable: usize,
    /// Were turned away before policy.
    pub before: usize,
    /// What differs, and why something could not be decided again.
    notes: Vec<String>,
}

impl Tally {
    /// Decides every decision again.
    pub fn of(exported: &Exported) -> Self {
        let mut tally = Self::default();
        let policies = exported.records.iter().filter(|(record, _)| record.kind == Kind::Policy);
        let authorities: HashMap<Digest, Snapshot> =
            policies.filter_map(|(_, disclosed)| authority(disclosed)).collect();
        for (record, disclosed) in exported.records.iter().filter(|(record, _)| record.kind == Kind::Decision) {
            tally.add(&authorities, record, disclosed);
        }
        tally
    }

    fn add(&mut self, authorities: &HashMap<Digest, Snapshot>, record: &Verified, disclosed: &[(String, Value)]) {
        let replayed = match authority_of(&record.predicate).map(|digest| authorities.get(&digest)) {
            None => Err(Unreplayable::NotDecided),
            Some(None) => {
                self.unable += 1;
                return self.notes.push(format!("{}: the texts of its authority are not here", record.id));
            }
            Some(Some(snapshot)) => replay(snapshot, &record.predicate, disclosed),
        };
        match replayed {
            Ok(differences) if differences.is_empty() => self.agree += 1,
            Ok(differences) => {
                self.differ += 1;
                self.notes.extend(differences.into_iter().map(|d| {
                    let (recorded, replayed) = (visible(&d.recorded), visible(&d.replayed));
                    format!("{}: `{}` says {recorded}, and decided again {replayed}", record.id, d.member)
                }));
            }
            Err(Unreplayable::NotDecided) => self.before += 1,
            Err(why) => {
                self.unable += 1;
                self.notes.push(format!("{}: {why}", record.id));
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} and agree, {} differ, {} could not be decided again, {} were refused before policy",
            counted(self.agree, "decision was made again", "decisions were made again"),
            self.differ,
            self.unable,
            self.before
        )
    }
}

/// The authority whose texts stand beside a policy record, compiled anew, under its own digest.
fn authority(disclosed: &[(String, Value)]) -> Option<(Digest, Snapshot)> {
    let (_, sources) = disclosed.iter().find(|(name, _)| name == "sources")?;
    let texts = sources.as_object()?.iter().map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())));
    let folder = Folder::from_texts(texts.collect::<Option<Vec<_>>>()?).ok()?;
    let snapshot = remit_config::load(&folder).ok()?.snapshot;
    Some((snapshot.digest(), snapshot))
}
