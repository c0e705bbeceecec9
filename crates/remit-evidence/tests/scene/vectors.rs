//! The bytes that others rely on: one record of each kind, a leaf, a bundle and its trust document.

use super::records::history;
use super::*;

/// Each vector's file and its bytes.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let records = history();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for kind in Kind::ALL {
        let record = records.iter().find(|record| record.kind == kind).expect("each kind");
        let text = format!("{}\n", record.envelope.to_json());
        files.push((format!("{}.envelope.json", kind.as_str()), text.into_bytes()));
        let leaf = Leaf::of(&record.envelope, record.seq).expect("leaf");
        files.push((format!("{}.leaf", kind.as_str()), leaf.to_bytes().to_vec()));
    }
    let log = Log::of(records);
    files.push(("chain.evidence.json".into(), format!("{}\n", log.bundle(&[0, 3, 4, 5, 6]).to_json()).into_bytes()));
    files.push(("trust.json".into(), format!("{}\n", trust()).into_bytes()));
    files
}
