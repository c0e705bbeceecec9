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
        let Exported { records, bad } = Exported::read(&self.file, &self.key)?;
        for (line, why) in &bad {
            say(format!("line {line}: {why}"))?;
        }
        let policies = records.iter().filter(|(record, _)| record.kind == Kind::Policy);
        let authorities: HashMap<Digest, Snapshot> =
            policies.filter_map(|(_, disclosed)| authority(disclosed)).collect();
        let (mut agree, mut differ, mut skipped, mut unable) = (0, 0, 0, bad.len());
        for (record, disclosed) in records.iter().filter(|(record, _)| record.kind == Kind::Decision) {
            let snapshot = authority_of(&record.predicate).map(|digest| authorities.get(&digest));
            let replayed = match snapshot {
                None => Err(Unreplayable::NotDecided),
                Some(None) => {
                    say(format!("{}: the texts of its authority are not among the records", record.id))?;
                    unable += 1;
                    continue;
                }
                Some(Some(snapshot)) => replay(snapshot, &record.predicate, disclosed),
            };
            match replayed {
                Ok(differences) if differences.is_empty() => agree += 1,
                Ok(differences) => {
                    differ += 1;
                    for d in differences {
                        let (recorded, replayed) = (visible(&d.recorded), visible(&d.replayed));
                        say(format!("{}: `{}` says {recorded}, and decided again {replayed}", record.id, d.member))?;
                    }
                }
                Err(Unreplayable::NotDecided) => skipped += 1,
                Err(why) => {
                    unable += 1;
                    say(format!("{}: {why}", record.id))?;
                }
            }
        }
        say(format!(
            "{} and agree, {differ} differ, {unable} could not be decided again, {skipped} were refused before policy",
            counted(agree, "decision was made again", "decisions were made again"),
        ))?;
        Ok(match (differ, unable) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        })
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
