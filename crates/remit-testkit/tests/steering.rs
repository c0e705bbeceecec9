//! Every endpoint of the operators' API, and which deed of people governs it: held against the roles over HTTP. An
//! endpoint that is not in the list, or one that asks for another deed, fails here.

use std::collections::BTreeSet;
use std::path::Path;

use remit_cli::boot::Running;
use remit_core::ids::{Digest, OperatorId};
use remit_core::steering::{Deed, Role, allows};
use remit_testkit::place::Place;
use remit_testkit::wire::Wire;
use serde_json::json;

/// Method, path, deed.
const ENDPOINTS: &[(&str, &str, Deed)] = &[
    ("get", "/admin/v1/questions", Deed::Look),
    ("get", "/admin/v1/questions/{id}", Deed::Look),
    ("post", "/admin/v1/questions/{id}/votes", Deed::Vote),
    ("post", "/admin/v1/questions/{id}/remarks", Deed::Vote),
    ("post", "/admin/v1/questions/{id}/escalations", Deed::Vote),
    ("post", "/admin/v1/questions/{id}/narrow", Deed::Vote),
    ("get", "/admin/v1/halts", Deed::Look),
    ("post", "/admin/v1/halts", Deed::Halt),
    ("post", "/admin/v1/halts/lift", Deed::Resume),
    ("get", "/admin/v1/halts/reach", Deed::Look),
    ("get", "/admin/v1/holds", Deed::Look),
    ("post", "/admin/v1/holds", Deed::Erase),
    ("post", "/admin/v1/holds/lift", Deed::Erase),
    ("post", "/admin/v1/erasures", Deed::Erase),
    ("get", "/admin/v1/runs", Deed::Look),
    ("get", "/admin/v1/runs/{id}", Deed::Look),
    ("get", "/admin/v1/records", Deed::Look),
    ("get", "/admin/v1/records/{id}", Deed::Look),
    ("get", "/admin/v1/evidence", Deed::Evidence),
    ("get", "/admin/v1/tools", Deed::Look),
    ("post", "/admin/v1/tools/survey", Deed::Survey),
    ("get", "/admin/v1/snapshot", Deed::Look),
    ("get", "/admin/v1/budgets", Deed::Look),
    ("post", "/admin/v1/reload", Deed::Reload),
    ("get", "/admin/v1/changes", Deed::Look),
    ("get", "/admin/v1/changes/{id}", Deed::Look),
    ("post", "/admin/v1/changes/{id}/votes", Deed::Change),
    ("get", "/admin/v1/proposals", Deed::Look),
    ("post", "/admin/v1/proposals", Deed::Propose),
    ("get", "/admin/v1/snapshots", Deed::Look),
    ("get", "/admin/v1/snapshots/{digest}", Deed::Look),
    ("post", "/admin/v1/snapshots/{digest}/restore", Deed::Reload),
    ("get", "/admin/v1/agents/{id}/standing", Deed::Look),
    ("post", "/admin/v1/questions/{id}/statements", Deed::Vote),
    ("get", "/admin/v1/people", Deed::Look),
    ("post", "/admin/v1/people/{id}/invitations", Deed::People),
    ("post", "/admin/v1/people/{id}/sessions/end", Deed::People),
    ("post", "/admin/v1/people/{id}/passkeys/remove", Deed::People),
    ("get", "/admin/v1/access-requests", Deed::Look),
    ("get", "/admin/v1/access-requests/{id}", Deed::Look),
    ("post", "/admin/v1/access-requests/{id}/narrow", Deed::Vote),
    ("get", "/admin/v1/grants", Deed::Look),
    ("post", "/admin/v1/grants", Deed::Vote),
    ("post", "/admin/v1/grants/{id}/revoke", Deed::Revoke),
    ("post", "/admin/v1/grants/{id}/review", Deed::Review),
    ("get", "/admin/v1/break-glass", Deed::Look),
    ("post", "/admin/v1/break-glass", Deed::BreakGlass),
    ("get", "/admin/v1/halts/reach", Deed::Look),
    ("post", "/admin/v1/questions/votes", Deed::Vote),
    ("get", "/admin/v1/delegations", Deed::Look),
    ("post", "/admin/v1/delegations", Deed::Delegate),
    ("post", "/admin/v1/delegations/{id}/revoke", Deed::Look),
    ("get", "/admin/v1/reviews", Deed::Look),
    ("post", "/admin/v1/reviews/{id}", Deed::Review),
    ("get", "/admin/v1/approvers", Deed::People),
    ("get", "/admin/v1/deliveries", Deed::Look),
    ("post", "/admin/v1/changes/{id}/statements", Deed::Change),
    ("post", "/admin/v1/agents/{id}/widenings", Deed::Propose),
    ("post", "/admin/v1/notify/test", Deed::Reload),
    ("post", "/admin/v1/people/{id}/login", Deed::People),
    ("post", "/admin/v1/people/{id}/login/remove", Deed::People),
];

#[test]
fn every_endpoint_is_listed_with_its_deed() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remit-server/src/admin/mod.rs");
    let source = std::fs::read_to_string(source).expect("the routes");
    let mut served = BTreeSet::new();
    for method in ["get", "post"] {
        for line in source.split(&format!(".{method}(")).skip(1) {
            let path = line.split('"').nth(1).expect("a path");
            served.insert((method, path));
        }
    }
    assert!(!source.contains(".route("), "a route that stands beside the table is asked for no deed");
    let listed: BTreeSet<_> = ENDPOINTS.iter().map(|(method, path, _)| (*method, *path)).collect();
    let missing: Vec<_> = served.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "say in ENDPOINTS which deed governs it, or take it out: {missing:?}");
}

fn key(role: Role) -> String {
    format!("key-of-{}", role.as_str())
}

/// With one operator for each role.
fn set_up() -> Place {
    let mut keys = String::from("operators:\n");
    for role in Role::ALL {
        let (word, sha256) = (role.as_str(), Digest::of(key(role).as_bytes()));
        keys.push_str(&format!("  - {{ id: {word}, roles: [{word}], expires: 2099-01-01, sha256: {sha256} }}\n"));
    }
    let place = Place::base();
    place.write("keys.yaml", &keys);
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_endpoint_asks_whether_the_roles_allow_its_deed() {
    let place = set_up();
    let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await;
    let running = running.unwrap_or_else(|error| panic!("{error}"));
    let wire = Wire::to(&running.url);
    let body = json!({});
    for (method, path, deed) in ENDPOINTS {
        let path = path.replace("{id}", "nothing").replace("{digest}", &"0".repeat(64));
        let body = (*method == "post").then_some(&body);
        for role in Role::ALL {
            let (status, answer) = wire.send(&key(role), &path, body).await.expect("an answer");
            let refused = status == 403
                && answer["error"]["reason"].as_str().is_some_and(|reason| reason.starts_with("no role of"));
            let person = OperatorId::parse(role.as_str()).expect("an id");
            let may = allows(&person, &[role], *deed);
            assert_eq!(refused, !may, "{method} {path} by {}: {status} {answer}", role.as_str());
        }
        for stranger in ["nobody", ""] {
            let (status, answer) = wire.send(stranger, &path, body).await.expect("an answer");
            assert_eq!(status, 401, "{method} {path} without a key: {answer}");
        }
    }
    running.stop().await;
}
