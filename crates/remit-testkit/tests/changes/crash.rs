//! The real program, killed around the vote that decides.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use remit_testkit::place::program;
use remit_testkit::wire::Wire;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::world::{Place, get, id, key, pending, ticket, verified, vote};

async fn spawn(place: &Path) -> (Child, Wire) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut child = Command::new(program())
        .arg("-C")
        .arg(place)
        .args(["serve", "--listen", &free.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("spawn");
    let wire = Wire::to(&format!("http://{free}"));
    let began = Instant::now();
    while wire.done(&key("vera"), "/admin/v1/changes", None).await.is_err() {
        assert!(child.try_wait().expect("wait").is_none(), "the gateway does not start");
        assert!(began.elapsed() < Duration::from_secs(60), "the gateway is not ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (child, wire)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_the_second_vote_it_is_old_or_new_and_never_half() {
    let (mut old, mut new) = (0, 0);
    for round in 0..6_u64 {
        let place = Place::new();
        let (mut child, wire) = spawn(place.path()).await;
        place.weaken();
        let change = id(&pending(&wire).await);
        assert_eq!(vote(&wire, "sam", &change, "approve").await.0, 200);
        let last = tokio::spawn({
            let (wire, change) = (wire.clone(), change.clone());
            async move {
                wire.send(
                    &key("sue"),
                    &format!("/admin/v1/changes/{change}/votes"),
                    Some(&json!({"choice": "approve"})),
                )
                .await
            }
        });
        let answered = if round == 0 {
            Some(last.await.expect("a vote"))
        } else {
            tokio::time::sleep(Duration::from_micros(round * 1_500)).await;
            None
        };
        child.kill().await.expect("kill");
        let acknowledged = answered.is_some_and(|answer| answer.is_ok_and(|(status, _)| status == 200));
        assert!(round > 0 || acknowledged, "the first one is killed right after the answer");
        let (mut child, wire) = spawn(place.path()).await;
        let state = get(&wire, &format!("/admin/v1/changes/{change}")).await;
        match (ticket(&wire).await.as_str(), state["state"].as_str(), state["approved"].as_u64()) {
            ("allow", Some("in_force"), Some(2)) => new += 1,
            ("policy.guardrail", Some("open"), Some(1)) if !acknowledged => old += 1,
            other => panic!("round {round}: {other:?}, {state}"),
        }
        verified(&wire, place.path()).await;
        child.kill().await.expect("kill");
    }
    assert_eq!(old + new, 6);
    assert!(new > 0);
}
