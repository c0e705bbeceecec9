//! The folder of a witness on a real disk.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::witness::folder::{FolderError, look, make, open, trust};

fn check<T>(result: Result<T, FolderError>, expected: &str) {
    let found = result.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(found.contains(expected), "`{found}` does not say `{expected}`");
}

#[tokio::test]
async fn a_witness_is_made_once_and_goes_on_where_it_was() {
    let place = tempfile::tempdir().expect("folder");
    let dir = place.path().join("witness");
    check(open(&dir, Box::new(Hand::default())), "is no witness");
    check(make(&dir, "a b", false), "cannot be its name");
    assert!(!dir.exists());
    let keys = make(&dir, WITNESS, true).expect("made");
    assert_eq!(
        keys.iter().map(|key| key.algorithm()).collect::<Vec<_>>(),
        [Algorithm::Ed25519Cosignature, Algorithm::MlDsa44]
    );
    check(make(&dir, "other.example/w", false), "is a witness already");
    for secret in ["ed25519.key", "ml-dsa-44.key"] {
        assert_eq!(std::fs::metadata(dir.join(secret)).expect("file").permissions().mode() & 0o777, 0o600);
    }
    trust(&dir, &[log().vkey().to_string()]).expect("trusted");
    check(trust(&dir, &[keys[1].to_string()]), "this witness's own");

    let (witness, held) = open(&dir, Box::new(Hand::default())).expect("opened");
    check(open(&dir, Box::new(Hand::default())), "another process");
    witness.add_checkpoint(Branch::Real.body(0, 8).as_bytes()).await.expect("cosigned");
    witness.add_checkpoint(Branch::Twin.body(8, 8).as_bytes()).await.expect_err("a fork");
    let status = look(&dir).expect("status");
    assert_eq!((status.keys, status.heads), (keys, vec![(Branch::Real.head(8), 1)]));
    assert_eq!(status.forks.len(), 1);
    drop((witness, held));

    let (witness, held) = open(&dir, Box::new(Hand::default())).expect("opened");
    witness.add_checkpoint(Branch::Real.body(8, 9).as_bytes()).await.expect("cosigned");
    drop((witness, held));

    let head = dir.join("heads").join(Digest::of(ORIGIN.as_bytes()).to_string());
    let good = std::fs::read(&head).expect("head");
    let mut bad = good.clone();
    bad[ORIGIN.len() + 10] ^= 1;
    std::fs::write(&head, &bad).expect("written");
    check(open(&dir, Box::new(Hand::default())), "is not a checkpoint that this witness cosigned");
    std::fs::write(&head, &good).expect("written");
    std::fs::rename(&head, dir.join("heads").join(Digest::of(b"other").to_string())).expect("renamed");
    check(open(&dir, Box::new(Hand::default())), "it is of another log");
    std::fs::remove_dir_all(dir.join("heads")).expect("removed");
    check(open(&dir, Box::new(Hand::default())), "must not go on");
    std::fs::remove_file(dir.join("ed25519.key")).expect("removed");
    check(open(&dir, Box::new(Hand::default())), "must not go on");
}
