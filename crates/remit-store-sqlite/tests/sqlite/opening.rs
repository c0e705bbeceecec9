//! Who may open the file, and what for.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::Arc;

use remit_app::ports::{RecordFilter, Store};
use remit_core::halt::{Halt, HaltTarget};
use remit_evidence::record::Kind;
use remit_store_sqlite::{OpenError, Options, SqliteStore};
use remit_testkit::conformance::trial::{Trial, completed, moment, run_id};

use crate::{beside, look, open, place};

#[tokio::test]
async fn one_file_serves_one_gateway() {
    let (_folder, file) = place();
    let first = open(&file);
    assert!(matches!(SqliteStore::open(&file, Options::default()), Err(OpenError::InUse(_))));
    first.close().await;
    let second = open(&file);
    drop(second);
    open(&file).close().await;
}

#[tokio::test]
async fn others_may_look() {
    let (_folder, file) = place();
    assert!(matches!(SqliteStore::inspect(&file), Err(OpenError::Missing(_))));
    let t = Trial::new(Arc::new(open(&file)));
    t.run("run-1").await;
    let inspector = SqliteStore::inspect(&file).expect("it opens");
    assert_eq!(inspector.records(&RecordFilter::default()).await.expect("read").len(), 1);
    let halt = Halt { target: HaltTarget::Tenant, by: "olga".into(), reason: "why".into(), since: moment(0) };
    t.store.put_halt(halt.clone(), t.record(Kind::Halt, None)).await.expect("ordered");
    assert_eq!(inspector.halts().await.expect("read"), [halt]);
    assert!(inspector.append(t.record(Kind::Policy, None)).await.is_err());
    inspector.health().expect("it can be read");
    inspector.close().await;
    t.store.append(t.record(Kind::Policy, None)).await.expect("the gateway goes on");
}

#[tokio::test]
async fn it_is_nobody_elses_business() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new").join("remit.db");
    let t = Trial::new(Arc::new(open(&file)));
    t.run("run-1").await;
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").mode() & 0o777;
    assert_eq!(mode(file.parent().expect("a folder")), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(&file, suffix)), 0o600, "{suffix}");
    }
}

#[test]
fn a_folder_open_to_everybody_is_refused() {
    let (folder, file) = place();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("changed");
    assert!(matches!(SqliteStore::open(&file, Options::default()), Err(OpenError::WorldWritable(_))));
    assert!(!file.exists());
}

#[test]
fn files_of_others_and_of_the_future_are_left_alone() {
    for (sql, why) in [
        ("CREATE TABLE theirs (a)", "another application"),
        ("PRAGMA application_id = 7", "another application"),
        ("PRAGMA user_version = 7", "another application"),
        ("PRAGMA application_id = 1382902132; PRAGMA user_version = 99", "newer program"),
    ] {
        let (_folder, file) = place();
        rusqlite::Connection::open(&file).expect("it opens").execute_batch(sql).expect(sql);
        let before = std::fs::read(&file).expect("read");
        let error = SqliteStore::open(&file, Options::default()).err().expect("it is refused").to_string();
        assert!(error.contains(why), "{error}");
        assert!(SqliteStore::inspect(&file).is_err());
        assert_eq!(std::fs::read(&file).expect("read"), before);
    }
    let (_folder, file) = place();
    std::fs::write(&file, "no database at all, but long enough to be looked at as one".repeat(100)).expect("written");
    assert!(SqliteStore::open(&file, Options::default()).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses() {
    let (_folder, file) = place();
    let options = Options { queue: 2, ..Options::default() };
    let t = Trial::new(Arc::new(SqliteStore::open(&file, options).expect("it opens")));
    t.run("run-1").await;
    let intent = t.admit(&t.admission(&run_id("run-1"), "call").await).await;
    // Somebody holds the file for a moment, so that the writer stands still.
    let other = rusqlite::Connection::open(&file).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    let mut refused = 0;
    for _ in 0..20 {
        refused += usize::from(t.store.settle_soon(t.settlement(&intent, completed())).is_err());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert!((16..20).contains(&refused), "{refused}");
    t.store.health().expect("a long queue is no reason to stop");
    other.execute_batch("ROLLBACK").expect("it ends");
    t.store.close().await;
    drop(t);
    assert_eq!(look(&file, "SELECT state FROM intents"), "Text(\"settled\")");
}
