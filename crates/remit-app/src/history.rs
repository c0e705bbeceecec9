//! Which authorities were in force, since when, on whose word, and what changed from one to the next, in lines
//! of the files. All of it is read from the records; nothing is kept beside them.

use std::collections::{BTreeMap, VecDeque};

use remit_core::ids::Digest;
use remit_core::json;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::change::texts;
use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::ports::RecordFilter;

/// Records read in one step.
const PAGE: u32 = 100;
/// Most lines on a side that are compared one by one; longer texts are shown as replaced.
const LINES_MAX: usize = 2_000;

/// One authority that came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its record.
    pub record: String,
    /// When, RFC 3339.
    pub time: String,
    /// Its digest.
    pub digest: Digest,
    /// On what occasion: `start`, `reload`, `change`, `rollback`.
    pub by: String,
    /// The change that people approved, when it rests on one.
    pub change: Option<String>,
    /// What is different from the one before; empty for the first, and where texts were deleted.
    pub files: Vec<FileChange>,
}

/// What is different in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub name: String,
    /// `added`, `removed` or `changed`.
    pub kind: &'static str,
    /// Lines that are gone, with their numbers before.
    pub removed: Vec<(usize, String)>,
    /// Lines that came, with their numbers after.
    pub added: Vec<(usize, String)>,
}

impl Gate {
    /// The authorities that were in force last, the newest first, at most so many. A start over the same
    /// authority is no entry.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn history(&self, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        let mut entries: VecDeque<Entry> = VecDeque::new();
        let mut last: Option<(Digest, Option<String>)> = None;
        self.each_in_force(|record, digest, predicate| {
            let sources = texts(record);
            let before = last.replace((digest, sources.clone()));
            if before.as_ref().is_some_and(|(known, _)| *known == digest) {
                return;
            }
            let files = match (before.and_then(|(_, before)| before), &sources) {
                (Some(before), Some(now)) => differences(&before, now),
                _ => Vec::new(),
            };
            let text = |name: &str| predicate.get(name).and_then(Value::as_str).map(str::to_owned);
            entries.push_front(Entry {
                record: record.id.to_string(),
                time: record.time.clone(),
                digest,
                by: text("by").unwrap_or_default(),
                change: text("change"),
                files,
            });
            entries.truncate(limit);
        })
        .await?;
        Ok(entries.into())
    }

    /// The texts of an authority that was in force once, as canonical JSON; `None` when there was none of this
    /// digest or its texts were deleted.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn texts_in_force(&self, wanted: Digest) -> Result<Option<String>, Unavailable> {
        let mut found = None;
        self.each_in_force(|record, digest, _| {
            if digest == wanted {
                found = texts(record).or_else(|| found.take());
            }
        })
        .await?;
        Ok(found)
    }

    /// When a file changed last from one authority in force to the next: where the record of that stands, counted from 1,
    /// and its time. `None` when it never did.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub(crate) async fn last_changed(&self, file: &str) -> Result<Option<(u64, String)>, Unavailable> {
        let (mut before, mut found): (Option<Option<Value>>, _) = (None, None);
        self.each_in_force(|record, _, _| {
            let Some(sources) = texts(record).and_then(|texts| json::parse(texts.as_bytes()).ok()) else { return };
            let text = sources.get(file).cloned();
            if before.as_ref().is_some_and(|before| *before != text) {
                found = Some((record.id.clone(), record.time.clone()));
            }
            before = Some(text);
        })
        .await?;
        let Some((id, time)) = found else { return Ok(None) };
        let place = self.ports.store.places(&[id]).await?.into_iter().next().flatten();
        Ok(place.map(|place| (place + 1, time)))
    }

    async fn each_in_force(&self, mut each: impl FnMut(&SignedRecord, Digest, &Value)) -> Result<(), Unavailable> {
        let mut filter = RecordFilter { kind: Some(Kind::Policy), limit: PAGE, ..RecordFilter::default() };
        loop {
            let page = self.ports.store.records(&filter).await?;
            if page.is_empty() {
                return Ok(());
            }
            for record in &page {
                filter.after += 1;
                let statement = json::parse(&record.envelope.payload).unwrap_or_default();
                let predicate = statement.get("predicate").unwrap_or(&Value::Null);
                let digest = predicate.get("snapshot").and_then(Value::as_str).and_then(Digest::from_hex);
                if let Some(digest) = digest {
                    each(record, digest, predicate);
                }
            }
        }
    }
}

