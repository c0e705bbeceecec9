//! Our client and our witness over loopback, and our client before others that lie.

use std::time::Duration;

use remit_app::witness::{Declined, Witness as _};
use remit_evidence::log::note::SignatureLine;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::disk::Fake;
use super::*;
use crate::serve::serve;
use crate::witness::client::{Address, Remote};
use crate::witness::http::routes;

fn remote(url: &str, keys: &[&Signer]) -> Result<Remote, String> {
    let keys = keys.iter().map(|key| key.vkey().clone()).collect();
    let patience = Duration::from_millis(2_000);
    Remote::new(&Address { submission: url.into(), monitoring: format!("{url}/"), keys, patience })
}

async fn serving() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let clock = Hand::default();
    clock.0.store(1_000, std::sync::atomic::Ordering::SeqCst);
    let witness = open(Fake::default(), Fake::default(), &clock).expect("witness");
    tokio::spawn(serve(listener, None, routes(witness), std::future::pending(), Duration::ZERO));
    url
}

async fn add(remote: &Remote, branch: Branch, old: u64, size: u64) -> Result<Vec<SignatureLine>, Declined> {
    remote.add_checkpoint(old, &branch.proof(old, size), &branch.note(size)).await
}

#[tokio::test]
async fn our_client_and_our_witness_understand_each_other() {
    let url = serving().await;
    let remote = remote(&url, &[&cosigner()]).expect("address");
    assert_eq!(remote.name(), WITNESS);
    assert_eq!(remote.latest(ORIGIN).await, Ok(None));
    assert_eq!(add(&remote, Branch::Real, 0, 8).await.expect("cosigned").len(), 1);
    assert_eq!(add(&remote, Branch::Real, 0, 13).await, Err(Declined::Seen(8)));
    assert_eq!(add(&remote, Branch::Real, 8, 13).await.expect("cosigned").len(), 1);
    for size in [13, 20] {
        assert!(matches!(add(&remote, Branch::Twin, 13, size).await, Err(Declined::Inconsistent(_))));
    }
    let shown = remote.latest(ORIGIN).await.expect("shown").expect("cosigned");
    let (log, cosigner) = (log(), cosigner());
    let opened = Checkpoint::open(&shown, [log.vkey()], [cosigner.vkey()]).expect("signed by both");
    assert_eq!((opened.checkpoint, opened.seals.len()), (Branch::Real.head(13), 2));

    let stranger = Signer::ed25519("log.example/b", Algorithm::Ed25519, &[3; 32]).expect("key");
    let note = Checkpoint::new("log.example/b", 8, Branch::Real.head(8).root).sign(&[&stranger], 7).expect("signed");
    assert!(
        matches!(remote.add_checkpoint(0, &[], &note).await, Err(Declined::Refused(why)) if why.starts_with("404"))
    );
    let impostor = Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[3; 32]).expect("key");
    let note = Branch::Real.head(13).sign(&[&impostor], 7).expect("signed");
    assert!(
        matches!(remote.add_checkpoint(13, &[], &note).await, Err(Declined::Refused(why)) if why.starts_with("403"))
    );
    let answer = add(&remote, Branch::Real, 14, 13).await;
    assert!(matches!(answer, Err(Declined::Refused(why)) if why.starts_with("400")));
}

#[tokio::test]
async fn a_cosignature_of_another_key_is_not_believed() {
    let url = serving().await;
    let other = Signer::ed25519(WITNESS, Algorithm::Ed25519Cosignature, &[9; 32]).expect("key");
    let remote = remote(&url, &[&other]).expect("address");
    assert!(matches!(add(&remote, Branch::Real, 0, 8).await, Err(Declined::Unreachable(_))));
    assert!(matches!(remote.latest(ORIGIN).await, Err(Declined::Unreachable(_))));
}

/// Answers one request with these bytes, whatever was asked.
async fn liar(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("asked");
        let mut heard = vec![0; 64 * 1024];
        let _ = stream.read(&mut heard).await;
        let _ = stream.write_all(&answer).await;
        let _ = stream.read(&mut heard).await;
    });
    url
}

async fn lied(status: &str, kind: &str, body: &str) -> Result<Vec<SignatureLine>, Declined> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    let url = liar([head.as_bytes(), body.as_bytes()].concat()).await;
    add(&remote(&url, &[&cosigner()]).expect("address"), Branch::Real, 0, 8).await
}

#[tokio::test]
async fn an_answer_is_believed_only_as_far_as_it_can_be_checked() {
    let line = |size, time| {
        let text = Branch::Real.note(size).text().to_owned();
        format!("{}\n", SignatureLine::make(&cosigner(), &text, time).expect("line"))
    };
    assert_eq!(lied("200 OK", "text/plain", &line(8, 5)).await.expect("good").len(), 1);
    for bad in [line(7, 5), line(8, 0), String::new(), "\n".into(), line(8, 5) + &line(7, 5), line(8, 5).trim().into()]
    {
        let answer = lied("200 OK", "text/plain", &bad).await;
        assert!(matches!(answer, Err(Declined::Unreachable(_))), "{bad:?}: {answer:?}");
    }
    assert_eq!(lied("409 Conflict", SIZE, "7\n").await, Err(Declined::Seen(7)));
    for (kind, bad) in [("text/plain", "7\n"), (SIZE, "7"), (SIZE, "07\n"), (SIZE, "-1\n"), (SIZE, "")] {
        assert!(matches!(lied("409 Conflict", kind, bad).await, Err(Declined::Unreachable(_))), "{bad:?}");
    }
    assert!(
        matches!(lied("503 Busy", "text/plain", "\u{1b}[2J").await, Err(Declined::Unreachable(why)) if !why.contains('\u{1b}'))
    );
    let large = "a".repeat(300 * 1024);
    assert!(matches!(lied("200 OK", "text/plain", &large).await, Err(Declined::Unreachable(_))));
}

const SIZE: &str = "text/x.tlog.size";

#[tokio::test]
async fn an_answer_that_does_not_end_is_not_waited_for() {
    let url = liar(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_vec()).await;
    let answer = add(&remote(&url, &[&cosigner()]).expect("address"), Branch::Real, 0, 8).await;
    assert_eq!(answer, Err(Declined::Unreachable("no answer within 2000 ms".into())));
}

#[test]
fn an_address_needs_keys_of_one_witness() {
    let url = "https://witness.example";
    let other = Signer::ed25519("witness.example/w2", Algorithm::Ed25519Cosignature, &[9; 32]).expect("key");
    for (url, keys) in [(url, &[][..]), (url, &[&cosigner(), &other]), (url, &[&log()]), ("ftp://a", &[&cosigner()])] {
        assert!(remote(url, keys).is_err());
    }
}