/// What is different between two sets of texts, file by file. Each is a JSON object of names and texts.
#[must_use]
pub fn differences(old: &str, new: &str) -> Vec<FileChange> {
    let files = |text: &str| -> BTreeMap<String, String> {
        let value = json::parse(text.as_bytes()).unwrap_or_default();
        let members = value.as_object().cloned().unwrap_or_default();
        members.into_iter().filter_map(|(name, text)| Some((name, text.as_str()?.to_owned()))).collect()
    };
    let (old, new) = (files(old), files(new));
    let mut out = Vec::new();
    for (name, before) in &old {
        match new.get(name) {
            None => out.push(change(name, "removed", before, "")),
            Some(after) if after != before => out.push(change(name, "changed", before, after)),
            Some(_) => {}
        }
    }
    out.extend(
        new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(name, text)| change(name, "added", "", text)),
    );
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

fn change(name: &str, kind: &'static str, old: &str, new: &str) -> FileChange {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (before, after) = (middle(&old, head, tail), middle(&new, head, tail));
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let line = |at: usize, text: &str| (head + at + 1, text.to_owned());
    let kept = common(before, after);
    let (mut i, mut j) = (0, 0);
    for (x, y) in kept.into_iter().chain([(before.len(), after.len())]) {
        removed.extend(before.iter().enumerate().take(x).skip(i).map(|(at, text)| line(at, text)));
        added.extend(after.iter().enumerate().take(y).skip(j).map(|(at, text)| line(at, text)));
        (i, j) = (x + 1, y + 1);
    }
    FileChange { name: name.to_owned(), kind, removed, added }
}

fn middle<'l, 't>(lines: &'l [&'t str], head: usize, tail: usize) -> &'l [&'t str] {
    lines.get(head..lines.len() - tail).unwrap_or_default()
}

/// The places of a longest common subsequence, on both sides.
fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    if a.len() > LINES_MAX || b.len() > LINES_MAX {
        return Vec::new();
    }
    // length[i][j]: of the longest one of a[i..] and b[j..].
    let width = b.len() + 1;
    let mut length = vec![0_u16; (a.len() + 1) * width];
    let at = |length: &[u16], i: usize, j: usize| length.get(i * width + j).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            let longest = match x == y {
                true => at(&length, i + 1, j + 1) + 1,
                false => at(&length, i + 1, j).max(at(&length, i, j + 1)),
            };
            if let Some(cell) = length.get_mut(i * width + j) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x == y {
            out.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if at(&length, i + 1, j) >= at(&length, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_the_lines_that_came_and_went() {
        let old = json!({"a": "1\n2\n3\n4\n", "b": "x\n", "c": "same"}).to_string();
        let new = json!({"a": "1\n3\nnew\n4\n", "c": "same", "d": "y"}).to_string();
        let shown: Vec<_> = differences(&old, &new)
            .into_iter()
            .map(|file| {
                let lines = |lines: Vec<(usize, String)>| {
                    lines.into_iter().map(|(at, text)| format!("{at}:{text}")).collect::<Vec<_>>().join(" ")
                };
                format!("{} {} -[{}] +[{}]", file.kind, file.name, lines(file.removed), lines(file.added))
            })
            .collect();
        assert_eq!(shown, ["changed a -[2:2] +[3:new]", "removed b -[1:x] +[]", "added d -[] +[1:y]"]);
        assert_eq!(differences(&old, &old), []);
    }
}
